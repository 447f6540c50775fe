"""The addresses in a message that lead back to its delivery."""

from functools import cache

from django.conf import settings
from django.urls import reverse

from tracking.tokens import KeyRing, Kind, sign


@cache
def key_ring() -> KeyRing:
    return KeyRing(tuple(key.encode() for key in settings.TOKEN_KEYS))


@cache
def _unsubscribe_prefix() -> str:
    # Resolved once per process: reversing costs more than signing.
    return settings.SITE_URL + reverse("tracking:unsubscribe", args=["-"]).removesuffix("-")


def unsubscribe_url(delivery_id: int) -> str:
    """Return the delivery's own page for unsubscribing, one-click by RFC 8058."""
    return _unsubscribe_prefix() + sign(Kind.UNSUBSCRIBE, delivery_id, ring=key_ring())


def message_token(delivery_id: int) -> str:
    return sign(Kind.MESSAGE, delivery_id, ring=key_ring())


def bounce_token(delivery_id: int) -> str:
    return sign(Kind.BOUNCE, delivery_id, ring=key_ring())
