"""Read an event that was stored: a fact about a message, or why it is none. No database."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tracking.bounces.classifying import classify
from tracking.bounces.classifying import codes as codes_in
from tracking.models import Category, EventKind
from tracking.webhooks.verdicts import codes, dig, verdict

# They say from where somebody looked at a message, and nothing that is used.
REACTIONS = frozenset({"opened", "clicked"})

_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_LONGEST = 2_000  # characters of a server's answer

# By Anymail's words. What a provider took and does not send after all came back, too: it was not
# refused while it was handed over.
_KINDS = {
    "bounced": EventKind.BOUNCED,
    "rejected": EventKind.BOUNCED,
    "failed": EventKind.BOUNCED,
    "deferred": EventKind.DELAYED,
    "delivered": EventKind.DELIVERED,
    "complained": EventKind.COMPLAINED,
    "unsubscribed": EventKind.UNSUBSCRIBED,
}

_IGNORED = {
    "opened": "opens are measured by Godwit itself",
    "clicked": "clicks are measured by Godwit itself",
    "autoresponded": "an automatic reply is no bounce",
    "queued": "the provider has it, as Godwit knows already",
    "sent": "the provider has it, as Godwit knows already",
    "subscribed": "subscriptions are made by Godwit's own forms alone",
}

# What a provider calls it, where Anymail does not know its word. Brevo says "unsubscribe" of its
# campaigns, and this of single messages.
_UNKNOWN_TO_ANYMAIL = {("brevo", "unsubscribed"): EventKind.UNSUBSCRIBED}

# Feedback that is no complaint of a person (RFC 5965 7.3, RFC 6591, RFC 6430).
_NO_COMPLAINT = frozenset({"auth-failure", "dmarc", "not-spam", "virus"})

# Anymail's word `complained` for what is none: a refusal by a filter.
_REFUSED_BY_FILTER = {("postmark", "SpamNotification")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an event says about a message."""

    kind: EventKind
    at: datetime
    category: Category | None = None
    is_hard: bool = False
    reply_code: int | None = None
    enhanced_status_code: str = ""
    diagnostic: str = ""


class Ignored(str):
    """Why an event says nothing that concerns us."""

    __slots__ = ()


def read(
    provider: str, event_type: str, payload: dict[str, Any], *, received_at: datetime
) -> Said | Ignored:
    """Return what an event says, or why it is ignored; the payload is that of a WebhookEvent."""
    raw = payload.get("raw")
    kind = _kind(provider, event_type, raw)
    if kind is None:
        return Ignored(
            _IGNORED.get(event_type, "not an event that concerns a message that was sent")
        )
    if kind == EventKind.COMPLAINED and (no_complaint := _no_complaint(raw)):
        return Ignored(f"feedback of the type {no_complaint} is no complaint")
    at = _time(payload.get("timestamp"), received_at)
    if kind not in {EventKind.BOUNCED, EventKind.DELAYED}:
        return Said(kind=kind, at=at, diagnostic=_text(payload, "description")[:_LONGEST])
    return _failure(provider, kind, payload, at)


def _kind(provider: str, event_type: str, raw: Any) -> EventKind | None:
    if (provider, dig(raw, "Type")) in _REFUSED_BY_FILTER:
        return EventKind.BOUNCED
    if dig(raw, "complaint", "complaintSubType"):  # Amazon did not send it: of an earlier complaint
        return EventKind.BOUNCED
    return _KINDS.get(event_type) or _UNKNOWN_TO_ANYMAIL.get((provider, dig(raw, "event")))


def _no_complaint(raw: Any) -> str:
    told = {
        dig(raw, "complaint", "complaintFeedbackType"),  # Amazon
        dig(raw, "msys", "message_event", "fbtype"),  # SparkPost
    }
    return next(iter(told & _NO_COMPLAINT), "")


def _failure(provider: str, kind: EventKind, payload: dict[str, Any], at: datetime) -> Said:
    raw = payload.get("raw")
    text = _answer(payload)
    reply, enhanced = codes(provider, raw)
    found = codes_in(text)
    reply_code = _reply_code(reply) or found.reply_code
    code = enhanced if _CODE.fullmatch(enhanced) else found.enhanced
    category, is_hard = classify(reply_code, code, text)
    if told := verdict(provider, raw):
        category, is_hard = told.weighed(category)
    return Said(
        kind=kind,
        at=at,
        category=category,
        is_hard=is_hard and kind == EventKind.BOUNCED,
        reply_code=reply_code,
        enhanced_status_code=code,
        diagnostic=text[:_LONGEST],
    )


def _answer(payload: dict[str, Any]) -> str:
    """Return what the receiving server answered; without it, the provider's description."""
    raw = payload.get("raw")
    told = _text(payload, "mta_response") or dig(raw, "comment") or dig(raw, "reason")
    return (told or _text(payload, "description")).strip()


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    return value if isinstance(value, str) else ""


def _reply_code(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[2-5]\d\d", text) else None


def _time(text: Any, received_at: datetime) -> datetime:
    """Return when it happened: not after we were told of it, whatever the provider's clock says."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return received_at
    return min(at if at.tzinfo else at.replace(tzinfo=UTC), received_at)
