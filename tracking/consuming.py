"""Write the hits that wait in the stream to the database, and count them.

A batch is one transaction, and is taken out of the stream when that has committed. Killed between
the two, its entries are read again a minute later: their hits have the same ids, and are known.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import DataError, IntegrityError, connection, transaction

from recipients import locks
from recipients.models import Tracking
from recipients.recognising import kept
from tracking import measuring, unconfirmed, verdicts
from tracking.hits.stream import Arrival, Entry, Stream
from tracking.judging import Seen
from tracking.ledger import bigints
from tracking.owners import OWNER
from tracking.tallying.lock import hold_sums, sums_are_held
from tracking.tokens import NOBODY
from tracking.verdicts import Hit

BATCH = 5_000  # hits in one transaction, and an entry
CONSUMER = "consumer"  # one name for all: what one left is claimed by the next
_ASKED_FOR = kept("arrived: its pixel or a link was asked for")
_FIRST_READ = 50  # entries; then as many as make a batch
_MOST_ENTRIES = 1_000

# A hit is kept of a run that is measured, as long as its hits are kept at all.
_RUNS = """
SELECT run.id, run.tracking
  FROM campaigns_run run LEFT JOIN tracking_runtally tally ON tally.run_id = run.id
 WHERE run.id = ANY(%(runs)s) AND run.tracking <> 'off' AND tally.purged_at IS NULL
"""
# Of somebody who is still there, and has nothing against it by now.
_DELIVERIES = f"""
SELECT delivery.id, delivery.run_id
  FROM tracking_delivery delivery
  JOIN recipients_recipient recipient ON recipient.id = {OWNER}
 WHERE delivery.id = ANY(%(ids)s::bigint[]) AND recipient.tracking_consent = ANY(%(measurable)s)
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 4_102_444_800_000  # the year 2100
_LAST_ID = (1 << 63) - 1
_LAST_NUMBER = (1 << 15) - 1

logger = logging.getLogger(__name__)


class Stored(NamedTuple):
    """What became of a batch."""

    read: int
    new: int
    """Hits that were stored; the others were known, or are not to be kept."""


def consume(
    stream: Stream, *, clock: Callable[[], datetime], seconds: float, most: int = BATCH
) -> Stored:
    """Work off what waits in the stream, for so many seconds at most.

    Where somebody else is at it, nothing is read: that one goes on.

    :raises redis.RedisError: it is away; nothing is lost
    :raises django.db.OperationalError: PostgreSQL is away; what was read stays in the stream
    """
    until = time.monotonic() + seconds
    total, wanted = Stored(0, 0), _FIRST_READ
    while time.monotonic() < until and not sums_are_held():
        entries = stream.read(consumer=CONSUMER, most=wanted)
        if not entries:
            break
        for batch in _batches(entries, most):
            stored = write(batch, now=clock())
            stream.settle(batch)
            total = Stored(total.read + stored.read, total.new + stored.new)
        hits = sum(len(entry.hits) for entry in entries)
        wanted = max(1, min(_MOST_ENTRIES, most * len(entries) // max(1, hits)))
    return total


def _batches(entries: Sequence[Entry], most: int) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    hits = 0
    for entry in entries:
        if batch and hits + len(entry.hits) > most:
            yield batch
            batch, hits = [], 0
        batch.append(entry)
        hits += len(entry.hits)
    yield batch


def write(entries: Sequence[Entry], *, now: datetime) -> Stored:
    """Store and count the hits of these entries; may be repeated.

    An entry that PostgreSQL refuses is left out and logged, so that no other waits behind it.
    """
    arrivals = {pk: hit for entry in entries for pk, hit in entry.hits.items() if _can_be(hit)}
    try:
        new = _write(arrivals)
    except (DataError, IntegrityError):
        if len(entries) > 1:
            parts = [write([entry], now=now) for entry in entries]
            return Stored(sum(part.read for part in parts), sum(part.new for part in parts))
        logger.exception("The hits of an entry cannot be stored: %s", _shown(entries))
        return Stored(len(arrivals), 0)
    _confirm(arrivals.values(), now=now)
    return Stored(len(arrivals), new)


def _can_be(hit: Arrival) -> bool:
    """Whether it is one that the columns can hold; the endpoint makes no other."""
    possible = (
        0 < hit.run_id <= _LAST_ID
        and 0 <= hit.delivery_id <= _LAST_ID
        and 0 <= (hit.number or 0) <= _LAST_NUMBER
        and 0 <= hit.at_ms < _LAST_MS
    )
    if not possible:
        logger.error("A hit that cannot be was left out: %.500r", hit)
    return possible


def _shown(entries: Iterable[Entry]) -> str:
    return ", ".join(f"{entry.id}: {list(entry.hits.values())[:10]!r:.2000}" for entry in entries)


@transaction.atomic
def _write(arrivals: Mapping[int, Arrival]) -> int:
    locks.write_addresses()
    hold_sums()
    return verdicts.count(_to_keep(arrivals))


def _to_keep(arrivals: Mapping[int, Arrival]) -> list[Hit]:
    modes = _modes({hit.run_id for hit in arrivals.values()})
    named = {hit.delivery_id for hit in arrivals.values() if hit.run_id in modes}
    run_of = _measured(named - {NOBODY})
    return [
        _hit(pk, hit, is_named=modes[hit.run_id] == Tracking.FULL and hit.delivery_id != NOBODY)
        for pk, hit in arrivals.items()
        if hit.run_id in modes and hit.run_id == run_of.get(hit.delivery_id, _run_of_nobody(hit))
    ]


def _run_of_nobody(hit: Arrival) -> int | None:
    return hit.run_id if hit.delivery_id == NOBODY else None


def _modes(runs: set[int]) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(_RUNS, {"runs": list(runs)})
        return dict(cursor.fetchall())


def _measured(deliveries: set[int]) -> dict[int, int]:
    measurable = list(map(str, measuring.measurable()))
    with connection.cursor() as cursor:
        cursor.execute(_DELIVERIES, {"ids": bigints(deliveries), "measurable": measurable})
        return dict(cursor.fetchall())


def _hit(pk: int, hit: Arrival, *, is_named: bool) -> Hit:
    seen = Seen(
        kind=hit.kind.value,
        number=hit.number,
        at=_EPOCH + timedelta(milliseconds=hit.at_ms),
        is_head=hit.is_head,
        user_agent=hit.user_agent.replace("\0", "")[:300],
        from_scanner=hit.from_scanner,
    )
    return Hit(pk, hit.run_id, hit.delivery_id if is_named else None, seen, hit.network[:43])


def _confirm(hits: Iterable[Arrival], *, now: datetime) -> None:
    """Count those messages as arrived that were in doubt: somebody has them."""
    ids = {hit.delivery_id for hit in hits} - {NOBODY}
    unconfirmed.mark_sent(ids, reason=_ASKED_FOR, now=now)
