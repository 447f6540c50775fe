"""Find the deliveries whose next attempt is due, and wake workers for them."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

LARGEST_SWEEP = 5_000
CHUNK = 50

# Of runs that are being sent, and not those for which a message is on its way already. The row
# stays `retry` until it is claimed; a message that is lost is sent again after a while.
_DUE = """
    UPDATE tracking_delivery AS delivery
       SET dispatched_at = %(now)s
      FROM (SELECT candidate.id
              FROM tracking_delivery candidate
              JOIN campaigns_run run ON run.id = candidate.run_id AND run.status = 'sending'
             WHERE candidate.state = 'retry' AND candidate.next_attempt_at <= %(now)s
               AND (candidate.dispatched_at IS NULL OR candidate.dispatched_at <= %(lost)s)
             ORDER BY candidate.next_attempt_at
             LIMIT %(limit)s
               FOR UPDATE OF candidate SKIP LOCKED) AS due
     WHERE delivery.id = due.id
    RETURNING delivery.run_id, delivery.id
"""


@dataclass(frozen=True, slots=True)
class Retries:
    run_id: int
    ids: list[int]


def due(*, now: datetime, lost_after: timedelta) -> list[Retries]:
    """Mark the due retries as dispatched and return them in chunks, each of one run."""
    params: dict[str, Any] = {"now": now, "lost": now - lost_after, "limit": LARGEST_SWEEP}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, params)
        rows = cursor.fetchall()
    by_run: dict[int, list[int]] = defaultdict(list)
    for run_id, delivery_id in sorted(rows):
        by_run[run_id].append(delivery_id)
    return [
        Retries(run_id, ids[start : start + CHUNK])
        for run_id, ids in by_run.items()
        for start in range(0, len(ids), CHUNK)
    ]
