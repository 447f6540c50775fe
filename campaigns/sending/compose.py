"""Messages as bytes (RFC 5322, RFC 2045, RFC 8058), without an object model in between.

What is the same for all recipients of a run is built once, as a skeleton; `email.message` would
take a millisecond for each message and encode long URLs as words, which hides Gmail's button.
"""

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from hashlib import blake2b

from campaigns.sending.attaching import Attached
from recipients.addresses import Mailbox, format_mailbox
from recipients.headers import BadHeader, clean_header, phrase, unstructured

_LINE = 76  # RFC 2047 2 for lines with encoded words; others should have 78 at most
_LONGEST_LINE = 998  # RFC 5322 2.1.1
_LONGEST_HEADER = 4 * 1024
_LONGEST_BLOCK = 16 * 1024  # Gmail refuses large header blocks with 552 5.3.4
_REMEMBERED = 2_000_000  # characters
_OVERHEAD = 100  # of a piece that is remembered
_PLAIN = re.compile(r"[ -\-/-<>-~][ -<>-~]*")  # written as it is, and no dot at the beginning
_LEADING_DOTS = re.compile(rb"^\.+", re.MULTILINE)
# With the blank at its end, which is encoded, `b2a_qp` makes such a line of 77.
_TOO_LONG = re.compile(rb"^(.{74})(=[02][09]\r)$", re.MULTILINE)
_BLANKS = (b" ", b"\t")
_LINE_ENDS = ("\n", "\r")
_ASCII = bytes(range(128))
_BASE64_FROM = 6  # one byte of so many is not ASCII: base64 is then shorter than quoted-printable

_DOT_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_ADDR_SPEC = re.compile(r"[^\s\x00-\x20\x7f\"(),:;<>@\[\\\]]+@[A-Za-z0-9.-]+")
_MESSAGE_ID = re.compile(rf"<{_DOT_ATOM}@{_DOT_ATOM}>")
_LIST_ID = re.compile(rf"{_DOT_ATOM}\.[A-Za-z0-9-]+")
# Visible ASCII but " < > and the comma, which parts two URIs (RFC 2369 2).
_URI = r"[!#-+\--;=?-~]+"
_URL = re.compile(f"https?://{_URI}")
_MAILTO = re.compile(f"mailto:{_URI}")
_FEEDBACK_ID = re.compile(r"(?:[!-9;-~]*:){3}[!-9;-~]{5,15}")


def message_id(token: str, domain: str) -> str:
    """Return the Message-ID of a delivery, with its angle brackets (RFC 5322 3.6.4)."""
    return f"<{token}@{domain}>"


def envelope_sender(token: str, domain: str) -> str:
    """Return the address to which the bounces of a delivery come back (VERP)."""
    return f"b-{token}@{domain}"


class Skeleton:
    """The message of a run, but for what differs between recipients.

    :param sender: who it is from; the one mailbox of From.
    :param list_name: the phrase of List-ID, for people; may be empty.
    :param list_id: its identifier, stable over campaigns: `local.domain` (RFC 2919 3). Empty: it
        goes to one person, by no list, and says that a program wrote it (RFC 3834 5).
    :param feedback_id: `campaign:list:type:sender`, the same for all recipients; the last part
        has 5 to 15 characters (Gmail's feedback loop).
    :raises BadHeader: one of them may not stand in a header.
    """

    def __init__(
        self,
        *,
        sender: Mailbox,
        reply_to: Mailbox | None,
        list_name: str = "",
        list_id: str = "",
        feedback_id: str = "",
    ) -> None:
        self._bodies = _Bodies()
        self._from = _header("From", format_mailbox(sender))
        self._reply_to = _header("Reply-To", format_mailbox(reply_to)) if reply_to else b""
        kind = (
            _of_list(list_name, list_id, feedback_id)
            if list_id
            else b"Auto-Submitted: auto-generated\r\n"
        )
        self._fixed = kind + b"X-Auto-Response-Suppress: OOF, AutoReply\r\nMIME-Version: 1.0\r\n"

    def message(
        self,
        *,
        to: str,
        subject: str,
        html: Sequence[str],
        text: Sequence[str],
        message_id: str,
        date: datetime,
        unsubscribe_url: str | None,
        unsubscribe_mailto: str | None,
        to_name: str = "",
        attached: Attached | None = None,
    ) -> bytes:
        """Return the whole message, CRLF line ends, 7-bit unless `to` is not ASCII (RFC 6532).

        No line begins with a dot.

        :param html: in pieces, each of which is encoded once; none for a message of text alone.
        :param date: the time of the attempt, aware.
        :param unsubscribe_url: answers GET with a page and POST at once (RFC 8058); None: there is
            nothing to leave.
        :param unsubscribe_mailto: a whole `mailto:` URI, or None.
        :param attached: files that the message has; its end, their `tail`, is left to the caller.
        :raises BadHeader: a value may not stand in its header, or the headers are too long.
        """
        identifier = _matching(_MESSAGE_ID, message_id, "Message-ID")
        content_type, body = self._bodies.content(text, html, identifier)
        if attached:
            content_type, body = attached.around(content_type, body)
        head = b"".join(
            [
                self._from,
                _to(to, to_name),
                self._reply_to,
                _header("Subject", unstructured(subject)),
                b"Date: %b\r\n" % _date(int(date.timestamp())),
                b"Message-ID: %b\r\n" % identifier.encode(),
                b""
                if unsubscribe_url is None
                else _unsubscribe(unsubscribe_url, unsubscribe_mailto),
                self._fixed,
                content_type,
            ]
        )
        if len(head) > _LONGEST_BLOCK:
            raise BadHeader(f"the headers have {len(head):,} bytes; {_LONGEST_BLOCK:,} at most")
        return head + b"\r\n" + body


def notice(
    *,
    sender: Mailbox,
    reply_to: Mailbox | None,
    to: str,
    subject: str,
    html: str,
    text: str,
    message_id: str,
    date: datetime,
) -> bytes:
    """Return a message of ours to one person, in the form that `Skeleton.message` has.

    It says that a program wrote it (RFC 3834 5), and belongs to no list: no List-Unsubscribe.

    :raises BadHeader: a value may not stand in its header.
    """
    identifier = _matching(_MESSAGE_ID, message_id, "Message-ID")
    content_type, body = _Bodies().content([text], [html], identifier)
    head = [
        _header("From", format_mailbox(sender)),
        _to(to, ""),
        _header("Reply-To", format_mailbox(reply_to)) if reply_to else b"",
        _header("Subject", unstructured(subject)),
        b"Date: %b\r\n" % _date(int(date.timestamp())),
        b"Message-ID: %b\r\n" % identifier.encode(),
        b"Auto-Submitted: auto-generated\r\n",
        b"MIME-Version: 1.0\r\n",
        content_type,
        b"\r\n",
        body,
    ]
    return b"".join(head)


def _to(address: str, name: str) -> bytes:
    addr_spec = clean_header(_matching(_ADDR_SPEC, address, "To"))
    return _header("To", f"{phrase(name)} <{addr_spec}>" if name else addr_spec)


def _unsubscribe(url: str, mailto: str | None) -> bytes:
    """Both URIs on one line and as they are: an encoded one is not recognised."""
    uris = [_matching(_URL, url, "List-Unsubscribe")]
    if mailto:
        uris.append(_matching(_MAILTO, mailto, "List-Unsubscribe"))
    line = "List-Unsubscribe: " + ", ".join(f"<{uri}>" for uri in uris)
    if len(line) > _LONGEST_LINE:
        raise BadHeader("List-Unsubscribe: the URLs are too long for one line")
    return line.encode() + b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


def _of_list(name: str, identifier: str, feedback_id: str) -> bytes:
    list_id = f"<{_matching(_LIST_ID, identifier, 'List-ID')}>"
    return b"".join(
        [
            _header("List-ID", f"{phrase(name)} {list_id}" if name else list_id),
            _header("Feedback-ID", _matching(_FEEDBACK_ID, feedback_id, "Feedback-ID")),
            b"Precedence: bulk\r\n",
        ]
    )


@lru_cache(maxsize=64)
def _date(timestamp: int) -> bytes:
    return format_datetime(datetime.fromtimestamp(timestamp, UTC)).encode()


def _matching(form: re.Pattern[str], value: str, name: str) -> str:
    if not form.fullmatch(value):
        raise BadHeader(f"{name}: {value[:80]!r} does not have the form that the header needs")
    return value


def _header(name: str, value: str) -> bytes:
    """Write a header, folded at its spaces."""
    line = f"{name}: {value}"
    if len(line) > _LINE:
        line = _fold(line)
    octets = line.encode() + b"\r\n"
    if len(octets) > _LONGEST_HEADER:
        raise BadHeader(f"{name}: {len(octets):,} bytes; {_LONGEST_HEADER:,} at most")
    return octets


def _fold(line: str) -> str:
    """Break at spaces, but never right after the name: old readers would keep the space."""
    name, first, *words = line.split(" ")
    lines, current = [], f"{name} {first}"
    for word in words:
        if len(current) + 1 + len(word) > _LINE and current.strip():
            lines.append(current)
            current = ""
        current += f" {word}"
    return "\r\n".join([*lines, current])


def _is_rather_base64(text: str) -> bool:
    octets = text.encode(errors="replace")
    return len(octets.translate(None, _ASCII)) * _BASE64_FROM > len(octets)


class _Bodies:
    """Encodes bodies to 7-bit, and remembers pieces: most are the same for all of a run."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}
        self._room = _REMEMBERED

    def content(
        self, text: Sequence[str], html: Sequence[str], identifier: str
    ) -> tuple[bytes, bytes]:
        """Return the Content-Type with all that follows it in the header, and the body."""
        if not (text and html):
            return self._part("html" if html else "plain", html or text)
        # "=_" is in no body: after "=" quoted-printable has a hexadecimal digit or a line end,
        # base64 "=" or a line end. The rest parts messages that are forwarded inside one another.
        boundary = b"=_" + blake2b(identifier.encode(), digest_size=12).hexdigest().encode()
        head = b'Content-Type: multipart/alternative;\r\n boundary="%b"\r\n' % boundary
        plain, rich = self._part("plain", text), self._part("html", html)
        body = b"--%b\r\n%b\r\n%b--%b\r\n%b\r\n%b--%b--\r\n"
        return head, body % (boundary, *plain, boundary, *rich, boundary)

    def _part(self, subtype: str, pieces: Sequence[str]) -> tuple[bytes, bytes]:
        text = "".join(pieces)
        if text.isascii() or not _is_rather_base64(text):
            known = self._known
            encoding = b"quoted-printable"
            body = b"".join([known.get(piece) or self._quoted(piece) for piece in pieces])
            if not text.endswith(_LINE_ENDS):
                body += b"\r\n"  # a body does not end in a soft line break
        else:
            octets = (text.removesuffix("\n") + "\n").encode(errors="replace")
            encoding, body = b"base64", encodebytes(_crlf(octets)).replace(b"\n", b"\r\n")
        head = b"Content-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: %b\r\n"
        return head % (subtype.encode(), encoding), body

    def _quoted(self, piece: str) -> bytes:
        """Encode a piece as lines of its own: a soft line break ends the last one (RFC 2045 6.7).

        A dot that begins a line is encoded: messages without one need not be stuffed (RFC 2049 3).
        """
        if len(piece) < _LINE and _PLAIN.fullmatch(piece):
            octets = piece.encode() + b"=\r\n"
        else:
            octets = _quoted_printable(piece)
            if octets.startswith(b".") or b"\n." in octets:
                octets = _LEADING_DOTS.sub(_encoded_dots, octets)
        self._room -= len(piece) + _OVERHEAD
        if self._room < 0:  # by what was one recipient's own, as a rule
            self._known.clear()
            self._room = _REMEMBERED
        self._known[piece] = octets
        return octets


def _encoded_dots(dots: re.Match[bytes]) -> bytes:
    """Each on a line of its own: what follows might be too long for theirs."""
    return b"=2E=\r\n" * len(dots[0])


def _quoted_printable(piece: str) -> bytes:
    *lines, rest = _crlf(piece.encode(errors="replace")).split(b"\r\n")
    encoded = [_quoted_line(line) for line in lines]
    if rest:
        # With the sign in the place of the soft line break there is room for that; and the space
        # before it is none at the end of a line.
        encoded.append(b2a_qp(rest + b"_\r\n", istext=True).removesuffix(b"_\r\n"))
        if not encoded[-1].endswith(b"=\r\n"):
            encoded.append(b"=\r\n")
    return b"".join(encoded)


def _quoted_line(line: bytes) -> bytes:
    encoded = b2a_qp(line + b"\r\n", istext=True)
    return _TOO_LONG.sub(rb"\1=\r\n\2", encoded) if line.endswith(_BLANKS) else encoded


def _crlf(octets: bytes) -> bytes:
    if b"\r" in octets:
        octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return octets.replace(b"\n", b"\r\n")
