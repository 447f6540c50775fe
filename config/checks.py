"""System checks of an installation's settings."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.utils import timezone

from config.signing import Files

WARN = timedelta(days=30)


@register
def single_sign_on_is_whole(**_: Any) -> list[CheckMessage]:
    """Name what is missing beside OIDC_ISSUER."""
    [app] = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"] or [{}]
    missing = [name for name in ("client_id", "secret") if app and not app[name]]
    return [
        Error(f"OIDC_ISSUER is set, and OIDC_CLIENT_{name.removeprefix('client_').upper()} is not")
        for name in missing
    ]


@register
def certificate_lasts(**_: Any) -> list[CheckMessage]:
    """Warn in time: with an expired certificate no worker takes a message."""
    if not settings.TASK_SIGNING or settings.ENV_PROBLEMS:
        return []
    from config.signing.files import own_certificate

    end = own_certificate(Files(*settings.TASK_SIGNING)).not_valid_after_utc
    if end > timezone.now() + WARN:
        return []
    return [checks.Warning(f"TASK_SIGNING_CERT ends on {end:%Y-%m-%d}; then nothing is sent")]


@register
def environment_is_readable(**_: Any) -> list[CheckMessage]:
    return [Error(problem, id="config.E001") for problem in settings.ENV_PROBLEMS]
