"""Note what is said about a message, each fact once: the door for bounces and complaints.

The tallies are moved later, by `tracking.tallying`; what the fact means for the recipient (being
suppressed) is done in the same transaction, or left for `follow_due`.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from recipients import locks
from recipients.recognising import english
from tracking import suppressing, unconfirmed
from tracking.models import (
    Category,
    Delivery,
    DeliveryEvent,
    DeliveryState,
    EventKind,
    EventSource,
)
from tracking.owners import OWNER, with_owners

DIAGNOSTIC = 2_000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What somebody says about a delivery.

    :param source_key: the same for the same fact, whenever it is told again
    :param is_hard: of a bounce or failure: a strict code says that the address takes no mail
    """

    kind: EventKind
    source: EventSource
    source_key: str
    at: datetime
    category: Category | None = None
    is_hard: bool = False
    reply_code: int | None = None
    enhanced_status_code: str = ""
    diagnostic: str = ""


class Failure(NamedTuple):
    """Why the next hop did not take a message; its words and codes stand in the ledger."""

    delivery_id: int
    category: Category
    is_hard: bool = False


# Whose it was and what was answered is taken from the ledger, which has just been written. A
# delivery fails once.
_NOTE_FAILURES = f"""
INSERT INTO tracking_deliveryevent
       (delivery_id, run_id, recipient_id, kind, category, is_hard, reply_code,
        enhanced_status_code, source, source_key, at, noted_at, is_to_follow)
SELECT delivery.id, delivery.run_id, {OWNER}, 'failed', told.category, told.is_hard,
       delivery.reply_code, delivery.enhanced_status_code, 'handover', delivery.id::text,
       delivery.finished_at, %(now)s, told.is_to_follow
  FROM unnest(%(ids)s::bigint[], %(categories)s::text[], %(hard)s::boolean[],
              %(to_follow)s::boolean[]) AS told (id, category, is_hard, is_to_follow)
  JOIN tracking_delivery delivery ON delivery.id = told.id
 ORDER BY delivery.id
    ON CONFLICT (source, source_key) DO NOTHING
"""
_SUPPRESSED_AT_ONCE = 10_000
WEIGHED_IN_A_ROW = 1_000  # some seconds


@transaction.atomic
def note(delivery: Delivery, fact: Fact, *, now: datetime) -> bool:
    """Note a fact about a delivery, and do what follows from it; return whether it is new."""
    locks.write_addresses()
    held = with_owners([delivery.pk]).get(delivery.pk)
    if held is None:
        return False
    event, is_new = DeliveryEvent.objects.get_or_create(
        source=fact.source,
        source_key=fact.source_key,
        defaults=_columns(held, fact, _sent_back([(held, fact)]), now),
    )
    if is_new:
        _settle(held, fact, now)
        suppressing.follow(held, event, now=now)
    return is_new


@transaction.atomic
def note_all(told: Iterable[tuple[Delivery, Fact]], *, now: datetime) -> None:
    """Note many facts as `note` does, by a few statements.

    The caller sees to it that nobody else notes one of them at the same time.
    """
    locks.write_addresses()
    facts = {(fact.source, fact.source_key): (delivery.pk, fact) for delivery, fact in told}
    same = DeliveryEvent.objects.filter(
        source__in={source for source, _ in facts}, source_key__in=[key for _, key in facts]
    )
    known = set(same.values_list("source", "source_key"))
    held = with_owners(pk for pk, _ in facts.values())
    new = [(held[pk], fact) for one, (pk, fact) in facts.items() if one not in known and pk in held]
    sent_back = _sent_back(new)
    events = DeliveryEvent.objects.bulk_create(
        DeliveryEvent(
            source=fact.source,
            source_key=fact.source_key,
            **_columns(delivery, fact, sent_back, now),
        )
        for delivery, fact in new
    )
    for (delivery, fact), event in zip(new, events, strict=True):
        _settle(delivery, fact, now)
        suppressing.follow(delivery, event, now=now)


def note_failures(failures: Sequence[Failure], *, now: datetime) -> None:
    """Note why deliveries failed, in the transaction that has moved them, and in one statement.

    What it means for their addresses takes locks that whoever holds a run's counters must not wait
    for: `follow_due` does it afterwards.
    """
    if not failures:
        return
    params: dict[str, Any] = {
        "ids": [each.delivery_id for each in failures],
        "categories": [each.category.value for each in failures],
        "hard": [each.is_hard for each in failures],
        "to_follow": [_is_to_follow(each) for each in failures],
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_FAILURES, params)


def _is_to_follow(failure: Failure) -> bool:
    return failure.is_hard or failure.category in suppressing.COUNTED


def follow_due(*, now: datetime) -> int:
    """Do what is left of what events mean for their addresses; return of how many it was done.

    What somebody else is at is passed over, and of very many some are left for the next time.
    """
    hard = _follow_hard(now)
    to_weigh = DeliveryEvent.objects.to_weigh(noted_before=now - suppressing.WAIT)
    ids = list(to_weigh.values_list("pk", flat=True)[:WEIGHED_IN_A_ROW])
    return hard + sum(_weigh(pk, now) for pk in ids)


@transaction.atomic
def _follow_hard(now: datetime) -> int:
    locks.write_addresses()
    hard = DeliveryEvent.objects.to_refuse()
    held = hard.select_for_update(skip_locked=True).values_list("pk", "delivery")
    events = dict(held[:_SUPPRESSED_AT_ONCE])
    # Of the others nobody knows any more whose they were.
    named = Delivery.objects.filter(pk__in=events.values()).exclude(address="")
    suppressing.refused(named.values_list("key", flat=True), now=now)
    DeliveryEvent.objects.filter(pk__in=events).update(is_to_follow=False)
    return len(events)


@transaction.atomic
def _weigh(pk: int, now: datetime) -> bool:
    # One by one: each locks its recipient.
    locks.write_addresses()
    to_follow = DeliveryEvent.objects.to_follow().filter(pk=pk)
    event = to_follow.select_for_update(skip_locked=True).first()
    if event is None:
        return False
    delivery = with_owners([event.delivery_id])[event.delivery_id]
    suppressing.reconsider(delivery, now=now)
    event.is_to_follow = False
    event.save(update_fields=["is_to_follow"])
    return True


def _sent_back(told: Iterable[tuple[Delivery, Fact]]) -> set[int | None]:
    """Return of those to whom a message arrived whose messages also came back."""
    arrived = (delivery for delivery, fact in told if fact.kind == EventKind.DELIVERED)
    reached = {delivery.recipient_id for delivery in arrived} - {None}
    returns = DeliveryEvent.objects.returns_to(reached)
    return set(returns.values_list("recipient_id", flat=True)) if reached else set()


def _is_to_weigh(delivery: Delivery, fact: Fact, sent_back: Container[int | None]) -> bool:
    """Whether it may change what the soft bounces of an address come to."""
    if fact.kind == EventKind.DELIVERED:
        return delivery.recipient_id in sent_back
    return fact.kind in {EventKind.BOUNCED, EventKind.FAILED} and not fact.is_hard


def _columns(
    delivery: Delivery, fact: Fact, sent_back: Container[int | None], now: datetime
) -> dict[str, Any]:
    return {
        "delivery": delivery,
        "run_id": delivery.run_id,
        "recipient_id": delivery.recipient_id,
        "kind": fact.kind,
        "category": fact.category or "",
        "is_hard": fact.is_hard,
        "reply_code": fact.reply_code,
        "enhanced_status_code": fact.enhanced_status_code[:11],
        # It may name whom nobody is to know any more.
        "diagnostic": _legible(fact.diagnostic) if delivery.address else "",
        "at": fact.at,
        "noted_at": now,
        "is_to_follow": _is_to_weigh(delivery, fact, sent_back),
    }


def _legible(text: str) -> str:
    """Return what PostgreSQL can keep of a text: neither NUL nor half a character."""
    return text.replace("\0", "").encode(errors="replace").decode()[:DIAGNOSTIC]


def _settle(delivery: Delivery, fact: Fact, now: datetime) -> None:
    """What is said of a message after it was handed over shows that it was."""
    if fact.kind != EventKind.FAILED and delivery.state == DeliveryState.UNCONFIRMED:
        unconfirmed.confirm(
            delivery.pk, evidence=english(EventKind(fact.kind).label).lower(), now=now
        )
