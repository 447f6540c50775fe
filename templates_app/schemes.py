"""What an address leads to, by its beginning, as a browser reads it."""

import re

_SCHEME = re.compile(r"[^/?#]*?:")
_GOOD_SCHEME = re.compile(r"(?:https?|mailto|tel|sms|cid):", re.IGNORECASE)
_SPACE = re.compile(r"[\x00-\x20]+")


def is_program(address: str) -> bool:
    """Whether an address, or the beginning of one, names anything but a page, a mail or a phone."""
    address = _SPACE.sub("", address)
    return bool(_SCHEME.match(address)) and not _GOOD_SCHEME.match(address)


def has_good_scheme(address: str) -> bool:
    return bool(_GOOD_SCHEME.match(address.strip()))
