"""System checks of what the settings name."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register
def hooks_are_there(**_: Any) -> list[CheckMessage]:
    """Report a captcha or a welcome hook that cannot be imported."""
    captcha = [("SIGNUP_CAPTCHA", settings.SIGNUP_CAPTCHA)] if settings.SIGNUP_CAPTCHA else []
    named = [*captcha, *(("WELCOME_HOOKS", name) for name in settings.WELCOME_HOOKS)]
    return [
        Error(f"{variable}: {problem}", id="recipients.E001")
        for variable, name in named
        if (problem := _problem(name))
    ]


def _problem(name: str) -> str:
    try:
        found = import_string(name)
    except ImportError as error:
        return f"{name} is not there: {error}"
    return "" if callable(found) else f"{name} cannot be called"
