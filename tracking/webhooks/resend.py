"""Resend, which signs by Svix; Anymail would need another package to verify that.

https://docs.svix.com/receiving/verifying-payloads/how-manual
"""

# anymail has no type hints:
# mypy: allow-subclassing-any
import hmac
from base64 import b64decode, b64encode
from datetime import datetime, timedelta
from hashlib import sha256

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.webhooks.resend import ResendTrackingWebhookView
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

_TOLERANCE = timedelta(minutes=5)


class View(ResendTrackingWebhookView):
    """The view of Anymail, with the signature verified where there is a key."""

    def __init__(self, **kwargs: object) -> None:
        self._secret: str = settings.ANYMAIL.get("RESEND_WEBHOOK_SECRET", "")
        super().__init__(**kwargs)

    def validate_request(self, request: HttpRequest) -> None:
        """Verify the signature.

        :raises AnymailWebhookValidationFailure:
        """
        if self._secret and not is_signed(request, secret=self._secret, now=timezone.now()):
            raise AnymailWebhookValidationFailure("it is not signed, or wrongly, or long ago")


def is_signed(request: HttpRequest, *, secret: str, now: datetime) -> bool:
    """Whether one of the signatures of a request is right, and was made a moment ago.

    :param secret: `whsec_` and base64
    """
    sent_at, event_id = (
        request.headers.get("svix-timestamp", ""),
        request.headers.get("svix-id", ""),
    )
    if not sent_at.isascii() or not sent_at.isdecimal():
        return False
    if abs(now.timestamp() - int(sent_at[:15])) > _TOLERANCE.total_seconds():
        return False
    told = f"{event_id}.{sent_at}.".encode() + request.body
    expected = signature(told, secret=secret)
    given = request.headers.get("svix-signature", "").split(" ")
    return any(hmac.compare_digest(each.encode(), expected) for each in given)


def signature(told: bytes, *, secret: str) -> bytes:
    """Return the signature of what is told, with its version."""
    key = b64decode(secret.removeprefix("whsec_"))
    return b"v1," + b64encode(hmac.new(key, told, sha256).digest())
