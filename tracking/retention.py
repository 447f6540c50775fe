"""Delete hits that an installation does not want to keep; what was counted of them stays."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from tracking.tallying.lock import hold_sums

BATCH = 5_000  # rows in one transaction: no long lock, no long write

# Marked before anything is deleted: from then on nothing that comes in is kept, and nobody takes
# the sums for wrong.
_CLOSE = """
UPDATE tracking_runtally AS tally SET purged_at = %(now)s
  FROM campaigns_run run
 WHERE run.id = tally.run_id AND tally.purged_at IS NULL AND run.finished_at < %(before)s
"""
_CLOSED = """
SELECT tally.run_id FROM tracking_runtally tally
 WHERE tally.purged_at IS NOT NULL
   AND EXISTS (SELECT FROM tracking_hit hit WHERE hit.run_id = tally.run_id)
 ORDER BY tally.run_id
"""
_DELETE = """
DELETE FROM tracking_hit
 WHERE id IN (SELECT id FROM tracking_hit WHERE run_id = %(run)s ORDER BY id LIMIT %(batch)s)
"""
_UNUSED = """
DELETE FROM tracking_useragent agent
 WHERE NOT EXISTS (SELECT FROM tracking_hit hit WHERE hit.user_agent_id = agent.id)
"""


def clean(*, now: datetime) -> int:
    """Delete the hits of runs that ended longer than HIT_DAYS ago; return how many that were.

    What comes in for such a run is not kept any more. HIT_DAYS=0 keeps all.
    """
    if not settings.HIT_DAYS:
        return 0
    _close(now=now, before=now - timedelta(days=settings.HIT_DAYS))
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED)
        runs = [run for (run,) in cursor.fetchall()]
    deleted = sum(_delete(run) for run in runs)
    if deleted:
        _delete_unused_agents()
    return deleted


@transaction.atomic
def _close(*, now: datetime, before: datetime) -> None:
    hold_sums()
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, {"now": now, "before": before})


def _delete(run_id: int) -> int:
    deleted, last = 0, BATCH
    with connection.cursor() as cursor:
        while last == BATCH:
            cursor.execute(_DELETE, {"run": run_id, "batch": BATCH})
            last = cursor.rowcount
            deleted += last
    return deleted


@transaction.atomic
def _delete_unused_agents() -> None:
    hold_sums()  # whoever stores hits has looked them up under this lock
    with connection.cursor() as cursor:
        cursor.execute(_UNUSED)
