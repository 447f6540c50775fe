"""Sign messages (DKIM, RFC 6376; Ed25519: RFC 8463), for relays that do not.

Keys are loaded once: to read a private key takes a hundred times as long as to sign with it.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

RSA_BITS = 2048  # RFC 8301 3.2; more does not fit into every DNS answer
_LINE = 76

# Signed once more than they occur, so that a second one cannot be added (RFC 6376 8.15); one-click
# unsubscription demands that the List- ones are signed (RFC 8058 4).
_OVERSIGNED = (
    b"from",
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"reply-to",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)
_SIGNED = (
    *_OVERSIGNED,
    b"cc",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"list-id",
    b"feedback-id",
    b"precedence",
    b"x-auto-response-suppress",
)
_WHITESPACE = re.compile(rb"[ \t]+")
_UNFOLD = re.compile(rb"\r\n(?=[ \t])")
_TABS = bytes.maketrans(b"\t", b" ")

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


class Algorithm(StrEnum):
    RSA = "rsa-sha256"
    ED25519 = "ed25519-sha256"


@dataclass(frozen=True, slots=True)
class Key:
    """A private key, and where its public half is published: `selector._domainkey.domain`."""

    domain: str
    selector: str
    private: PrivateKey

    @property
    def algorithm(self) -> Algorithm:
        return Algorithm.RSA if isinstance(self.private, RSAPrivateKey) else Algorithm.ED25519

    @property
    def name(self) -> str:
        """The name of the DNS record."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The text of the DNS record (RFC 6376 3.6.1, RFC 8463 4)."""
        return f"v=DKIM1; k={self.algorithm.partition('-')[0]}; p={_public(self.private)}"

    def signature(self, data: bytes) -> bytes:
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.private.sign(hashlib.sha256(data).digest())


def generate(algorithm: Algorithm) -> bytes:
    """Return a new private key in PEM (PKCS #8)."""
    private: PrivateKey
    if algorithm is Algorithm.RSA:
        private = generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    else:
        private = Ed25519PrivateKey.generate()
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load(pem: bytes) -> PrivateKey:
    """Return the key of a PEM text.

    :raises ValueError: none that signs here.
    """
    private = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(private, RSAPrivateKey | Ed25519PrivateKey):
        raise ValueError("a DKIM key is an RSA or an Ed25519 key")
    return private


def sign(message: bytes, keys: Sequence[Key], *, now: datetime, tail: bytes = b"") -> bytes:
    """Return the message with a DKIM-Signature of each key before it.

    :param message: RFC 5322 with CRLF line ends, as it goes over the wire.
    :param tail: what follows it there, in its own relaxed form; it is signed, and not returned.
    """
    head, _, body = message.partition(b"\r\n\r\n")
    fields = list(_fields(head + b"\r\n"))
    names, signed = _selected(fields)
    hashed = hashlib.sha256(_relaxed_lines(body) if tail else relaxed_body(body))
    hashed.update(tail)
    body_hash = base64.b64encode(hashed.digest())
    signatures = [_signature(key, names, signed, body_hash, now=now) for key in keys]
    return b"".join([*signatures, message])


def relaxed_body(body: bytes) -> bytes:
    """Return the body as it is hashed (RFC 6376 3.4.4)."""
    body = _relaxed_lines(body).removesuffix(b" ").rstrip(b"\r\n")
    return body + b"\r\n" if body else b""


def _relaxed_lines(body: bytes) -> bytes:
    body = body.translate(_TABS) if b"\t" in body else body
    while b"  " in body:  # halves each run of spaces; a regular expression takes ten times as long
        body = body.replace(b"  ", b" ")
    return body.replace(b" \r\n", b"\r\n")


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """Return a header field as it is hashed, with its line end (RFC 6376 3.4.2)."""
    value = _WHITESPACE.sub(b" ", _UNFOLD.sub(b"", value)).strip(b" \t\r\n")
    return b"%b:%b\r\n" % (name, value)


def _fields(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Return each field's name in lower case and its value, folds and all."""
    for field in re.split(rb"\r\n(?![ \t])", head)[:-1]:
        name, _, value = field.partition(b":")
        yield name.rstrip(b" \t").lower(), value


def _selected(fields: list[tuple[bytes, bytes]]) -> tuple[list[bytes], bytes]:
    """Return the names for h=, and the fields that they select, of each name the last one first."""
    names: list[bytes] = []
    signed: list[bytes] = []
    for wanted in _SIGNED:
        found = [value for name, value in fields if name == wanted]
        names += [wanted] * (len(found) + (wanted in _OVERSIGNED))
        signed += [relaxed_field(wanted, value) for value in reversed(found)]
    return names, b"".join(signed)


def _signature(
    key: Key, names: list[bytes], signed: bytes, body_hash: bytes, *, now: datetime
) -> bytes:
    tags = b"v=1; a=%b; c=relaxed/relaxed; d=%b;\r\n s=%b; t=%d;\r\n h=%b;\r\n bh=%b;\r\n b=" % (
        key.algorithm.encode(),
        key.domain.encode(),
        key.selector.encode(),
        int(now.timestamp()),
        _folded(names),
        body_hash,
    )
    data = signed + relaxed_field(b"dkim-signature", b" " + tags).removesuffix(b"\r\n")
    value = base64.b64encode(key.signature(data))
    lines = [value[start : start + _LINE] for start in range(0, len(value), _LINE)]
    return b"DKIM-Signature: %b\r\n %b\r\n" % (tags, b"\r\n ".join(lines))


def _folded(names: list[bytes]) -> bytes:
    """Return the names with colons between them, in lines."""
    lines, line = [], b""
    for name in names:
        if len(line) + len(name) > _LINE - 4:
            lines.append(line)
            line = b""
        line += name + b":"
    return b"\r\n ".join([*lines, line])[:-1]


def _public(private: PrivateKey) -> str:
    public = private.public_key()
    if isinstance(private, Ed25519PrivateKey):
        encoded = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    else:
        encoded = public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    return base64.b64encode(encoded).decode()
