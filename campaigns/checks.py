"""System checks of what campaigns need from the installation."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from campaigns.sending.transports import BadTransportURL, open_transport


@register
def default_transport_can_be_opened(**_: Any) -> list[CheckMessage]:
    """Report an EMAIL_URL that no transport can be opened with. Nothing is connected to."""
    try:
        open_transport(settings.EMAIL_URL).close()
    except BadTransportURL as error:
        return [Error(f"EMAIL_URL: {error}", id="campaigns.E001")]
    return []
