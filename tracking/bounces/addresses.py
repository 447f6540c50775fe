"""Find addresses, tokens and Message-IDs in what mail systems write."""

import re
from collections.abc import Iterable

_ADDRESS = re.compile(
    r"(?<![^\s<>()\[\],;:\"'=|])"
    r"([^\s<>()\[\],;:\"'=|@\\][^\s<>()\[\],;:\"|@\\]{0,63}@(?=[^\s@]{0,253}\.)[\w-][\w.-]{0,252}\w)"
)
_SYSTEM = re.compile(
    r"(?:mailer|mail|post|delivery)[-_. ]?(?:daemon|master|system)\b", re.IGNORECASE
)
_TOKEN = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{40}(?![0-9A-Za-z])")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,500}>")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_UTF8_XTEXT = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
_ENCAPSULATED = re.compile(r"IMCEA([A-Z0-9]{1,20})-([^@]{1,300})@", re.IGNORECASE)
_MOST = 50


def addresses(text: str) -> list[str]:
    """Return the addresses in a text, each once, in their order."""
    found = (m[1] for m in _ADDRESS.finditer(text))
    return list(dict.fromkeys(found))[:_MOST]


def tokens(texts: Iterable[str]) -> tuple[str, ...]:
    """Return what has the form of our tokens, in lower case: mail systems fold local parts."""
    found = (m[0].lower() for text in texts for m in _TOKEN.finditer(text))
    return tuple(dict.fromkeys(found))[:_MOST]


def message_ids(texts: Iterable[str]) -> tuple[str, ...]:
    found = (m[0] for text in texts for m in _MESSAGE_ID.finditer(text))
    return tuple(dict.fromkeys(found))[:_MOST]


def is_system(address: str) -> bool:
    """Return whether it is a mail system that writes, not a person."""
    return bool(_SYSTEM.search(address))


def typed(value: str) -> str:
    """Return the address of a field like `rfc822; a@b.example` (RFC 3464 2.3, RFC 6533 3).

    Undone are the encodings of RFC 3461 4 (xtext) and RFC 6533, and Exchange's encapsulation.
    Nothing where there is no address of the Internet: X.400, X.500 and the like.
    """
    kind, has_kind, address = value.partition(";")
    address = (address if has_kind else kind).strip().strip("<>\"'")[:1000]
    if encapsulated := _ENCAPSULATED.match(address):
        address = _unescaped(encapsulated[2]) if encapsulated[1].upper() == "SMTP" else ""
    address = _UTF8_XTEXT.sub(_character, address)
    found = addresses(address)
    return found[0] if found else ""


def unescaped(value: str) -> str:
    """Return xtext (RFC 3461 4) as it was before, where it cannot be read otherwise."""
    return _unescaped(value) if "@" not in value else value


def _unescaped(value: str) -> str:
    return _XTEXT.sub(lambda found: chr(int(found[1], 16)), value)


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else found[0]
