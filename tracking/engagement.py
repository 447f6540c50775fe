"""What recipients do with messages, and when they were last mailed: what segments ask."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from tracking.ledger import array, bigints
from tracking.models import Fold, RunCounters
from tracking.owners import MESSAGES

SLICE = 20_000  # deliveries in one transaction
QUIET = timedelta(minutes=5)  # a run's snapshot may still be under way
AGAIN = timedelta(hours=1)  # what moved since: mostly retries

# The facts, and the summaries that they change. The first time counts in the one, the last in the
# other; LEAST and GREATEST pass over NULL. Of a recipient who was deleted nothing is kept.
_NOTE = """
WITH told AS (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[],
                         %s::timestamptz[], %s::timestamptz[])
               AS told (run_id, recipient_id, opened_at, clicked_at, last_opened_at,
                        last_clicked_at)
), fact AS (
    INSERT INTO tracking_engagement AS engagement (run_id, recipient_id, opened_at, clicked_at)
    SELECT told.run_id, recipient.id, told.opened_at, told.clicked_at
      FROM told JOIN recipients_recipient recipient ON recipient.id = told.recipient_id
     ORDER BY recipient.id, told.run_id FOR KEY SHARE OF recipient
        ON CONFLICT (run_id, recipient_id) DO UPDATE
       SET opened_at = LEAST(engagement.opened_at, excluded.opened_at),
           clicked_at = LEAST(engagement.clicked_at, excluded.clicked_at)
     WHERE (engagement.opened_at, engagement.clicked_at)
           IS DISTINCT FROM (LEAST(engagement.opened_at, excluded.opened_at),
                             LEAST(engagement.clicked_at, excluded.clicked_at))
)
INSERT INTO tracking_activity AS activity
       (recipient_id, opened_at, opened_run, clicked_at, clicked_run)
SELECT told.recipient_id, max(GREATEST(last_opened_at, last_clicked_at)), max(run_id),
       max(last_clicked_at), max(run_id) FILTER (WHERE last_clicked_at IS NOT NULL)
  FROM told JOIN recipients_recipient recipient ON recipient.id = told.recipient_id
 GROUP BY told.recipient_id ORDER BY told.recipient_id
    ON CONFLICT (recipient_id) DO UPDATE
   SET opened_at = GREATEST(activity.opened_at, excluded.opened_at),
       opened_run = GREATEST(activity.opened_run, excluded.opened_run),
       clicked_at = GREATEST(activity.clicked_at, excluded.clicked_at),
       clicked_run = GREATEST(activity.clicked_run, excluded.clicked_run)
"""

# What was no person's after all. The fact becomes what is left of it, in all messages of the run
# that are theirs; the summary is made anew, of hits, and of the facts where the hits are gone.
_TAKE_BACK = f"""
WITH asked AS (
    SELECT * FROM unnest(%(runs)s::bigint[], %(ids)s::bigint[]) AS asked (run_id, recipient_id)
), theirs AS (
    {MESSAGES}
), told AS (
    SELECT asked.run_id, asked.recipient_id, min(response.opened_by_person_at) AS opened_at,
           min(response.clicked_by_person_at) AS clicked_at
      FROM asked
      LEFT JOIN theirs ON theirs.run_id = asked.run_id AND theirs.owner_id = asked.recipient_id
      LEFT JOIN tracking_response response ON response.delivery_id = theirs.id
     GROUP BY asked.run_id, asked.recipient_id
), forgotten AS (
    DELETE FROM tracking_engagement AS engagement USING told
     WHERE engagement.run_id = told.run_id AND engagement.recipient_id = told.recipient_id
       AND told.opened_at IS NULL AND told.clicked_at IS NULL
)
UPDATE tracking_engagement AS engagement
   SET opened_at = told.opened_at, clicked_at = told.clicked_at
  FROM told
 WHERE engagement.run_id = told.run_id AND engagement.recipient_id = told.recipient_id
   AND (told.opened_at IS NOT NULL OR told.clicked_at IS NOT NULL)
"""
_SUM_UP = f"""
WITH did AS (
    SELECT recipient_id, run_id, GREATEST(opened_at, clicked_at) AS opened_at, clicked_at
      FROM tracking_engagement WHERE recipient_id = ANY(%(ids)s::bigint[])
     UNION ALL
    SELECT theirs.owner_id, theirs.run_id, hit.at, CASE WHEN hit.kind = 'click' THEN hit.at END
      FROM ({MESSAGES}) AS theirs JOIN tracking_hit hit ON hit.delivery_id = theirs.id
     WHERE hit.verdict = 'person'
), latest AS (
    SELECT asked.id, max(opened_at) AS opened_at, max(run_id) AS opened_run,
           max(clicked_at) AS clicked_at,
           max(run_id) FILTER (WHERE clicked_at IS NOT NULL) AS clicked_run
      FROM unnest(%(ids)s::bigint[]) AS asked (id) LEFT JOIN did ON did.recipient_id = asked.id
     GROUP BY asked.id
)
UPDATE tracking_activity AS activity
   SET opened_at = latest.opened_at, opened_run = latest.opened_run,
       clicked_at = latest.clicked_at, clicked_run = latest.clicked_run
  FROM latest WHERE activity.recipient_id = latest.id
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

# Runs of campaigns of which nothing is about to be sent, that were never folded or have moved
# since. A retry that is left does not keep a run: it is found by the next pass.
_DUE = """
SELECT counters.run_id
  FROM campaigns_run run
  JOIN tracking_runcounters counters ON counters.run_id = run.id
  LEFT JOIN tracking_fold fold ON fold.run_id = counters.run_id
 WHERE counters.queued + counters.sending = 0 AND counters.sent + counters.unconfirmed > 0
   AND counters.moved_at < %(quiet_since)s AND run.message_id IS NULL
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


class Deed(NamedTuple):
    """What a person did with a message: the first time, and the last one."""

    run_id: int
    recipient_id: int
    opened_at: datetime | None
    clicked_at: datetime | None
    last_opened_at: datetime | None
    last_clicked_at: datetime | None


def note(deeds: Sequence[Deed]) -> None:
    """Note what people did. May be repeated."""
    if deeds:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, [array(column) for column in zip(*deeds, strict=True)])


def take_back(deeds: Sequence[Deed]) -> None:
    """Note what is left of what was noted before, and turned out to be a program's.

    What is counted of the messages (`Response`) says so already.
    """
    if not deeds:
        return
    note([deed for deed in deeds if deed.opened_at or deed.clicked_at])
    ids = bigints(deed.recipient_id for deed in deeds)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, {"runs": bigints(deed.run_id for deed in deeds), "ids": ids})
        cursor.execute(_SUM_UP, {"ids": bigints({deed.recipient_id for deed in deeds})})


def unfolded_runs() -> list[int]:
    """Return the campaigns' runs whose messages Activity does not know of yet; these few are looked
    at. A single message counts for no segment.
    """
    mailed = RunCounters.objects.filter(run__message=None).exclude(sent=0, unconfirmed=0)
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
