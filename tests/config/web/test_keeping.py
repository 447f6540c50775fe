"""Forms that are sent while nobody is signed in any more."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from recipients.models import MailingList
from tests.console import text

pytestmark = pytest.mark.django_db

PAGE = "/lists/new/"
TYPED = {"name": "Readers", "description": "One\nTwo <b>", "tracking": "full"}
OURS = {"Origin": "http://testserver"}


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def browser(root: User) -> Client:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(root)
    return browser


def token_of(answer: Any) -> str:
    token: str = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', answer.content.decode())[0]
    return token


def sent_again(answer: Any) -> dict[str, str]:
    """Return what the button of a page that has kept a form sends."""
    return dict(answer.context["fields"]) | {"csrfmiddlewaretoken": token_of(answer)}


def test_what_was_typed_is_sent_once_more_by_who_has_signed_in_anew(
    browser: Client, root: User
) -> None:
    opened = token_of(browser.get(PAGE))
    del browser.cookies["sessionid"]

    kept = browser.post(PAGE, TYPED | {"csrfmiddlewaretoken": opened}, headers=OURS)
    browser.force_login(root)
    browser.cookies["csrftoken"] = "a" * 32  # as signing in makes a new one
    stale = browser.post(PAGE, sent_again(kept), headers=OURS)
    taken = browser.post(PAGE, sent_again(stale), headers=OURS)

    assert (kept.status_code, stale.status_code, taken.status_code) == (401, 403, 302)
    assert "sign in in another tab" in text(kept)
    assert MailingList.objects.get().name == TYPED["name"]


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {}])
def test_what_another_site_sends_is_not_shown(browser: Client, headers: dict[str, str]) -> None:
    answer = browser.post(PAGE, TYPED, headers=headers)

    assert answer.status_code == 403
    assert "Readers" not in text(answer)
    assert b'value="Readers"' not in answer.content


def test_no_password_is_shown_again(browser: Client) -> None:
    opened = token_of(browser.get("/account/login/", follow=True))
    del browser.cookies["sessionid"]
    typed = {"oldpassword": "secret", "csrfmiddlewaretoken": opened}

    answer = browser.post("/account/password/change/", typed, headers=OURS)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/login/")
