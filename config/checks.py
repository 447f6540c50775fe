"""System checks of an installation's settings."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register
def environment_is_readable(**_: Any) -> list[CheckMessage]:
    return [Error(problem, id="config.E001") for problem in settings.ENV_PROBLEMS]
