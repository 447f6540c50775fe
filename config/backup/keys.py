"""The keys without which a database is not worth much. They are never in a backup.

A backup has eight hexadecimal digits of each: enough to see whether the one that is there now is
the same, and too few to prove to somebody who guesses that they have guessed it.
"""

import hmac

from django.conf import settings

WITHOUT = {
    "ADDRESS_KEY": "who was erased is not recognised any more, and may be mailed again",
    "SECRET_KEY": "credentials of transports, DKIM keys and second factors cannot be read",
    "TOKEN_KEYS": "unsubscribe links in messages that were sent lead nowhere",
}


def now() -> dict[str, list[str]]:
    """Return by what the present keys are recognised."""
    present = {
        "ADDRESS_KEY": [settings.ADDRESS_KEY],
        "SECRET_KEY": [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS],
        "TOKEN_KEYS": list(settings.TOKEN_KEYS),
    }
    return {name: [_mark(name, key) for key in keys] for name, keys in present.items()}


def missing(saved: dict[str, list[str]]) -> list[str]:
    """Return the names of the keys that a backup was made with, and that are not here now."""
    here = now()
    return [name for name, marks in saved.items() if not set(marks) <= set(here.get(name, []))]


def _mark(name: str, key: str) -> str:
    return hmac.digest(key.encode(), f"godwit backup {name}".encode(), "sha256").hex()[:8]
