"""Take any bytes apart as a message (RFC 5322, RFC 2045-2047), with limits, and never give up.

Reports of failure are the worst mail there is: headers cut short, boundaries that nobody declared,
charsets that do not exist. Each function here returns what can be made out, in linear time.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

LIMIT = 1 << 20  # bytes of a message; what is beyond is not read
_DEPTH = 6
_PARTS = 60
_HEADERS = 500
_VALUE = 4_000  # characters of one header
_TEXT = 64_000  # characters of one text

_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]*:(.*)", re.DOTALL)
_TYPE = re.compile(r"[ \t]{0,9}[\w.+-]{1,60}/[\w.+-]{1,60}")
_PARAMETER = re.compile(
    r"[; \t][ \t]{0,20}([\w-]{1,40})\*?[ \t]{0,20}=[ \t]{0,20}(\"[^\"]{0,200}\"|[^\s;\"]{1,200})"
)
_CHARSET = re.compile(
    r"(?:utf|iso|us-ascii|ascii|latin|windows|cp|koi8|gb|big5|shift|sjis|euc|ks_c|tis|mac)[\w-]{0,30}",
    re.IGNORECASE,
)
_GUESSED_BOUNDARY = re.compile(
    rb"^--([^\n]{1,100}?)[ \t]*\n(?=content-)", re.MULTILINE | re.IGNORECASE
)
_WORD = re.compile(
    r"=\?([\w-]{1,40})(?:\*[\w-]{0,20})?\?([bq])\?([^?\n]{0,1000})\?=[ \t]{0,9}", re.IGNORECASE
)
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_BREAKS = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li|t[dh]|/?h\d|/?table)\b", re.IGNORECASE)

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a message that is no container, or a message that is inside of another.

    :param headers: names in lower case and unfolded values, in their order
    """

    headers: Headers
    body: bytes
    is_inside: bool = False  # of a message that the message encloses

    def first(self, name: str) -> str:
        """Return the first header of the name, or nothing."""
        return next((value for key, value in self.headers if key == name), "")

    def each(self, *names: str) -> list[str]:
        return [value for key, value in self.headers if key in names]

    @property
    def content_type(self) -> str:
        found = _TYPE.match(self.first("content-type"))
        return found[0].strip().lower() if found else "text/plain"

    def parameter(self, name: str) -> str:
        """Return a parameter of Content-Type (RFC 2045 5.1), or nothing."""
        found = _PARAMETER.finditer(self.first("content-type"))
        return next((m[2].strip('"') for m in found if m[1].lower() == name), "")

    def text(self) -> str:
        """Return the body as text, at most 64,000 characters: decoded, and of HTML without tags."""
        text = decode(self.octets(), self.parameter("charset"))
        return (plain(text) if self.content_type == "text/html" else text)[:_TEXT]

    def octets(self) -> bytes:
        """Return the body without its transfer encoding."""
        encoding = self.first("content-transfer-encoding").strip().lower()
        if encoding == "base64":
            return base64(self.body)
        return binascii.a2b_qp(self.body) if encoding == "quoted-printable" else self.body


def parse(raw: bytes) -> list[Part]:
    """Return the message itself and then its parts, in the order in which they stand.

    The first has the headers of the message, and its whole body. Containers are left out, and what
    an enclosed message encloses is marked `is_inside`; the enclosed message itself is not.
    """
    raw = raw[:LIMIT].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    top = split(raw)
    found = [top]
    for part in _leaves(top, 0):
        if len(found) > _PARTS:
            break
        found.append(part)
    return found


def split(raw: bytes) -> Part:
    """Return headers and body of a message, or of a part of one, whose lines end in LF."""
    if raw.startswith(b"From "):  # of a file of messages
        raw = raw.partition(b"\n")[2]
    if raw.startswith(b"\n"):
        return Part((), raw[1:])
    head, _, body = raw.partition(b"\n\n")
    return Part(headers(decode(head[: _HEADERS * _VALUE], "")), body)


def headers(text: str) -> Headers:
    """Return the fields of a header, unfolded; lines that are no field are passed over."""
    found: list[tuple[str, list[str]]] = []
    for line in text.split("\n"):
        if line.startswith((" ", "\t")) and found:
            found[-1][1].append(line.strip())
        elif field := _FIELD.match(line):
            found.append((field[1].lower(), [field[2].strip()]))
        if len(found) > _HEADERS:
            break
    return tuple((name, " ".join(lines)[:_VALUE]) for name, lines in found)


def _leaves(part: Part, depth: int, *, is_inside: bool = False) -> Iterator[Part]:
    kind = part.content_type
    if depth < _DEPTH and kind.startswith("multipart/"):
        pieces = _pieces(part)
        for piece in pieces:
            yield from _leaves(split(piece), depth + 1, is_inside=is_inside)
        # Whose parts cannot be told from each other is read as one text.
        if not pieces:
            yield Part((), part.body, is_inside)
        return
    yield Part(part.headers, part.body, is_inside)
    if depth < _DEPTH and kind in {"message/rfc822", "message/global"}:
        yield from _leaves(split(part.octets()), depth + 1, is_inside=True)


def _pieces(part: Part) -> list[bytes]:
    boundary = part.parameter("boundary").encode("latin-1", "replace")
    pieces = _cut(part.body, boundary) if boundary else []
    if not pieces and (guessed := _GUESSED_BOUNDARY.search(part.body)):
        return _cut(part.body, guessed[1])
    return pieces


def _cut(body: bytes, boundary: bytes) -> list[bytes]:
    limit = re.compile(rb"^--" + re.escape(boundary) + rb"(?:--)?[ \t]*(?:\n|\Z)", re.MULTILINE)
    pieces = limit.split(body, maxsplit=_PARTS)
    return [piece for piece in pieces[1:] if piece.strip()]


def base64(octets: bytes) -> bytes:
    """Decode what can be decoded: without padding, and with what does not belong in it."""
    kept = _NO_BASE64.sub(b"", octets)
    return binascii.a2b_base64(kept[: len(kept) // 4 * 4] + _tail(kept))


def _tail(kept: bytes) -> bytes:
    rest = kept[len(kept) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


def decode(octets: bytes, charset: str) -> str:
    """Return text in the charset that is declared, else in UTF-8 or Latin-1."""
    octets = octets[: 4 * _TEXT]
    if _CHARSET.fullmatch(charset):
        try:
            return octets.decode(charset, "replace")
        except LookupError:
            pass  # a name that Python does not know: as if none were declared
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def plain(html: str) -> str:
    """Return the text of HTML, with line breaks where blocks begin and end."""
    first, *rest = _BREAKS.sub(r"\n\g<0>", html[: 4 * _TEXT]).split("<")
    return unescape(first + "".join(piece.partition(">")[2] for piece in rest))


def words(value: str) -> str:
    """Return a header's value with its encoded words decoded (RFC 2047)."""
    return _WORD.sub(_word, value[:_VALUE])


def _word(found: re.Match[str]) -> str:
    content = found[3].encode("latin-1", "replace")
    if found[2] in "bB":
        return decode(base64(content), found[1])
    return decode(binascii.a2b_qp(content, header=True), found[1])
