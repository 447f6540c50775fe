"""Delete what an installation does not want to keep for ever."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django_celery_results.models import ChordCounter  # type: ignore[attr-defined]

from campaigns.models import Campaign, Page, PageState, Preflight, Run
from templates_app import retention as versions

BATCH = 5_000  # rows in one transaction: no long lock, no long write

# The rows of deliveries whose run ended long ago, and those of tasks that ran then. Headers of a
# page's chord are kept like the deliveries that they carried. (A subquery in the place of a value:
# one look at an index for each row. As NOT EXISTS it is a join, which reads, for each batch, all
# deliveries that are not old, or compares each of them with each row.)
_DELETE = """
    DELETE FROM django_celery_results_taskresult
     WHERE id IN (SELECT result.id
                    FROM django_celery_results_taskresult result
                   WHERE result.date_created < %(before)s AND result.date_done < %(before)s
                     AND result.status IN ('SUCCESS', 'FAILURE', 'REVOKED', 'IGNORED')
                     AND CASE WHEN result.task_name = 'campaigns.deliver' THEN
                         (SELECT run.finished_at IS NULL OR run.finished_at >= %(before)s
                            FROM tracking_delivery delivery
                            JOIN campaigns_run run ON run.id = delivery.run_id
                           WHERE delivery.id = (result.result::json ->> 'delivery')::bigint)
                         END IS NOT TRUE
                   LIMIT %(batch)s)
"""


def forget_versions(*, now: datetime, older_than: timedelta) -> int:
    """Delete contents older than that which no campaign, run or check has; 0 keeps them all."""
    if not older_than:
        return 0
    needed = [
        Campaign.objects.filter(version__isnull=False).values("version"),
        Run.objects.values("version"),
        Preflight.objects.values("version"),
    ]
    return versions.forget_versions(before=now - older_than, but=needed)


def delete_chord_counters() -> int:
    """Delete what chords left behind that never closed their page; nothing else removes them.

    A chord that is under way loses its count if its page opened this moment: the sweep closes it.
    """
    if Page.objects.filter(state=PageState.OPEN).exists():
        return 0
    return int(ChordCounter.objects.all().delete()[0])


def delete_old_results(*, now: datetime, older_than: timedelta) -> int:
    """Delete TaskResult rows of runs that ended longer ago than that; 0 keeps them all."""
    if not older_than:
        return 0
    params: dict[str, Any] = {"before": now - older_than, "batch": BATCH}
    deleted, last = 0, BATCH
    with connection.cursor() as cursor:
        while last == BATCH:
            cursor.execute(_DELETE, params)
            last = cursor.rowcount
            deleted += last
    return deleted
