"""Signed names for messages: in Message-IDs, in their links and in envelope senders.

A token is 40 hexadecimal digits, because mail servers fold the case of local parts: version, kind,
the id of a delivery or of a notice (8 bytes), and 80 bits of keyed BLAKE2b (RFC 7693 2.9). It holds
no address and never expires. A message has several, so their time counts: this form takes a third
of the time that HMAC-SHA256 in base32 would.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Container
from enum import IntEnum
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct
from typing import NamedTuple

_VERSION = 1
_BODY = Struct(">BBQ")
_MAC_BYTES = 10
_MIN_KEY_BYTES = 16
_FORM = re.compile(r"[0-9A-Fa-f]{40}")
# Of what is in links alone, whose case nobody folds: half as long again would be read as spam.
_HIT_BODY = Struct(">BBQI")
_HIT_FORM = re.compile(r"[0-9A-Za-z_-]{32}")
NOBODY = 0  # no delivery has this id: links that act in a recipient's name lead to nobody


class Kind(IntEnum):
    """What a token is for; one kind never passes as another."""

    MESSAGE = 1
    UNSUBSCRIBE = 2
    BOUNCE = 3
    PREFERENCES = 4
    VIEW = 5
    # These hold the id of a run as well.
    OPEN = 6
    CLICK = 7
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

    def knows(self, body: bytes, mac: bytes) -> bool:
        """Whether it is the body's code under one of the keys."""
        return any(compare_digest(mac, _finish(keyed, body)) for keyed in self._macs)

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
    found = read_any(token, kinds=[kind], ring=ring)
    if found is None:
        raise BadToken("not a token of ours for this purpose")
    return found[1]


def read_any(token: str, *, kinds: Container[int], ring: KeyRing) -> tuple[Kind, int] | None:
    """Return which of these kinds a token is of, and the id that was signed; None: of none."""
    if not _FORM.fullmatch(token):
        return None
    octets = bytes.fromhex(token)
    body, mac = octets[:-_MAC_BYTES], octets[-_MAC_BYTES:]
    version, kind, message_id = _BODY.unpack(body)
    if not ring.knows(body, mac) or version != _VERSION or kind not in kinds:
        return None
    return Kind(kind), int(message_id)


class Hit(NamedTuple):
    """Which message the pixel or a link is in; `delivery_id` is NOBODY where that is not told."""

    delivery_id: int
    run_id: int


def sign_hit(kind: Kind, hit: Hit, *, ring: KeyRing) -> str:
    """Return the token of a message's pixel or of all its links: 32 characters for a URL."""
    body = _HIT_BODY.pack(_VERSION, kind, *hit)
    return urlsafe_b64encode(body + ring.mac(body)).decode()


def read_hit(token: str, *, kind: Kind, ring: KeyRing) -> Hit:
    """Return what was signed.

    :raises BadToken: forged, mistyped, or of another kind.
    """
    if not _HIT_FORM.fullmatch(token):
        raise BadToken("not a token")
    octets = urlsafe_b64decode(token)
    body, mac = octets[:-_MAC_BYTES], octets[-_MAC_BYTES:]
    version, found, delivery_id, run_id = _HIT_BODY.unpack(body)
    if not ring.knows(body, mac) or version != _VERSION or found != kind:
        raise BadToken("not a token of ours for this purpose")
    return Hit(delivery_id, run_id)


def _keyed(key: bytes) -> blake2b:
    # A key of BLAKE2b has 64 bytes at most; ours may have more.
    return blake2b(key=blake2b(key).digest(), digest_size=_MAC_BYTES, person=b"godwit token")


def _finish(keyed: blake2b, body: bytes) -> bytes:
    mac = keyed.copy()
    mac.update(body)
    return mac.digest()
