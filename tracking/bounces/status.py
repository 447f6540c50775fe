"""Read the fields of a delivery status notification (RFC 3464 2.3, RFC 6533 3)."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from tracking.bounces.addresses import typed, unescaped
from tracking.bounces.classifying import classify, codes
from tracking.bounces.mime import headers
from tracking.bounces.reports import Recipient
from tracking.bounces.sections import DIAGNOSTIC, diagnostic, sections
from tracking.models import Category

_MOST = 100  # recipients
_OF_RECIPIENT = {"final-recipient", "original-recipient"}
_SAYS = {"action", "status", "diagnostic-code"}
_TYPE = re.compile(r"\s*[\w-]{1,30}\s*;\s*")
_CODE = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
_ACTIONS = {"failed", "delayed", "delivered", "relayed", "expanded"}

_Fields = dict[str, str]


def recipients(text: str, notice: str) -> list[Recipient]:
    """Return what the text says about each recipient.

    :param text: groups of fields with an empty line between them; other lines may stand around
    :param notice: what people are told; it counts for those whom the fields give no diagnostic
    """
    groups = list(islice(_groups(text), _MOST))
    told = [_recipient(group) for group in groups]
    said = sections(notice, [each.address for each in told if each.address])
    alone = notice if len(told) == 1 else ""
    return [_judged(who, group, said, alone) for who, group in zip(told, groups, strict=True)]


def _groups(text: str) -> Iterator[_Fields]:
    """Return the groups about recipients; some systems leave the line between them out."""
    for block in re.split(r"\n[ \t]*\n", text):
        group: _Fields = {}
        for name, value in headers(block):
            if name in _OF_RECIPIENT and name in group:
                yield group
                group = {}
            group.setdefault(name, value)
        if group.keys() & _OF_RECIPIENT and group.keys() & _SAYS:
            yield group


def _recipient(fields: _Fields) -> Recipient:
    status = fields.get("status", "")
    return Recipient(
        address=typed(fields.get("final-recipient", "")),
        original=typed(unescaped(fields.get("original-recipient", ""))),
        action=_action(fields, status),
        status=_first(status),
        diagnostic=_TYPE.sub("", fields.get("diagnostic-code", ""), count=1).strip()[:DIAGNOSTIC],
    )


def _judged(who: Recipient, fields: _Fields, said: dict[str, str], alone: str) -> Recipient:
    """Return the recipient with why: by the diagnostic, else by the notice, else by the status."""
    section = said.get(who.address.lower()) or alone
    text = who.diagnostic or diagnostic(section)
    category, is_hard = classify(
        None, who.status, text or fields.get("status", ""), is_derived=bool(text)
    )
    if category == Category.UNKNOWN:
        category, _ = classify(None, who.status, section)
    if category == Category.TRANSIENT and who.status.startswith("4") and who.action == "failed":
        category = Category.EXPIRED  # given up
    found = codes(text)
    return replace(
        who,
        reply_code=found.reply_code,
        status=found.enhanced or who.status,
        diagnostic=text,
        category=category,
        is_hard=is_hard and who.action == "failed",
    )


def _action(fields: _Fields, status: str) -> str:
    action = fields.get("action", "").strip().lower().partition(" ")[0].rstrip(";,.")
    if action in _ACTIONS:
        return action
    return "delivered" if _first(status).startswith("2") else "failed"


def _first(status: str) -> str:
    found = _CODE.search(status)
    return found[0] if found else ""
