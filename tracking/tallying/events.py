"""Count bounces, complaints and what else was noted of messages."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf
from typing import NamedTuple

from django.db import connection, transaction

from tracking.ledger import bigints
from tracking.models import Category, DeliveryEvent, EventKind
from tracking.tallying.facts import NOTHING, OF_EVENTS, Facts, keep, known
from tracking.tallying.lock import hold_sums
from tracking.tallying.moves import Moves

BATCH = 5_000  # events in one transaction

# All events of the messages of which something is new. One that is noted a moment later waits for
# the next time.
_NEWS = """
SELECT event.id, event.delivery_id, event.kind, event.category, event.is_hard, event.at,
       coalesce(departure.reason, '')
  FROM tracking_deliveryevent event
  LEFT JOIN tracking_departure departure ON departure.delivery_id = event.delivery_id
 WHERE event.delivery_id IN (SELECT delivery_id FROM tracking_deliveryevent
                              WHERE counted_at IS NULL ORDER BY id LIMIT %(most)s)
 ORDER BY event.at, event.source, event.source_key
"""
_DOMAINS = """
SELECT id, run_id, domain FROM tracking_delivery WHERE id = ANY(%(ids)s::bigint[])
"""


class Event(NamedTuple):
    kind: str
    category: str
    is_hard: bool
    at: datetime
    departure: str = ""


def fold(*, now: datetime, most: int = BATCH, until: float = inf) -> int:
    """Count what was noted of messages since the last time; return how many events that were.

    :param until: by `time.monotonic`; from then on no batch is begun but the first
    """
    counted = last = _fold_some(now=now, most=most)
    while last >= most and time.monotonic() < until:
        last = _fold_some(now=now, most=most)
        counted += last
    return counted


@transaction.atomic
def _fold_some(*, now: datetime, most: int) -> int:
    hold_sums()
    with connection.cursor() as cursor:
        cursor.execute(_NEWS, {"most": most})
        rows = cursor.fetchall()
    events: dict[int, list[Event]] = defaultdict(list)
    for _, delivery, *event in rows:
        events[delivery].append(Event(*event))
    _count(events)
    ids = [row[0] for row in rows]
    return DeliveryEvent.objects.uncounted().filter(pk__in=ids).update(counted_at=now)


def _count(events: Mapping[int, Sequence[Event]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_DOMAINS, {"ids": bigints(events)})
        places = {delivery: (run, domain) for delivery, run, domain in cursor.fetchall()}
    before = known(places)
    moves, after = Moves(), {}
    for delivery, place in places.items():
        was = before.get(delivery, NOTHING)
        if (now_is := told(was, events[delivery])) != was:
            after[delivery] = now_is
            moves.replace(*place, was, now_is)
    keep(after, {delivery: run for delivery, (run, _) in places.items()}, columns=OF_EVENTS)
    moves.write()


def told(facts: Facts, events: Sequence[Event]) -> Facts:
    """Return the facts with what all events of the message say, which are in order.

    A message bounces once, hard if one of its bounces is.
    """
    first: dict[str, Event] = {}
    for event in events:
        first.setdefault(event.kind, event)
    bounces = [event for event in events if event.kind == EventKind.BOUNCED]
    bounce = next((event for event in bounces if event.is_hard), bounces[0] if bounces else None)
    failure, left = first.get(EventKind.FAILED), first.get(EventKind.UNSUBSCRIBED)
    return facts._replace(
        bounced_at=bounces[0].at if bounces else None,
        is_hard=bool(bounce and bounce.is_hard),
        bounce=_category(bounce),
        failure=_category(failure),
        delivered_at=_at(first.get(EventKind.DELIVERED)),
        complained_at=_at(first.get(EventKind.COMPLAINED)),
        unsubscribed_at=_at(left),
        departure=left.departure if left else "",
    )


def _at(event: Event | None) -> datetime | None:
    return event.at if event else None


def _category(event: Event | None) -> str:
    return (event.category or Category.UNKNOWN.value) if event else ""
