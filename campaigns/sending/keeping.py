"""Keep deliveries back: they wait as `retry`, uncounted, until they are to be looked at again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from tracking import ledger

_KEPT = """
      FROM unnest(%(ids)s::bigint[], %(times)s::timestamptz[]) AS kept (id, at)
      JOIN tracking_delivery delivery ON delivery.id = kept.id
     WHERE delivery.run_id = %(run)s
"""
_PICK_QUEUED = f"""
    SELECT delivery.id, delivery.state AS from_state, 'retry' AS to_state, kept.at
    {_KEPT} AND delivery.state = 'queued'
     ORDER BY delivery.id
       FOR UPDATE OF delivery SKIP LOCKED
"""
_CHANGES = "next_attempt_at = picked.at, dispatched_at = NULL"

# Those that wait already only wait longer: no state changes, and so nothing in the books.
_POSTPONE = f"""
    UPDATE tracking_delivery AS waiting
       SET next_attempt_at = later.at, dispatched_at = NULL
      FROM (SELECT delivery.id, kept.at {_KEPT} AND delivery.state = 'retry'
             ORDER BY delivery.id FOR UPDATE OF delivery SKIP LOCKED) AS later
     WHERE waiting.id = later.id
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """Deliveries that may not be claimed now, and when each is to be looked at again."""

    ids: list[int]
    times: list[datetime]

    def add(self, ids: Iterable[int], *, after: datetime, pace: float) -> datetime:
        """Spread ids behind `after`, so many a second; return the end."""
        at = after
        for one in ids:
            self.ids.append(one)
            self.times.append(at)
            at += timedelta(seconds=1 / pace)
        return at


def keep(run_id: int, kept: Kept, *, now: datetime) -> None:
    """Have these wait, those that wait already only longer; the caller has begun a transaction."""
    if not kept.ids:
        return
    params: dict[str, Any] = {"ids": kept.ids, "times": kept.times, "run": run_id}
    ledger.move(run_id, pick=_PICK_QUEUED, changes=_CHANGES, params=params, now=now)
    with connection.cursor() as cursor:
        cursor.execute(_POSTPONE, params)
