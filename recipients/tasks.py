"""Celery's doors into the work on recipients. Messages are wake-up calls: lost or repeated, they do
no harm.
"""

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from recipients.importing import jobs

STEP_SECONDS = 5.0
# An import of which nothing moved for so long has lost its messages, or its worker.
PATIENCE = timedelta(seconds=30)
_AT_ONCE = 2  # steps of one import: PostgreSQL merges on so many cores


@shared_task(name="recipients.import_step", ignore_result=True)
def import_step(import_id: int) -> None:
    """Work on an import for some seconds, and leave word to go on: others have their turn."""
    if jobs.step(import_id, clock=timezone.now, seconds=STEP_SECONDS):
        import_step.delay(import_id)


@shared_task(name="recipients.sweep_imports", ignore_result=True)
def sweep_imports() -> None:
    """Set imports going again that stand still; Beat calls this."""
    for import_id in jobs.standing_still(since=timezone.now() - PATIENCE):
        work_on(import_id)


def work_on(import_id: int, **options: Any) -> None:
    """Have an import read, or merged by several workers; the options are Celery's."""
    for _ in range(_AT_ONCE if jobs.is_merging(import_id) else 1):
        import_step.apply_async((import_id,), **options)
