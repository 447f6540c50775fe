"""A message as it was caught, and what of it can be shown, however broken it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from functools import cached_property

_FOLD = re.compile(r"[\r\n]+[ \t]*")
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is neither the text nor the HTML; `number` counts all leaves from 0."""

    number: int
    name: str
    content_type: str
    content_id: str
    content: bytes


@dataclass(frozen=True)
class Caught:
    """One message with its envelope; nothing is parsed before somebody looks at it."""

    id: int
    at: datetime
    envelope_sender: str
    recipients: tuple[str, ...]
    data: bytes

    @cached_property
    def summary(self) -> dict[str, str]:
        """Return subject, from and to for a list; the envelope stands in for missing headers."""
        end = _END_OF_HEADER.search(self.data)
        header = BytesHeaderParser().parsebytes(self.data[: end.end() if end else None])
        found = {name.lower(): decoded(value) for name, value in reversed(list(header.raw_items()))}
        return {
            "subject": found.get("subject", ""),
            "from": found.get("from", "") or self.envelope_sender,
            "to": found.get("to", "") or ", ".join(self.recipients),
        }

    def matches(self, query: str) -> bool:
        """Whether each word occurs in subject, From, To or the envelope, in any case."""
        text = " ".join([*self.summary.values(), self.envelope_sender, *self.recipients]).lower()
        return all(word in text for word in query.lower().split())

    def headers(self) -> list[tuple[str, str]]:
        return [(name, decoded(value)) for name, value in self._parsed().raw_items()]

    def text(self) -> str | None:
        return self._body("text/plain")

    def html(self) -> str | None:
        return self._body("text/html")

    def raw(self) -> str:
        return self.data.decode("utf-8", "replace")

    def attachments(self) -> list[Attachment]:
        leaves = list(_leaves(self._parsed()))
        bodies = [_first(leaves, "text/plain"), _first(leaves, "text/html")]
        return [
            _attachment(number, leaf)
            for number, leaf in enumerate(leaves)
            if not any(leaf is body for body in bodies)
        ]

    def _body(self, content_type: str) -> str | None:
        leaf = _first(list(_leaves(self._parsed())), content_type)
        return None if leaf is None else text_of(_content(leaf), leaf.get_content_charset())

    def _parsed(self) -> Message:
        return message_from_bytes(self.data)


def decoded(value: object) -> str:
    """Return a header's value with its encoded words read (RFC 2047), as far as they can be."""
    raw = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    raw = _FOLD.sub(" ", raw).strip()
    try:
        chunks = decode_header(raw)
    except (HeaderParseError, ValueError):
        return raw
    return "".join(
        # decode_header writes what is not encoded in this codec of its own
        chunk if isinstance(chunk, str) else text_of(chunk, charset or "raw-unicode-escape")
        for chunk, charset in chunks
    )


def text_of(content: bytes, charset: str | None) -> str:
    """Return bytes as text that can be written anywhere, whatever their charset is said to be."""
    try:
        text = content.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        text = content.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode()


def _leaves(part: Message) -> Iterator[Message]:
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        for inner in part.get_payload():
            if isinstance(inner, Message):
                yield from _leaves(inner)
    else:
        yield part


def _first(leaves: list[Message], content_type: str) -> Message | None:
    """Return the leaf that is the body of this type: the first that is no attachment."""
    return next(
        (
            leaf
            for leaf in leaves
            if leaf.get_content_type() == content_type
            and leaf.get_content_disposition() != "attachment"
        ),
        None,
    )


def _content(leaf: Message) -> bytes:
    content = leaf.get_payload(decode=True)
    return content if isinstance(content, bytes) else leaf.as_bytes()


def _attachment(number: int, leaf: Message) -> Attachment:
    return Attachment(
        number=number,
        name=decoded(leaf.get_filename() or f"part-{number}"),
        content_type=leaf.get_content_type(),
        content_id=(leaf.get("Content-ID") or "").strip("<> \t\r\n"),
        content=_content(leaf),
    )
