"""Find the deliveries whose next attempt is due, and wake workers for them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from campaigns.models import Run, RunStatus
from campaigns.sending import gates

LARGEST_SWEEP = 5_000
CHUNK = 50

# Not those for which a message is on its way already. The row stays `retry` until it is claimed; a
# message that is lost is sent again after a while. Materialized: a join by nested loops would look
# for the next ones for each row, past the limit.
_DUE = """
    WITH due AS MATERIALIZED (
        SELECT candidate.id
          FROM tracking_delivery candidate
         WHERE candidate.run_id = ANY(%(runs)s)
           AND candidate.state = 'retry' AND candidate.next_attempt_at <= %(now)s
           AND (candidate.dispatched_at IS NULL OR candidate.dispatched_at <= %(lost)s)
         ORDER BY candidate.next_attempt_at
         LIMIT %(limit)s
           FOR UPDATE OF candidate SKIP LOCKED
    )
    UPDATE tracking_delivery AS delivery
       SET dispatched_at = %(now)s
      FROM due
     WHERE delivery.id = due.id
    RETURNING delivery.run_id, delivery.id
"""

# Without waiting for a row: who holds it is about to cancel, to claim or to dispatch it.
_PUT_BACK = """
    UPDATE tracking_delivery SET dispatched_at = NULL
     WHERE id IN (SELECT id FROM tracking_delivery
                   WHERE id = ANY(%(ids)s) AND state = 'retry' AND dispatched_at IS NOT NULL
                   ORDER BY id FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Retries:
    run_id: int
    ids: list[int]


def due(runs: Sequence[int], *, now: datetime, lost_after: timedelta) -> list[Retries]:
    """Mark the due retries of these runs as dispatched; return them in chunks of one run each.

    None of a run that is not being sent; of one that a limit or a shut gate keeps back, no more
    than it will let pass.
    """
    rows: list[tuple[int, int]] = []
    for some, most in _shares(runs, now=now):
        rows += _dispatched(some, most, now=now, lost=now - lost_after)
    by_run: dict[int, list[int]] = defaultdict(list)
    for run_id, delivery_id in sorted(rows):
        by_run[run_id].append(delivery_id)
    return [
        Retries(run_id, ids[start : start + CHUNK])
        for run_id, ids in by_run.items()
        for start in range(0, len(ids), CHUNK)
    ]


def put_back(ids: Sequence[int]) -> None:
    """Let retries that were not admitted be found again, as soon as there is room for them."""
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(_PUT_BACK, {"ids": list(ids)})


def _shares(runs: Sequence[int], *, now: datetime) -> list[tuple[list[int], int]]:
    """Return which runs may have how many retries sent; those without a limit share one."""
    sending = Run.objects.having(RunStatus.SENDING).filter(pk__in=runs).ids()
    ahead = gates.forecasts(sending, now=now)
    free = [run_id for run_id in sending if not ahead[run_id].is_limited]
    limited = {run_id: ahead[run_id].most(CHUNK) for run_id in sending if run_id not in free}
    shares = [([run_id], most) for run_id, most in limited.items() if most]
    return [(free, LARGEST_SWEEP), *shares] if free else shares


def _dispatched(
    runs: list[int], most: int, *, now: datetime, lost: datetime
) -> list[tuple[int, int]]:
    params: dict[str, Any] = {"runs": runs, "now": now, "lost": lost, "limit": most}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, params)
        return list(cursor.fetchall())
