"""What recipients do with messages, and when they were last mailed: what segments ask."""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from tracking.models import Delivery, Fold, RunCounters

SLICE = 20_000  # deliveries in one transaction
QUIET = timedelta(minutes=5)  # a run's snapshot may still be under way
AGAIN = timedelta(hours=1)  # what moved since: mostly retries

# The fact, and the summary that it changes. The first time counts in the one, the last in the
# other; LEAST and GREATEST pass over NULL. Of a recipient who was deleted nothing is kept.
_NOTE = """
WITH fact AS (
    INSERT INTO tracking_engagement AS engagement (run_id, recipient_id, opened_at, clicked_at)
    SELECT %(run)s, id, %(opened)s, %(clicked)s
      FROM recipients_recipient WHERE id = %(recipient)s FOR KEY SHARE
        ON CONFLICT (run_id, recipient_id) DO UPDATE
       SET opened_at = LEAST(engagement.opened_at, excluded.opened_at),
           clicked_at = LEAST(engagement.clicked_at, excluded.clicked_at)
    RETURNING recipient_id
)
INSERT INTO tracking_activity AS activity
       (recipient_id, opened_at, opened_run, clicked_at, clicked_run)
SELECT recipient_id, GREATEST(%(opened)s, %(clicked)s), %(run)s,
       %(clicked)s, CASE WHEN %(clicked)s IS NOT NULL THEN %(run)s END
  FROM fact
    ON CONFLICT (recipient_id) DO UPDATE
   SET opened_at = GREATEST(activity.opened_at, excluded.opened_at),
       opened_run = GREATEST(activity.opened_run, excluded.opened_run),
       clicked_at = GREATEST(activity.clicked_at, excluded.clicked_at),
       clicked_run = GREATEST(activity.clicked_run, excluded.clicked_run)
"""

# Of two rows that are one person; those of the former one go with it.
_HAND_OVER = """
WITH facts AS (
    INSERT INTO tracking_engagement AS engagement (run_id, recipient_id, opened_at, clicked_at)
    SELECT run_id, %(to)s, opened_at, clicked_at
      FROM tracking_engagement WHERE recipient_id = %(former)s
        ON CONFLICT (run_id, recipient_id) DO UPDATE
       SET opened_at = LEAST(engagement.opened_at, excluded.opened_at),
           clicked_at = LEAST(engagement.clicked_at, excluded.clicked_at)
)
INSERT INTO tracking_activity AS activity
       (recipient_id, mailed_at, mailed_run, opened_at, opened_run, clicked_at, clicked_run)
SELECT %(to)s, mailed_at, mailed_run, opened_at, opened_run, clicked_at, clicked_run
  FROM tracking_activity WHERE recipient_id = %(former)s
    ON CONFLICT (recipient_id) DO UPDATE
   SET mailed_at = GREATEST(activity.mailed_at, excluded.mailed_at),
       mailed_run = GREATEST(activity.mailed_run, excluded.mailed_run),
       opened_at = GREATEST(activity.opened_at, excluded.opened_at),
       opened_run = GREATEST(activity.opened_run, excluded.opened_run),
       clicked_at = GREATEST(activity.clicked_at, excluded.clicked_at),
       clicked_run = GREATEST(activity.clicked_run, excluded.clicked_run)
"""

# Runs of which nothing is about to be sent, that were never folded or have moved since. A retry
# that is left does not keep a run: it is found by the next pass.
_DUE = """
SELECT counters.run_id
  FROM tracking_runcounters counters
  LEFT JOIN tracking_fold fold ON fold.run_id = counters.run_id
 WHERE counters.queued + counters.sending = 0 AND counters.sent + counters.unconfirmed > 0
   AND counters.moved_at < %(quiet_since)s
   AND (fold.folded_at IS NULL
        OR fold.moved_at < counters.moved_at AND fold.folded_at < %(folded_before)s)
 ORDER BY counters.run_id
"""

# A slice by the index of the ledger's unique constraint; what is known already is not written.
# Who may have been mailed counts as mailed.
_FOLD = """
WITH slice AS MATERIALIZED (
    SELECT delivery.recipient_id, delivery.state,
           COALESCE(delivery.finished_at, delivery.doubted_at, delivery.attempted_at) AS mailed_at
      FROM tracking_delivery delivery
     WHERE delivery.run_id = %(run)s AND delivery.recipient_id > %(after)s
     ORDER BY delivery.recipient_id LIMIT %(size)s
), written AS (
    INSERT INTO tracking_activity AS activity (recipient_id, mailed_at, mailed_run)
    SELECT slice.recipient_id, slice.mailed_at, %(run)s
      FROM slice
      JOIN recipients_recipient recipient ON recipient.id = slice.recipient_id
     WHERE slice.state IN ('sent', 'unconfirmed')
     ORDER BY slice.recipient_id
        ON CONFLICT (recipient_id) DO UPDATE
       SET mailed_at = GREATEST(activity.mailed_at, excluded.mailed_at),
           mailed_run = GREATEST(activity.mailed_run, excluded.mailed_run)
     WHERE activity.mailed_at IS NULL OR activity.mailed_at < excluded.mailed_at
        OR activity.mailed_run IS NULL OR activity.mailed_run < excluded.mailed_run
)
SELECT max(recipient_id), count(*) FROM slice
"""


def note(
    delivery: Delivery,
    *,
    opened_at: datetime | None = None,
    clicked_at: datetime | None = None,
) -> None:
    """Note that a person opened the message of a delivery, or clicked in it. May be repeated.

    :raises ValueError: neither is said
    """
    if opened_at is None and clicked_at is None:
        raise ValueError("say when it was opened, or when something in it was clicked")
    params = {
        "run": delivery.run_id,
        "recipient": delivery.recipient_id,
        "opened": opened_at,
        "clicked": clicked_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, params)


def unfolded_runs() -> list[int]:
    """Return the runs whose messages Activity does not know of yet; these few are looked at."""
    mailed = RunCounters.objects.exclude(sent=0, unconfirmed=0)
    # What was sent after a pass, or while one is under way, it may not have seen: retries.
    whole = Fold.objects.filter(folded_at__isnull=False, cursor=0)
    seen = whole.filter(run=OuterRef("run"), moved_at__gte=OuterRef("moved_at"))
    return sorted(mailed.exclude(Exists(seen)).values_list("run", flat=True))


def fold_due(*, now: datetime) -> int:
    """Fold the deliveries of runs that have ended into Activity; return of how many runs.

    Slice by slice, each a transaction: a pass that is cut off goes on where it was, and one that
    is repeated changes nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"quiet_since": now - QUIET, "folded_before": now - AGAIN})
        runs = [run for (run,) in cursor.fetchall()]
    for run in runs:
        while not fold_slice(run, now=now):
            pass
    return len(runs)


@transaction.atomic
def fold_slice(run_id: int, *, now: datetime, size: int = SLICE) -> bool:
    """Fold the next deliveries of a run; return whether the pass has come to its end."""
    moved_at = RunCounters.objects.values_list("moved_at", flat=True).get(run=run_id)
    Fold.objects.get_or_create(run_id=run_id, defaults={"moved_at": moved_at})
    fold = Fold.objects.select_for_update().get(run_id=run_id)
    if fold.cursor == 0:
        fold.moved_at = moved_at
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, {"run": run_id, "after": fold.cursor, "size": size})
        last, rows = cursor.fetchone()
    is_whole = bool(rows < size)
    fold.cursor = 0 if is_whole else last
    fold.folded_at = now if is_whole else fold.folded_at
    fold.save()
    return is_whole


def hand_over(former: int, *, to: int) -> None:
    """Count what a recipient did as done by another one, who is the same person."""
    with connection.cursor() as cursor:
        cursor.execute(_HAND_OVER, {"former": former, "to": to})
