"""How somebody sees the pages: language, time zone, light or dark.

It lies in the session, from the sign-in on, so that no page asks the database for it.
"""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation

from config.accounts.models import Profile

_KEY = "profile"
_KEPT = ("language", "time_zone", "theme", "shortcuts")


def put_into_session(request: HttpRequest, user: User, **_: Any) -> None:
    """Have the pages of this session be as the user wants them."""
    profile = Profile.objects.filter(user=user).values(*_KEPT).first()
    request.session[_KEY] = profile or {}


class ProfileMiddleware:
    """Speak to staff as they want; public pages stay as they are: their readers have no session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with translation.override(settings.LANGUAGE_CODE), timezone.override(None):
            return self.get_response(request)

    def process_view(self, request: HttpRequest, view_func: Any, _args: Any, _kwargs: Any) -> None:
        is_public = not getattr(view_func, "login_required", True)
        profile = {} if is_public else request.session.get(_KEY, {})
        if is_public and not _is_door(request):
            return
        translation.activate(
            profile.get("language") or translation.get_language_from_request(request)
        )
        if zone := profile.get("time_zone"):
            timezone.activate(ZoneInfo(zone))
        request.theme = profile.get("theme", "")  # type: ignore[attr-defined]
        request.shortcuts = profile.get("shortcuts", True)  # type: ignore[attr-defined]


def _is_door(request: HttpRequest) -> bool:
    return request.path.startswith("/account/")
