"""System checks of an installation's settings."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


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
def environment_is_readable(**_: Any) -> list[CheckMessage]:
    return [Error(problem, id="config.E001") for problem in settings.ENV_PROBLEMS]
