"""Errors to Sentry, where SENTRY_DSN says so; without addresses, bodies and local variables."""

from typing import Any

from django.conf import settings

from config.logs import without_addresses


def start() -> None:
    """Have this process tell what the settings want told."""
    if settings.SENTRY_DSN:
        _start_sentry()


def _start_sentry() -> None:
    # Here: it takes a tenth of a second, and most installations have none.
    import sentry_sdk

    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=scrub,
        before_breadcrumb=scrub,
    )


def scrub(event: Any, _hint: Any) -> Any:
    """Return what is to be sent without addresses, wherever in it they are."""
    return without_addresses(event)
