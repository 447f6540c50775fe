"""Prove what the ledger says: counters = ledger = TaskResult, nobody lost, nobody twice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from tracking.ledger import TASK_STATUS

LISTED = 100  # rows named for each kind of disagreement


@dataclass(frozen=True, slots=True)
class Disagreement:
    run_id: int
    what: str

    def __str__(self) -> str:
        return f"run {self.run_id}: {self.what}"


_STATUSES = ", ".join(f"('{state}', '{status}')" for state, status in TASK_STATUS.items())

# I1: as many rows as the snapshot wrote down.
_AUDIENCE = """
    SELECT run.id, 'the audience is ' || run.audience || ', the ledger has ' || count(delivery.id)
                   || ' rows'
      FROM campaigns_run run LEFT JOIN tracking_delivery delivery ON delivery.run_id = run.id
     WHERE run.id = ANY(%(runs)s)
     GROUP BY run.id HAVING run.audience <> count(delivery.id)
"""

# I2: one row, and so one message, for each address of a run.
_TWICE = """
    SELECT run_id, key || ' stands ' || count(*) || ' times'
      FROM tracking_delivery
     WHERE run_id = ANY(%(runs)s) AND state <> 'skipped'
     GROUP BY run_id, key HAVING count(*) > 1
     LIMIT %(listed)s
"""

# A run that has ended leaves nobody waiting.
_LEFT_OPEN = """
    SELECT run.id, 'it is ' || run.status || ', and a delivery is ' || delivery.state
      FROM campaigns_run run JOIN tracking_delivery delivery ON delivery.run_id = run.id
     WHERE run.id = ANY(%(runs)s) AND run.status IN ('completed', 'cancelled')
       AND delivery.state IN ('queued', 'retry')
     LIMIT %(listed)s
"""

# I4, first half: a count for each state, beside the counter's.
_COUNTERS = f"""
    SELECT counted.run_id, counted.state || ': the counter says ' || counted.counter
                           || ', the ledger has ' || counted.rows || ' rows'
      FROM (SELECT run.id AS run_id, states.state,
                   coalesce((to_jsonb(counters) ->> states.state)::int, 0) AS counter,
                   (SELECT count(*) FROM tracking_delivery delivery
                     WHERE delivery.run_id = run.id AND delivery.state = states.state) AS rows
              FROM campaigns_run run
             CROSS JOIN (VALUES {_STATUSES}) AS states (state, status)
              LEFT JOIN tracking_runcounters counters ON counters.run_id = run.id
             WHERE run.id = ANY(%(runs)s)) AS counted
     WHERE counted.counter <> counted.rows
"""

# I4, second half: each delivery has a TaskResult of the same state. Those of runs that ended before
# `kept_since` may have been deleted.
_TASK_RESULTS = f"""
    SELECT delivery.run_id, 'delivery ' || delivery.id || ' is ' || delivery.state
           || ', its TaskResult ' || delivery.task_id || ' is '
           || coalesce(result.status || ' (' || (result.result::json ->> 'state') || ')', 'missing')
      FROM tracking_delivery delivery
      JOIN campaigns_run run ON run.id = delivery.run_id
      JOIN (VALUES {_STATUSES}) AS statuses (state, status) ON statuses.state = delivery.state
      LEFT JOIN django_celery_results_taskresult result ON result.task_id = delivery.task_id::text
     WHERE delivery.run_id = ANY(%(runs)s)
       AND (result.status IS DISTINCT FROM statuses.status
            OR (result.result::json ->> 'state') IS DISTINCT FROM delivery.state)
       AND NOT (result.task_id IS NULL
                AND coalesce(run.finished_at < %(kept_since)s::timestamptz, false))
     LIMIT %(listed)s
"""

# Whatever failed has an event that says why.
_FAILURES = """
    SELECT delivery.run_id, 'delivery ' || delivery.id || ' has failed, and no event says why'
      FROM tracking_delivery delivery
     WHERE delivery.run_id = ANY(%(runs)s) AND delivery.state = 'failed'
       AND NOT EXISTS (SELECT FROM tracking_deliveryevent event
                        WHERE event.source = 'handover' AND event.source_key = delivery.id::text)
     LIMIT %(listed)s
"""


def disagreements(run_ids: Sequence[int], *, kept_since: datetime | None) -> list[Disagreement]:
    """Return what does not add up in these runs, at one moment; an empty list is the proof.

    :param kept_since: TaskResult rows of runs that ended before may be missing; None: none may.
    """
    params = {"runs": list(run_ids), "listed": LISTED, "kept_since": kept_since}
    return list(_found(params))


def _found(params: dict[str, Any]) -> Iterator[Disagreement]:
    # One statement sees one moment, so that a run may go on meanwhile.
    parts = (_AUDIENCE, _TWICE, _LEFT_OPEN, _COUNTERS, _TASK_RESULTS, _FAILURES)
    sql = " UNION ALL ".join(f"({part})" for part in parts)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        for run_id, what in cursor.fetchall():
            yield Disagreement(run_id, what)
