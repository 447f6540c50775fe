"""Text that is fit to stand in a message header (RFC 5322, RFC 2047)."""

import re
from base64 import b64encode

from django.utils.translation import gettext as _

# C0, DEL, C1, the two Unicode line separators, bidi embeddings and isolates, lone surrogates.
# Python's own check knows CR and LF only, and writes U+000B, U+000C and U+001C to U+001E as
# line ends: "hi\x0bBcc: x@example.org" would become a header of its own.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
# 52 characters of base64 and 12 of frame: after "Reply-To: " still on a line of 76 (RFC 2047 2).
_WORD_BYTES = 39
_LONGEST_PLAIN_WORD = 400  # a line has 998 at most, and a quoted string may double it


class BadHeader(ValueError):
    """A value may not stand in a header; the text says why, for a person."""


def clean_header(value: str) -> str:
    """Return the value unchanged if it cannot break out of its header line.

    :raises BadHeader: it holds a control character, a line end or a bidi override (RFC 5322 2.2).
    """
    if value.isprintable():
        return value
    if found := _FORBIDDEN.search(value):
        raise BadHeader(
            _(
                "the character %(character)s at position %(position)s may not stand in a header;"
                " remove it"
            )
            % {"character": f"U+{ord(found[0]):04X}", "position": found.start() + 1}
        )
    return value


def encoded_words(text: str) -> str:
    """Encode text as base64 words of at most 75 characters, one space between (RFC 2047 2)."""
    words, chunk = [], b""
    for character in text:
        octets = character.encode()
        if len(chunk) + len(octets) > _WORD_BYTES:
            words.append(chunk)
            chunk = b""
        chunk += octets
    words.append(chunk)
    return " ".join(f"=?utf-8?b?{b64encode(word).decode()}?=" for word in words)


def unstructured(text: str) -> str:
    """Write a subject: as it is, or in encoded words where a reader would see something else.

    :raises BadHeader: see `clean_header`.
    """
    clean_header(text)
    if _is_plain(text) and "  " not in text and text == text.strip():
        return text
    return encoded_words(text)


def phrase(text: str) -> str:
    """Write a display name: atoms, a quoted string, or encoded words (RFC 5322 3.2.5).

    :raises BadHeader: see `clean_header`.
    """
    clean_header(text)
    if not _is_plain(text):
        return encoded_words(text)
    if _ATOMS.fullmatch(text) and text == " ".join(text.split()):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_plain(text: str) -> bool:
    if not text.isascii() or "=?" in text:
        return False
    return max(map(len, text.split(" "))) <= _LONGEST_PLAIN_WORD
