"""Signed names for deliveries: in Message-IDs, unsubscribe links and envelope senders.

A token is 32 characters of lower-case base32, because mail servers fold the case of local parts:
version, kind, delivery id (8 bytes), HMAC-SHA256 cut to 80 bits (RFC 2104 5). It holds no address
and never expires.
"""

import hmac
import re
from base64 import b32decode, b32encode
from enum import IntEnum
from struct import Struct

_VERSION = 1
_BODY = Struct(">BBQ")
_MAC_BYTES = 10
_MIN_KEY_BYTES = 16
_FORM = re.compile(r"[A-Za-z2-7]{32}")


class Kind(IntEnum):
    """What a token is for; one kind never passes as another."""

    MESSAGE = 1
    UNSUBSCRIBE = 2
    BOUNCE = 3


class BadToken(ValueError):
    """Not a token of ours, or not of this kind."""


class KeyRing:
    """Keys, newest first: the first signs, all of them verify.

    :raises ValueError: no key, or one of less than 16 bytes.
    """

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        if not keys or min(map(len, keys)) < _MIN_KEY_BYTES:
            raise ValueError(f"a key ring needs keys of at least {_MIN_KEY_BYTES} bytes each")
        # Keyed once and copied for each token: half the time of a new HMAC.
        self._macs = tuple(hmac.new(key, b"godwit token", "sha256") for key in keys)

    def macs(self, body: bytes) -> list[bytes]:
        """Return the body's code under each key."""
        return [_finish(mac, body) for mac in self._macs]

    def mac(self, body: bytes) -> bytes:
        """Return the body's code under the newest key."""
        return _finish(self._macs[0], body)


def sign(kind: Kind, delivery_id: int, *, ring: KeyRing) -> str:
    """Return the token of a delivery for one purpose."""
    body = _BODY.pack(_VERSION, kind, delivery_id)
    return b32encode(body + ring.mac(body)).decode().lower()


def read(token: str, *, kind: Kind, ring: KeyRing) -> int:
    """Return the delivery id, in whatever case the token comes back.

    :raises BadToken: forged, mistyped, or of another kind.
    """
    if not _FORM.fullmatch(token):
        raise BadToken("not a token")
    octets = b32decode(token.upper())
    body, mac = octets[:-_MAC_BYTES], octets[-_MAC_BYTES:]
    known = any(hmac.compare_digest(mac, each) for each in ring.macs(body))
    version, found, delivery_id = _BODY.unpack(body)
    if not known or version != _VERSION or found != kind:
        raise BadToken("not a token of ours for this purpose")
    return int(delivery_id)


def _finish(keyed: "hmac.HMAC", body: bytes) -> bytes:
    mac = keyed.copy()
    mac.update(body)
    return mac.digest()[:_MAC_BYTES]
