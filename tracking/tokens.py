"""Signed names for messages: in Message-IDs, in their links and in envelope senders.

A token is 40 hexadecimal digits, because mail servers fold the case of local parts: version, kind,
the id of a delivery or of a notice (8 bytes), and 80 bits of keyed BLAKE2b (RFC 7693 2.9). It holds
no address and never expires. A message has several, so their time counts: this form takes a third
of the time that HMAC-SHA256 in base32 would.
"""

import re
from enum import IntEnum
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct

_VERSION = 1
_BODY = Struct(">BBQ")
_MAC_BYTES = 10
_MIN_KEY_BYTES = 16
_FORM = re.compile(r"[0-9A-Fa-f]{40}")


class Kind(IntEnum):
    """What a token is for; one kind never passes as another."""

    MESSAGE = 1
    UNSUBSCRIBE = 2
    BOUNCE = 3
    PREFERENCES = 4
    VIEW = 5
    # These hold the id of a recipients.Notice, a message of ours that is no delivery.
    NOTICE_MESSAGE = 11
    NOTICE_BOUNCE = 12
    CONFIRM = 13
    NOTICE_PREFERENCES = 14
    PRIVACY = 15


class BadToken(ValueError):
    """Not a token of ours, or not of this kind."""


class KeyRing:
    """Keys, newest first: the first signs, all of them verify.

    :raises ValueError: no key, or one of less than 16 bytes.
    """

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        if not keys or min(map(len, keys)) < _MIN_KEY_BYTES:
            raise ValueError(f"a key ring needs keys of at least {_MIN_KEY_BYTES} bytes each")
        # Keyed once and copied for each token.
        self._macs = tuple(_keyed(key) for key in keys)

    def macs(self, body: bytes) -> list[bytes]:
        """Return the body's code under each key."""
        return [_finish(keyed, body) for keyed in self._macs]

    def mac(self, body: bytes) -> bytes:
        """Return the body's code under the newest key."""
        return _finish(self._macs[0], body)


def sign(kind: Kind, message_id: int, *, ring: KeyRing) -> str:
    """Return the token of a delivery, or of a notice, for one purpose."""
    body = _BODY.pack(_VERSION, kind, message_id)
    return (body + ring.mac(body)).hex()


def read(token: str, *, kind: Kind, ring: KeyRing) -> int:
    """Return the id that was signed, in whatever case the token comes back.

    :raises BadToken: forged, mistyped, or of another kind.
    """
    if not _FORM.fullmatch(token):
        raise BadToken("not a token")
    octets = bytes.fromhex(token)
    body, mac = octets[:-_MAC_BYTES], octets[-_MAC_BYTES:]
    known = any(compare_digest(mac, each) for each in ring.macs(body))
    version, found, message_id = _BODY.unpack(body)
    if not known or version != _VERSION or found != kind:
        raise BadToken("not a token of ours for this purpose")
    return int(message_id)


def _keyed(key: bytes) -> blake2b:
    # A key of BLAKE2b has 64 bytes at most; ours may have more.
    return blake2b(key=blake2b(key).digest(), digest_size=_MAC_BYTES, person=b"godwit token")


def _finish(keyed: blake2b, body: bytes) -> bytes:
    mac = keyed.copy()
    mac.update(body)
    return mac.digest()
