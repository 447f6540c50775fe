"""The ledger's only pen: every row of Delivery is written here, and every change of its state.

Each statement writes three things at once, so that they cannot differ at any commit: the delivery,
its TaskResult (the same fact in Celery's words), and the run's counters.

A caller says *which* rows go *where* with a SELECT of its own; the transition table has the last
word. Rows are locked before the counters in every statement, so two of them cannot deadlock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from tracking.models import DeliveryState as S

TRANSITIONS: Mapping[S, frozenset[S]] = {
    # To `retry` without an attempt: where a limit or a shut gate of its domain keeps it back.
    # To `failed` without one: where its run has outlived its time to live.
    S.QUEUED: frozenset({S.SENDING, S.RETRY, S.FAILED, S.SKIPPED, S.CANCELLED}),
    S.SENDING: frozenset({S.SENT, S.RETRY, S.FAILED, S.UNCONFIRMED, S.CANCELLED}),
    S.RETRY: frozenset({S.SENDING, S.FAILED, S.SKIPPED, S.CANCELLED}),
    # The worker that was cut off may come back with the answer.
    S.UNCONFIRMED: frozenset({S.SENT, S.RETRY, S.FAILED, S.CANCELLED}),
    S.SENT: frozenset(),
    S.FAILED: frozenset(),
    S.SKIPPED: frozenset(),
    S.CANCELLED: frozenset(),
}

TASK_NAME = "campaigns.deliver"

# Celery's words for our states; IGNORED and REVOKED are Celery's own, too (celery.states).
TASK_STATUS: Mapping[S, str] = {
    S.QUEUED: "PENDING",
    S.SENDING: "STARTED",
    S.SENT: "SUCCESS",
    S.RETRY: "RETRY",
    S.FAILED: "FAILURE",
    S.UNCONFIRMED: "FAILURE",
    S.CANCELLED: "REVOKED",
    S.SKIPPED: "IGNORED",
}


class Moved(NamedTuple):
    id: int
    from_state: S
    to_state: S


_STATES = {state.value: state for state in S}


def _values(pairs: list[tuple[str, str]]) -> str:
    return ", ".join(f"('{left}', '{right}')" for left, right in pairs)


_ALLOWED = _values(
    [(source, target) for source, targets in TRANSITIONS.items() for target in targets]
)
_STATUSES = _values(list(TASK_STATUS.items()))

# How fast messages are sent now: no index could say so, of rows that change at each message.
_MINUTE = "date_trunc('minute', excluded.moved_at)"
_LAST_MINUTE = "date_trunc('minute', counters.sent_at)"
_PACE = f"""
           sent_at = CASE WHEN excluded.sent > 0 THEN excluded.moved_at ELSE counters.sent_at END,
           minute_sent = CASE
               WHEN excluded.sent <= 0 THEN counters.minute_sent
               WHEN {_MINUTE} <= {_LAST_MINUTE} THEN counters.minute_sent + excluded.sent
               ELSE excluded.sent END,
           minute_before = CASE
               WHEN excluded.sent <= 0 OR {_MINUTE} <= {_LAST_MINUTE} THEN counters.minute_before
               WHEN {_MINUTE} - interval '1 minute' = {_LAST_MINUTE} THEN counters.minute_sent
               ELSE 0 END"""

# The part that all statements share: `moved` holds the rows that were written, as
# (id, task_id, from_state, to_state, skip_reason, reply_code, enhanced_status_code, diagnostic).
# TaskResult is upserted, not updated: a row that somebody deleted comes back with its next change.
_BOOKS = f"""
results AS (
    INSERT INTO django_celery_results_taskresult AS result
           (task_id, task_name, status, content_type, content_encoding, result, meta,
            date_created, date_started, date_done)
    SELECT moved.task_id::text, '{TASK_NAME}', statuses.status, 'application/json', 'utf-8',
           json_strip_nulls(json_build_object(
               'delivery', moved.id, 'state', moved.to_state,
               'reason', nullif(moved.skip_reason, ''),
               'reply_code', moved.reply_code,
               'enhanced_status_code', nullif(moved.enhanced_status_code, ''),
               'diagnostic', nullif(moved.diagnostic, '')))::text,
           '{{"children": []}}',
           %(now)s, CASE WHEN moved.to_state = 'sending' THEN %(now)s END, %(now)s
      FROM moved JOIN (VALUES {_STATUSES}) AS statuses (state, status)
                   ON statuses.state = moved.to_state
        ON CONFLICT (task_id) DO UPDATE
       SET status = excluded.status, result = excluded.result, date_done = excluded.date_done,
           date_started = coalesce(excluded.date_started, result.date_started)
),
counters AS (
    INSERT INTO tracking_runcounters AS counters
           (run_id, {", ".join(S.values)}, moved_at)
    SELECT %(run)s,
           {
    ", ".join(
        f"count(*) FILTER (WHERE to_state = '{s}') - count(*) FILTER (WHERE from_state = '{s}')"
        for s in S.values
    )
},
           %(now)s
      FROM moved HAVING count(*) > 0
        ON CONFLICT (run_id) DO UPDATE
       SET {", ".join(f"{s} = counters.{s} + excluded.{s}" for s in S.values)},
           moved_at = excluded.moved_at,
           {_PACE}
)
"""

# UUIDs of version 7 (RFC 9562 5.7), whose beginning is the time: the index of TaskResult grows at
# its end, and rows that are claimed together stand together in it.
_TASK_ID = "(%(milliseconds)s || substr(gen_random_uuid()::text, 16))::uuid"

_ENQUEUE = """
WITH audience AS MATERIALIZED ({audience}),
inserted AS (
    INSERT INTO tracking_delivery
           (run_id, task_id, recipient_id, address, key, domain, state, skip_reason,
            finished_at, created_at)
    SELECT %(run)s, {task_id}, recipient_id, address, key, domain, state, skip_reason,
           CASE WHEN state IN ('skipped', 'cancelled') THEN %(now)s END, %(now)s
      FROM audience ORDER BY recipient_id
        ON CONFLICT DO NOTHING
    RETURNING id, task_id, recipient_id, state, skip_reason
),
duplicates AS (
    INSERT INTO tracking_delivery
           (run_id, task_id, recipient_id, address, key, domain, state, skip_reason,
            finished_at, created_at)
    SELECT %(run)s, {task_id}, recipient_id, address, key, domain, 'skipped', 'duplicate',
           %(now)s, %(now)s
      FROM audience WHERE recipient_id NOT IN (SELECT recipient_id FROM inserted)
    RETURNING id, task_id, recipient_id, state, skip_reason
),
written AS (SELECT * FROM inserted UNION ALL SELECT * FROM duplicates),
moved AS (
    SELECT id, task_id, NULL::text AS from_state, state AS to_state, skip_reason,
           NULL::smallint AS reply_code, ''::text AS enhanced_status_code, ''::text AS diagnostic
      FROM written
),
{books}
SELECT count(*), max(recipient_id),
       min(id) FILTER (WHERE state = 'queued'), max(id) FILTER (WHERE state = 'queued')
  FROM written
"""

# Who is to be told of what becomes of messages reads it from here: one row for all of them. Where
# nobody has asked, the array is empty.
_OUTBOX = """
noted AS (
    INSERT INTO tracking_happening (kind, subjects, at)
    SELECT 'delivery.' || to_state, array_agg(id ORDER BY id), %(now)s
      FROM moved
     WHERE to_state = ANY(ARRAY(
               SELECT substr(kind, length('delivery.') + 1)
                 FROM tracking_endpoint endpoint CROSS JOIN unnest(endpoint.kinds) AS kind
                WHERE endpoint.is_active
                  AND kind IN ('delivery.sent', 'delivery.failed', 'delivery.skipped')))
     GROUP BY to_state
)
"""

# `run_id + 0`: with the statistics of before, the planner takes a run of a million for one row, and
# would join by the index on run_id, in square time.
_MOVE = """
WITH picked AS MATERIALIZED ({pick}),
moved AS (
    UPDATE tracking_delivery AS delivery
       SET state = picked.to_state,
           finished_at = CASE WHEN picked.to_state IN ('queued', 'sending', 'retry') THEN NULL
                              ELSE %(now)s END,
           doubted_at = CASE WHEN picked.to_state = 'unconfirmed' THEN %(now)s END,
           {changes}
      FROM picked
     WHERE delivery.id = picked.id AND delivery.run_id + 0 = %(run)s
       AND (picked.from_state, picked.to_state) IN (VALUES {allowed})
    RETURNING delivery.id, delivery.task_id, picked.from_state, picked.to_state,
              delivery.skip_reason, delivery.reply_code, delivery.enhanced_status_code,
              delivery.diagnostic
),
{books},
{outbox}
SELECT id, from_state, to_state FROM moved
"""

# What says whose a delivery was goes; what became of it stays. The key is one that no address has,
# and different for each, so that a run's keys stay unique.
_ANONYMIZE = """
WITH anonymous AS (
    UPDATE tracking_delivery
       SET recipient_id = NULL, address = '', key = 'erased-' || id, domain = '', diagnostic = ''
     WHERE id = ANY(%(ids)s::bigint[])
    RETURNING task_id
)
UPDATE django_celery_results_taskresult AS result
   SET result = (result.result::jsonb - 'diagnostic')::text, traceback = NULL
  FROM anonymous WHERE result.task_id = anonymous.task_id::text
"""

# What a server said of somebody else's delivery; its TaskResult says the same.
_UNNAME = """
WITH unnamed AS (
    UPDATE tracking_delivery
       SET diagnostic = regexp_replace(diagnostic, %(alone)s, 'erased', 'gi')
     WHERE id = ANY(%(ids)s::bigint[])
    RETURNING task_id, diagnostic
)
UPDATE django_celery_results_taskresult AS result
   SET result = (result.result::jsonb
                 || jsonb_build_object('diagnostic', unnamed.diagnostic))::text
  FROM unnamed WHERE result.task_id = unnamed.task_id::text
"""

# Where the run has a delivery of the other row already, the former one is nobody's any more.
_HAND_OVER = """
UPDATE tracking_delivery AS delivery
   SET recipient_id = CASE WHEN EXISTS (SELECT FROM tracking_delivery own
                                         WHERE own.run_id = delivery.run_id
                                           AND own.recipient_id = %(to)s)
                           THEN NULL ELSE %(to)s END
 WHERE delivery.id = ANY(%(ids)s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """One slice of an audience as it was written down; ids are None where nothing is queued."""

    rows: int
    last_recipient: int | None
    first_queued: int | None
    last_queued: int | None


def bigints(ids: Iterable[int]) -> str:
    """Return ids as PostgreSQL writes an array of them: faster by far than its driver does it."""
    return f"{{{','.join(map(str, ids))}}}"


def array(values: Iterable[object]) -> str:
    """Return texts, numbers, times and the like as PostgreSQL writes an array of them."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def enqueue(run_id: int, *, audience: str, params: Mapping[str, Any], now: datetime) -> Enqueued:
    """Write a delivery for each row of `audience`: queued, or skipped or cancelled from birth.

    `audience` is a SELECT of (recipient_id, address, key, domain, state, skip_reason). Whose
    address another one of this run has, because addresses changed hands meanwhile, is skipped.
    """
    sql = _ENQUEUE.format(audience=audience, task_id=_TASK_ID, books=_BOOKS)
    digits = f"{int(now.timestamp() * 1000):012x}"
    milliseconds = f"{digits[:8]}-{digits[8:]}-7"
    with connection.cursor() as cursor:
        cursor.execute(sql, {**params, "run": run_id, "milliseconds": milliseconds, "now": now})
        return Enqueued(*cursor.fetchone())


def move(
    run_id: int, *, pick: str, changes: str, params: Mapping[str, Any], now: datetime
) -> list[Moved]:
    """Move the picked deliveries of one run and return those that did move.

    `pick` is a SELECT of (id, from_state, to_state, …) that locks its rows (FOR UPDATE); `changes`
    are the further assignments, in terms of `picked` and `delivery`. What the transition table does
    not allow is left as it was: callers that must know compare the answer with what they asked for.
    """
    sql = _MOVE.format(pick=pick, changes=changes, allowed=_ALLOWED, books=_BOOKS, outbox=_OUTBOX)
    with connection.cursor() as cursor:
        cursor.execute(sql, {**params, "run": run_id, "now": now})
        rows = cursor.fetchall()
    return [Moved(row_id, _STATES[source], _STATES[target]) for row_id, source, target in rows]


def anonymize(ids: Iterable[int]) -> None:
    """Erase whose these deliveries are, and what was answered about them; their states stay.

    The caller holds the rows, and no counters of a run yet of which it does not hold all it wants.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ANONYMIZE, {"ids": bigints(ids)})


def unname(ids: Iterable[int], *, alone: str) -> None:
    """Take an address out of what was answered about these deliveries, which are of others.

    The caller holds the rows, as for `anonymize`.

    :param alone: as `recipients.mentions.alone` returns it
    """
    with connection.cursor() as cursor:
        cursor.execute(_UNNAME, {"ids": bigints(ids), "alone": alone})


def hand_over(ids: Iterable[int], *, to: int) -> None:
    """Make deliveries those of another recipient, as far as it has none of the same run."""
    with connection.cursor() as cursor:
        cursor.execute(_HAND_OVER, {"ids": bigints(ids), "to": to})
