"""People at the console, and what they read there."""

import html
import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client


def staff(*permissions: str, name: str = "staff") -> Client:
    """Return the browser of a staff user with these permissions, such as `campaigns.view_run`."""
    user = User.objects.create_user(name, is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return _browser(user)


def superuser() -> Client:
    return _browser(User.objects.create_user("root", is_staff=True, is_superuser=True))


def _browser(user: User) -> Client:
    # Without a password: to hash one takes longer than most of these tests.
    client = Client()
    client.force_login(user)
    return client


def text(response: Any) -> str:
    """Return what a page says, without its tags, on one line."""
    content = re.sub(r"<(script|style).*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", content)).split())


def messages(response: Any) -> list[str]:
    """Return the messages on the page that a redirect led to."""
    return [str(message) for message in response.context["messages"]]
