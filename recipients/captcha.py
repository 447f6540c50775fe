"""Telling people from programs: what a captcha is, and a small one that asks for a sum.

`SIGNUP_CAPTCHA` names a class; an instance is made, without arguments, for each request.
"""

from typing import Protocol

from django.conf import settings
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString


class Captcha(Protocol):
    def html(self) -> SafeString:
        """Return what goes into the form; also into the copies in other people's pages."""

    def passes(self, request: HttpRequest) -> bool:
        """Whether the form that was sent comes from a person."""


class Sum:
    """Asks for the sum of two numbers: it stops programs that fill in any form, and no others."""

    _FIRST, _SECOND = 3, 4

    def html(self) -> SafeString:
        return format_html(
            '<p><label for="sum">How much is {} and {}?</label>'
            ' <input id="sum" name="sum" inputmode="numeric" autocomplete="off"></p>',
            self._FIRST,
            self._SECOND,
        )

    def passes(self, request: HttpRequest) -> bool:
        return request.POST.get("sum", "").strip() == str(self._FIRST + self._SECOND)


def chosen() -> Captcha | None:
    """Return the captcha of this installation, if it has one."""
    if not settings.SIGNUP_CAPTCHA:
        return None
    captcha: Captcha = import_string(settings.SIGNUP_CAPTCHA)()
    return captcha
