"""Which message of ours another message is about: what our signature says, and nothing else.

An address alone names nobody: anybody could write a bounce about anybody. Who has the token of a
message got that message, or had it shown by who got it, and speaks of that one alone.
"""

import re
from typing import NamedTuple

from tracking.bounces import Report
from tracking.links import key_ring
from tracking.tokens import Kind, read_any

_VERP = re.compile(r"\bb-([0-9a-f]{40})@", re.IGNORECASE)
_TOKEN = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)
_ENVELOPE = {Kind.BOUNCE: False, Kind.NOTICE_BOUNCE: True}
# One of them survives where a mail system redacts the others.
_ANYWHERE = {
    **_ENVELOPE,
    Kind.MESSAGE: False,
    Kind.NOTICE_MESSAGE: True,
    Kind.UNSUBSCRIBE: False,
}


class Forged(Exception):
    """It came to an envelope sender like ours that is none."""


class Named(NamedTuple):
    """A message of ours."""

    id: int  # of a delivery; NOBODY for a test
    is_notice: bool  # then of a recipients.Notice


def named(report: Report, *, recipient: str) -> Named | None:
    """Return what a report is about; None: it does not prove anything.

    :param recipient: of the report's envelope, where it is known; its token goes before all others
    :raises Forged:
    """
    if verp := _VERP.search(recipient):
        found = _read(verp[1], _ENVELOPE)
        if found is None:
            raise Forged
        return found
    ids = [token for each in report.message_ids for token in _TOKEN.findall(each)]
    signed = (_read(token, _ANYWHERE) for token in (*report.tokens, *ids))
    return next((found for found in signed if found), None)


def _read(token: str, kinds: dict[Kind, bool]) -> Named | None:
    found = read_any(token, kinds=kinds, ring=key_ring())
    return Named(found[1], kinds[found[0]]) if found else None
