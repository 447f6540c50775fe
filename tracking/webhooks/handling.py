"""Work off what providers told: each event once, in any order."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction

from recipients import locks
from recipients.models import Notice
from recipients.suppression import erased
from tracking import suppressing
from tracking.feedback import Fact, note_all
from tracking.models import Delivery, EventSource, WebhookEvent
from tracking.webhooks.matching import Finder, NotFound, OfAnother, key_of
from tracking.webhooks.reading import REACTIONS, Ignored, Said, read

logger = logging.getLogger(__name__)

# A provider may be faster than the worker that notes what the provider calls the message.
PATIENCE = timedelta(minutes=5)

# Most of what is told, and nothing follows from it for an address: many fit into a transaction,
# and keep nobody waiting for the rows of recipients.
_QUIET = REACTIONS | {"delivered", "deferred", "queued", "sent"}

_EXPLAIN = """
UPDATE tracking_webhookevent event
   SET explanation = left(told.explanation, 300), handled_at = told.handled_at
  FROM unnest(%(ids)s::bigint[], %(explanations)s::text[], %(times)s::timestamptz[])
       AS told (id, explanation, handled_at)
 WHERE event.id = told.id
"""


def handle_new(*, now: datetime, at_most: int) -> int:
    """Make facts of what is new, and say of the rest why not; return how many were looked at.

    Several may do so at once, and nothing happens twice.
    """
    waiting = WebhookEvent.objects.unhandled(asked_before=now - PATIENCE)
    found = list(waiting.values_list("pk", "event_type")[:at_most])
    for ids in _groups(found):
        _try(ids, now)
    return len(found)


def _groups(found: Iterable[tuple[int, str]]) -> Collection[list[int]]:
    """Return what is worked off in a transaction: those of a quiet type, or one of another."""
    groups: dict[str | int, list[int]] = defaultdict(list)
    for pk, event_type in found:
        groups[event_type if event_type in _QUIET else pk].append(pk)
    return groups.values()


def _try(ids: list[int], now: datetime) -> None:
    try:
        _handle(ids, now)
    except (OperationalError, InterfaceError):
        raise  # of the database, not of an event: they are tried again
    except Exception as error:
        if len(ids) > 1:  # one of them is at fault, and keeps no other from its turn
            for pk in ids:
                _try([pk], now)
            return
        logger.exception("event %s of a provider cannot be handled", ids[0])
        why = f"could not be handled: {type(error).__name__}"
        WebhookEvent.objects.filter(pk__in=ids).update(explanation=why, handled_at=now)


@transaction.atomic
def _handle(ids: list[int], now: datetime) -> None:
    locks.write_addresses()  # before the rows: an erasure takes them in this order
    mine = WebhookEvent.objects.filter(pk__in=ids, handled_at=None).order_by("pk")
    events = list(mine.select_for_update(skip_locked=True))
    finder, facts = Finder(events), list[tuple[Delivery, Fact]]()
    for event in events:
        event.handled_at = now
        try:
            event.explanation = _follow(event, finder, facts, now)
        except NotFound as error:
            is_over = isinstance(error, OfAnother) or event.received_at <= now - PATIENCE
            event.handled_at = now if is_over else None
            event.explanation = str(error)
    note_all(facts, now=now)
    _explain(events)
    _forget_erased(events)


def _follow(
    event: WebhookEvent, finder: Finder, facts: list[tuple[Delivery, Fact]], now: datetime
) -> str:
    """Do what an event means, or add it to the facts; return in words what came of it.

    :raises NotFound:
    """
    said = read(event.provider, event.event_type, event.payload, received_at=event.received_at)
    if isinstance(said, Ignored):
        return said
    message = finder.message_of(event)
    if isinstance(message, Notice):
        suppressing.follow_notice(
            message,
            said.kind,
            category=said.category,
            is_hard=said.is_hard,
            diagnostic=said.diagnostic,
            now=now,
        )
        return f"message of ours {message.pk}: {said.kind}"
    facts.append((message, _fact(event, said)))
    return f"delivery {message.pk}: {said.kind}"


def _fact(event: WebhookEvent, said: Said) -> Fact:
    return Fact(
        kind=said.kind,
        source=EventSource.WEBHOOK,
        source_key=f"{event.provider}:{bytes(event.key).hex()}",
        at=said.at,
        category=said.category,
        is_hard=said.is_hard,
        reply_code=said.reply_code,
        enhanced_status_code=said.enhanced_status_code,
        diagnostic=said.diagnostic,
    )


def _explain(events: list[WebhookEvent]) -> None:
    params: dict[str, Any] = {
        "ids": [event.pk for event in events],
        "explanations": [event.explanation for event in events],
        "times": [event.handled_at for event in events],
    }
    with connection.cursor() as cursor:
        cursor.execute(_EXPLAIN, params)


def _forget_erased(events: list[WebhookEvent]) -> None:
    """Keep no address of who was erased before it was told of them."""
    keys = {event.pk: key_of(event.payload.get("recipient") or "") for event in events}
    gone = erased(set(keys.values()))
    theirs = [pk for pk, key in keys.items() if key in gone]
    WebhookEvent.objects.filter(pk__in=theirs).update(payload={}, message_id="")
