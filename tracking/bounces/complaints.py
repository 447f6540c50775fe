"""Read reports of abuse: RFC 5965, and those that providers sent before it."""

import re
from collections.abc import Iterable

from tracking.bounces.addresses import addresses, tokens
from tracking.bounces.mime import Headers, Part, headers
from tracking.bounces.reports import Kind

# RFC 6650 5.3 asks to act on these two; a report that names no type comes from such a loop as well.
_KINDS = {
    "abuse": Kind.COMPLAINT,
    "fraud": Kind.COMPLAINT,
    "": Kind.COMPLAINT,
    "opt-out": Kind.OPT_OUT,
    "opt-out-list": Kind.OPT_OUT,
}
_SENDER = re.compile(
    r"staff@(?:hotmail|outlook)\.|feedback-?loop|\bfbl\b|\babuse[\w-]{0,20}@|complaints?@|spam-?report",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"complaint about (?:a )?message|(?:abuse|spam) (?:report|complaint)|feedback loop|\bfbl\b",
    re.IGNORECASE,
)
_RECIPIENTS = {"original-rcpt-to", "removal-recipient", "redacted-address"}


def fields(report: Part) -> Headers:
    """Return the fields of the part of type message/feedback-report."""
    return headers(report.text().replace("\n\n", "\n"))


def feedback_type(found: Headers) -> str:
    value = next((value for name, value in found if name == "feedback-type"), "")
    return value.partition("(")[0].strip().lower()[:40]


def kind(feedback_type: str) -> Kind:
    return _KINDS.get(feedback_type, Kind.FEEDBACK)


def is_complaint(top: Part, has_enclosed: bool) -> bool:
    """Return whether it is a report without that part: a whole message, sent on by a provider."""
    return has_enclosed and bool(
        _SENDER.search(top.first("from")) or _SUBJECT.search(top.first("subject"))
    )


def complainants(report: Headers, returned: Iterable[tuple[str, str]]) -> list[str]:
    """Return who complains: as the report tells, else to whom the message was written."""
    told = [value for name, value in report if name in _RECIPIENTS]
    written = [value for name, value in returned if name == "x-hmxmroriginalrecipient"]
    written = written or [value for name, value in returned if name == "to"]
    found = [each for value in told or written for each in addresses(value)]
    return [address for address in dict.fromkeys(found) if not tokens([address])]
