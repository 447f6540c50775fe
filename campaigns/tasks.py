"""Celery's doors into the engine. Messages are wake-up calls: lost or repeated, they do no harm."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from celery import chord, shared_task
from celery.signals import worker_ready
from celery.utils.log import get_task_logger
from django.conf import settings
from django.utils import timezone

from campaigns import retention as keep
from campaigns.models import Run
from campaigns.sending import complete, deliver, fire, pages, reconcile, retries, snapshot
from campaigns.sending.record import RetryPolicy

logger = get_task_logger(__name__)


@shared_task(name="campaigns.tick", ignore_result=True)
def tick() -> None:
    """Fire what is due and wake workers for due retries; Beat calls this each second."""
    now = timezone.now()
    for run_id in fire.fire_due(now=now):
        prepare.delay(run_id)
    for batch in retries.due(now=now, lost_after=_redispatch()):
        deliver_chunk.delay(batch.run_id, batch.ids)


@shared_task(name="campaigns.prepare", ignore_result=True)
def prepare(run_id: int) -> None:
    """Write down the audience; the first pages leave as soon as they are written."""
    finished = False
    while not finished:
        finished = snapshot.take_slice(run_id, now=timezone.now()).finished
        advance(run_id)


@shared_task(name="campaigns.deliver_chunk")
def deliver_chunk(run_id: int, ids: list[int]) -> dict[str, int]:
    """Attempt some deliveries of a run. Never raises: a chord whose header fails never closes."""
    try:
        return deliver.deliver(run_id, ids, clock=timezone.now)
    except Exception:
        logger.exception("run %s: a chunk of %s deliveries broke off", run_id, len(ids))
        return {}


@shared_task(name="campaigns.close_page", ignore_result=True)
def close_page(page_id: int) -> None:
    """Close a page and open the next one, or complete the run."""
    if run_id := pages.close(page_id):
        advance(run_id)


@shared_task(name="campaigns.sweep", ignore_result=True)
def sweep() -> None:
    """Have every run looked after that has not come to its end."""
    settle_journals()
    for run_id in Run.objects.unfinished().ids():
        heal.apply_async((run_id,), expires=settings.SWEEP_SECONDS)


@shared_task(name="campaigns.heal", ignore_result=True)
def heal(run_id: int) -> None:
    """Find what lost messages and lost workers left behind in a run, and set it going again."""
    now = timezone.now()
    reconcile.expire(run_id, now=now)
    reconcile.cancel_left_over(run_id, now=now)
    if snapshot.is_stuck(run_id, before=now - _redispatch()):
        prepare.delay(run_id)
    send(pages.reopen_lost(run_id, now=now, after=_redispatch()))
    pages.close_finished(run_id)
    advance(run_id)


@shared_task(name="campaigns.retention", ignore_result=True)
def retention() -> None:
    """Delete TaskResult rows that are older than the installation wants to keep them."""
    keep.delete_old_results(
        now=timezone.now(), older_than=timedelta(days=settings.TASK_RESULT_DAYS)
    )


@worker_ready.connect
def settle_journals(**_: Any) -> None:
    """Tell what the dead workers of this machine had done; also when a worker comes back."""
    directory = settings.STATE_DIR / "journal"
    reconcile.settle(directory, policy=RetryPolicy.of_installation(), now=timezone.now())


def advance(run_id: int) -> None:
    """Send the next pages of a run, or complete it where none is left."""
    now = timezone.now()
    send(pages.open_next(run_id, now=now))
    complete.complete(run_id, now=now)


def send(open_pages: Iterable[pages.OpenPage]) -> None:
    """Send each page as a chord; a crash before this leaves an open page, which the sweep finds."""
    for page in open_pages:
        if page.chunks:
            header = [deliver_chunk.si(page.run_id, ids) for ids in page.chunks]
            chord(header)(close_page.si(page.id))


def _redispatch() -> timedelta:
    return timedelta(seconds=settings.REDISPATCH_SECONDS)
