"""Read a message that came to an envelope sender: what it is, about whom, and why.

The kind is told first, from the strongest evidence to the weakest: the part of a feedback report,
the fields of a delivery status notification, then who writes and how. What proves nothing is
`Kind.UNKNOWN`; nothing here is a reason to believe who sent it, that is for the tokens to say.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256

from tracking.bounces import complaints, notices, replies, status
from tracking.bounces.addresses import addresses, is_system, message_ids, tokens
from tracking.bounces.mime import Headers, Part, headers, parse, split, words
from tracking.bounces.reports import Kind, Recipient, Report

_STATUS = {"message/delivery-status", "message/global-delivery-status"}
_ENCLOSED = {
    "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers",
    "text/rfc822", "message/global-headers",
}  # fmt: skip
_TEXTS = {"text/plain", "text/html"}
# Where a mail system notes to which address of ours the report came.
_ENVELOPE = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-rcpt-to", "to")
_OF_HEADER = {"message-id", "received", "from"}
_EMPTY = re.compile(r"\n[ \t]*\n")
_OF_MESSAGE = {"message-id", "list-unsubscribe", "to", "return-path", "from"}


def read(raw: bytes) -> Report:
    """Return what a message says about messages of ours; any bytes may come.

    At most a megabyte is read, 60 parts, 6 levels deep.
    """
    return _report(_Opened.of(parse(raw)))


@dataclass(frozen=True, slots=True)
class _Opened:
    """A message, sorted by what its parts are for."""

    top: Part
    feedback: Part | None
    status: str  # fields of RFC 3464
    notice: str  # for people
    returned: Headers  # of the message that came back
    has_enclosed: bool

    @classmethod
    def of(cls, parts: list[Part]) -> "_Opened":
        top, *rest = parts
        leaves = [part for part in rest if not part.is_inside]
        enclosed = [part for part in leaves if _is_enclosed(part)]
        texts = [p for p in leaves if p.content_type in _TEXTS and p not in enclosed]
        plain = [p for p in texts if p.content_type == "text/plain"]
        notice, behind = notices.cut("\n".join(p.text() for p in (plain or texts)[:3]))
        returned = [each for part in enclosed for each in split(part.octets()).headers]
        return cls(
            top=top,
            feedback=_first(leaves, {"message/feedback-report"}),
            status="\n\n".join(p.text() for p in leaves if p.content_type in _STATUS),
            notice=notice,
            returned=(*returned, *_headers_within(behind)),
            has_enclosed=bool(enclosed),
        )

    @property
    def subject(self) -> str:
        return words(self.top.first("subject"))

    def own(self) -> list[str]:
        """Return the addresses that are ours, or the reporting system's."""
        found = self.top.each("to", "delivered-to", "from", "return-path")
        return [each for value in found for each in addresses(value)]


def _report(opened: _Opened) -> Report:
    if opened.feedback is not None:
        return _feedback(opened, complaints.fields(opened.feedback))
    is_failure = _says_failure(opened)
    fields = opened.status or (opened.notice if is_failure else "")
    if told := status.recipients(fields, opened.notice):
        return _made(opened, _kind(told), told)
    if replies.says_away(opened.top):
        return _made(opened, Kind.AUTO_REPLY)
    if complaints.is_complaint(opened.top, opened.has_enclosed):
        return _feedback(opened, ())
    if is_failure:
        return _noticed(opened)
    return _made(opened, Kind.AUTO_REPLY if replies.is_automatic(opened.top) else Kind.UNKNOWN)


def _kind(told: list[Recipient]) -> Kind:
    actions = {each.action for each in told}
    if "failed" in actions:
        return Kind.BOUNCE
    return Kind.DELAY if "delayed" in actions else Kind.DELIVERED


def _feedback(opened: _Opened, fields: Headers) -> Report:
    kind = complaints.feedback_type(fields)
    who = complaints.complainants(fields, opened.returned)
    told = [Recipient(address=address, action="") for address in who]
    return _made(opened, complaints.kind(kind), told, feedback_type=kind, fields=fields)


def _says_failure(opened: _Opened) -> bool:
    """Return whether a mail system writes, or a message is about failure, in words alone."""
    top = opened.top
    sender = top.first("from")
    if is_system(sender) or sender.strip().endswith("<>") or top.first("x-failed-recipients"):
        return True
    if notices.is_failure(opened.subject):
        return True
    is_answer = replies.is_automatic(top) or top.first("return-path").strip() != "<>"
    return not is_answer and notices.is_final(opened.notice)


def _noticed(opened: _Opened) -> Report:
    if notices.is_late(opened.subject, opened.notice):
        return _made(opened, Kind.DELAY)
    failed = [each for v in opened.top.each("x-failed-recipients") for each in addresses(v)]
    told = notices.recipients(opened.notice, failed=failed, own=opened.own())
    return _made(opened, Kind.BOUNCE, told)


def _addressed(told: list[Recipient], returned: Headers) -> list[Recipient]:
    """Give the one recipient of whom no address is told that of the message that came back."""
    to = [each for name, value in returned if name == "to" for each in addresses(value)]
    if len(told) == len(to) == 1 and not told[0].address:
        return [replace(told[0], address=to[0])]
    return told


def _made(
    opened: _Opened,
    kind: Kind,
    recipients: list[Recipient] | None = None,
    *,
    feedback_type: str = "",
    fields: Headers = (),
) -> Report:
    returned = opened.returned
    of_message = [value for name, value in returned if name in _OF_MESSAGE or name[:2] == "x-"]
    ids = [value for name, value in (*returned, *fields) if name.endswith("message-id")]
    return Report(
        kind=kind,
        recipients=tuple(_addressed(recipients or [], returned)),
        tokens=tokens([*opened.top.each(*_ENVELOPE), opened.status, *of_message, *_values(fields)]),
        message_ids=message_ids([*ids, *opened.top.each("in-reply-to", "references")]),
        feedback_type=feedback_type,
        date=_date(opened.top.first("date")),
        identity=opened.top.first("message-id") or sha256(opened.top.body.strip()).hexdigest(),
    )


def _values(fields: Headers) -> list[str]:
    return [value for _, value in fields]


def _first(parts: list[Part], kinds: set[str]) -> Part | None:
    return next((part for part in parts if part.content_type in kinds), None)


def _is_enclosed(part: Part) -> bool:
    return part.content_type in _ENCLOSED


def _headers_within(text: str) -> Headers:
    """Return the header of a message that stands in a text, behind a line that announces it."""
    blocks = (headers(block) for block in _EMPTY.split(text, maxsplit=5)[:5])
    return next((found for found in blocks if _OF_HEADER & {name for name, _ in found}), ())


def _date(value: str) -> datetime | None:
    """Return when it was written, in UTC; None where that is no date (RFC 5322 3.3)."""
    try:
        found = parsedate_to_datetime(value[:100])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
