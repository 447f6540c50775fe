"""Sign calls by the rules of Standard Webhooks 1.0 (standardwebhooks.com): `v1`, HMAC-SHA256."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

_PREFIX = "whsec_"
_SHORTEST, _OURS, _LONGEST = 24, 32, 64  # bytes


class BadSecret(ValueError):
    """It is no secret of Standard Webhooks."""


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_OURS)).decode()


def key_of(secret: str) -> bytes:
    """Return the key that a secret writes down.

    :raises BadSecret: it is no base64, or not of 24 to 64 bytes.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret("it is no base64") from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise BadSecret(f"{len(key)} bytes, not {_SHORTEST} to {_LONGEST}")
    return key


def headers(
    webhook_id: str, body: bytes, *, secrets: Sequence[str], now: datetime
) -> dict[str, str]:
    """Return the three headers of a call; each secret gives a signature.

    The time is that of the attempt: receivers refuse what is older than some minutes.
    """
    timestamp = str(int(now.timestamp()))
    signed = b".".join([webhook_id.encode(), timestamp.encode(), body])
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
