"""The keys that sign a sender's messages."""

from functools import lru_cache

from django.utils.translation import gettext as _

from campaigns import reasons, secrets
from campaigns.models import DKIMKey
from campaigns.sending.dkim import Algorithm, Key, PrivateKey, load


class NoKey(Exception):
    """A sender's messages are to be signed, and cannot be; the text says what is missing."""


def keys_of(domain: str) -> list[Key]:
    """Return the active keys of a domain: one of RSA, and one of Ed25519 if there is one.

    :raises NoKey: no RSA key is active (not every receiver knows Ed25519), or one cannot be read.
    """
    found: dict[str, Key] = {}
    for row in DKIMKey.objects.signing_for(domain):
        try:
            found[row.algorithm] = Key(row.domain, row.selector, _private(row.encrypted_key))
        except secrets.Undecipherable as error:
            raise NoKey(_(reasons.BAD_KEY) % {"key": row, "error": error}) from None
    if Algorithm.RSA not in found:
        raise NoKey(_(reasons.NO_KEY) % {"domain": domain})
    return list(found.values())


@lru_cache(maxsize=64)
def _private(encrypted: str) -> PrivateKey:
    return load(secrets.decrypt(encrypted).encode())
