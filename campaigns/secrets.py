"""Credentials at rest: encrypted with keys made from SECRET_KEY (and its fallbacks)."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.encoding import force_bytes
from django.utils.translation import gettext as _

from campaigns import reasons


class Undecipherable(Exception):
    """The text was encrypted with a SECRET_KEY that this installation does not have any more."""


def encrypt(text: str) -> str:
    return _box().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Return the text that `encrypt` was given.

    :raises Undecipherable: where neither SECRET_KEY nor a fallback made the token.
    """
    try:
        return _box().decrypt(token.encode()).decode()
    except InvalidToken:
        message = _(reasons.OTHER_SECRET)
        raise Undecipherable(message) from None


def renew(token: str) -> str:
    """Return the token as SECRET_KEY makes it, of the same moment; the same one where it did.

    :raises Undecipherable: where neither SECRET_KEY nor a fallback made the token.
    """
    try:
        _fernet(settings.SECRET_KEY).decrypt(token.encode())
    except InvalidToken:
        return _renew(token)
    return token


def _renew(token: str) -> str:
    try:
        return _box().rotate(token.encode()).decode()
    except InvalidToken:
        message = _(reasons.OTHER_SECRET)
        raise Undecipherable(message) from None


def _box() -> MultiFernet:
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([_fernet(secret) for secret in secrets])


def _fernet(secret: str | bytes) -> Fernet:
    return Fernet(_key(secret))


def _key(secret: str | bytes) -> bytes:
    # The secret is long and random, so that one hash is enough; the prefix keeps uses apart.
    digest = hashlib.sha256(b"godwit.credentials:" + force_bytes(secret)).digest()
    return base64.urlsafe_b64encode(digest)
