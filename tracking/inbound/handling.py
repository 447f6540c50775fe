"""Read what came in, and note what it says about messages of ours."""

import logging
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, transaction

from recipients import locks
from recipients.models import Notice
from tracking import suppressing
from tracking.bounces import Kind, Recipient, Report, read
from tracking.feedback import Fact, note
from tracking.inbound.naming import Forged, named
from tracking.models import Delivery, EventKind, EventSource, InboundMessage, InboundStatus
from tracking.tokens import NOBODY

logger = logging.getLogger(__name__)

_KINDS: Mapping[Kind, EventKind] = {
    Kind.BOUNCE: EventKind.BOUNCED,
    Kind.DELAY: EventKind.DELAYED,
    Kind.DELIVERED: EventKind.DELIVERED,
    Kind.COMPLAINT: EventKind.COMPLAINED,
    Kind.OPT_OUT: EventKind.UNSUBSCRIBED,
}
# RFC 3464 2.3.3, of the one recipient that is ours.
_ACTIONS: Mapping[str, EventKind] = {
    "delayed": EventKind.DELAYED,
    "delivered": EventKind.DELIVERED,
    "relayed": EventKind.DELIVERED,
    "expanded": EventKind.DELIVERED,
}


class _Verdict(NamedTuple):
    status: InboundStatus
    explanation: str
    delivery: Delivery | None = None


def handle_new(*, now: datetime, at_most: int | None = None) -> int:
    """Handle what has come in and nobody works on; return how many messages that were.

    Each is a transaction of its own, and a fault in one keeps no other from its turn.

    :param at_most: so many; None: all of them
    """
    count, after = 0, 0
    while count != at_most and (last := _handle_next(after, now)):
        count, after = count + 1, last
    return count


@transaction.atomic
def _handle_next(after: int, now: datetime) -> int | None:
    """Handle the next message after this one; return which it was."""
    # First: whoever erases a person holds this lock, and waits for the rows of these messages.
    locks.write_addresses()
    waiting = InboundMessage.objects.new().filter(pk__gt=after).order_by("pk")
    message = waiting.select_for_update(skip_locked=True).first()
    if message is None:
        return None
    verdict = _safely_judged(message, now)
    message.status, message.handled_at = verdict.status, now
    message.explanation, message.delivery = verdict.explanation[:300], verdict.delivery
    written = ["status", "handled_at", "explanation", "delivery"]
    if verdict.delivery and not verdict.delivery.address:  # about who was erased meanwhile
        message.raw = None
        written.append("raw")
    message.save(update_fields=written)
    return message.pk


def _safely_judged(message: InboundMessage, now: datetime) -> _Verdict:
    try:
        with transaction.atomic():
            return _judged(message, now)
    except (OperationalError, InterfaceError):
        raise  # the database's trouble and not the message's: another time
    except Exception as error:
        logger.exception("inbound message %s cannot be handled", message.pk)
        return _quarantined(f"A fault of Godwit's, which is in the log: {type(error).__name__}.")


def _judged(message: InboundMessage, now: datetime) -> _Verdict:
    report = read(bytes(message.raw or b""))
    if report.kind == Kind.AUTO_REPLY:
        return _ignored("An automatic reply.")
    if report.kind == Kind.FEEDBACK:
        return _ignored(f"Feedback that is no complaint: {report.feedback_type}.")
    try:
        found = named(report, recipient=message.recipient)
    except Forged:
        return _quarantined("Forged, or of keys that are gone: we did not sign where it came to.")
    if found is None and report.kind == Kind.UNKNOWN:
        return _ignored("Neither a bounce nor a complaint.")
    if found is None:
        return _quarantined("It does not prove which message of ours it is about.")
    if report.kind == Kind.UNKNOWN:
        return _quarantined("About a message of ours; what it says cannot be made out.")
    if found.id == NOBODY:
        return _ignored("About a test.")
    if found.is_notice:
        return _about_notice(report, found.id, now)
    return _about_delivery(report, found.id, message, now)


def _about_delivery(
    report: Report, delivery_id: int, message: InboundMessage, now: datetime
) -> _Verdict:
    delivery = Delivery.objects.filter(pk=delivery_id).first()
    if delivery is None:
        return _ignored("About a delivery that is not there any more.")
    fact = _fact(report, delivery, message)
    note(delivery, fact, now=now)
    why = f": {fact.category.label}" if fact.category else ""
    return _Verdict(InboundStatus.DONE, f"{fact.kind.label}{why}", delivery)


def _fact(report: Report, delivery: Delivery, message: InboundMessage) -> Fact:
    who = _ours(report, delivery)
    kind = _KINDS[report.kind]
    if report.kind == Kind.BOUNCE:
        kind = _ACTIONS.get(who.action, kind)
    is_about_why = kind in {EventKind.BOUNCED, EventKind.DELAYED}
    return Fact(
        kind=kind,
        source=EventSource.MAIL,
        source_key=_key(kind, report, delivery),
        at=_time(report, delivery, message),
        category=who.category if is_about_why else None,
        is_hard=kind == EventKind.BOUNCED and who.is_hard,
        reply_code=who.reply_code,
        enhanced_status_code=who.status,
        diagnostic=who.diagnostic,
    )


def _key(kind: EventKind, report: Report, delivery: Delivery) -> str:
    """Return what is the same for all copies of a report: it may come by two ways."""
    return sha256(f"{delivery.pk} {kind} {report.identity}".encode()).hexdigest()


def _ours(report: Report, delivery: Delivery) -> Recipient:
    """Return what is said of the address that was mailed, or of where it forwards messages to."""
    told = [*report.failed, *report.recipients]
    address = delivery.address.casefold()
    same = (each for each in told if address in {each.address.casefold(), each.original.casefold()})
    return next(same, told[0] if told else Recipient())


def _time(report: Report, delivery: Delivery, message: InboundMessage) -> datetime:
    """Return when it was written, as far as that can be; else when it came."""
    date = report.date
    return (
        date if date and delivery.created_at <= date <= message.received_at else message.received_at
    )


def _about_notice(report: Report, notice_id: int, now: datetime) -> _Verdict:
    """Do what feedback about a message of ours means; there is no run in which it would count."""
    notice = Notice.objects.select_related("recipient").filter(pk=notice_id).first()
    if notice is None:
        return _ignored("About a message of ours that is not there any more.")
    kind, who = _KINDS[report.kind], next(iter(report.failed), Recipient())
    suppressing.follow_notice(
        notice,
        kind,
        category=who.category,
        is_hard=who.is_hard,
        diagnostic=who.diagnostic,
        now=now,
    )
    return _Verdict(InboundStatus.DONE, f"{kind.label}: message of ours {notice.pk}")


def _ignored(why: str) -> _Verdict:
    return _Verdict(InboundStatus.IGNORED, why)


def _quarantined(why: str) -> _Verdict:
    return _Verdict(InboundStatus.QUARANTINED, why)
