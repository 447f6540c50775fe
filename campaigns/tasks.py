"""Celery's doors into the engine. Messages are wake-up calls: lost or repeated, they do no harm."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from celery import chord, current_app, shared_task
from celery.signals import worker_ready
from celery.utils.log import get_task_logger
from django.conf import settings
from django.utils import timezone

from campaigns import retention as keep
from campaigns.models import Campaign, Run
from campaigns.sending import complete, deliver, fire, pages, reconcile, retries, snapshot
from campaigns.sending.record import RetryPolicy

logger = get_task_logger(__name__)

ENOUGH_QUEUED = 1_000  # tasks: more in the queue would only fill the broker's memory


@shared_task(name="campaigns.tick", ignore_result=True)
def tick() -> None:
    """Fire the campaigns whose time has come; Beat calls this each second.

    One that cannot be fired must not keep the others from it.
    """
    now = timezone.now()
    for campaign_id in Campaign.objects.due(now=now).ids():
        try:
            if run_id := fire.fire(campaign_id, now=now):
                prepare.delay(run_id)
        except Exception:
            logger.exception("campaign %s could not be fired", campaign_id)


@shared_task(name="campaigns.retry", ignore_result=True)
def retry() -> None:
    """Wake workers for due retries, as far as they keep up; Beat calls this each second."""
    if _queued_tasks() < ENOUGH_QUEUED:
        for batch in retries.due(now=timezone.now(), lost_after=_redispatch()):
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
    for run_id in Run.objects.unfinished().ids():
        heal.apply_async((run_id,), expires=settings.SWEEP_SECONDS)
    settle_journals()


@shared_task(name="campaigns.heal", ignore_result=True)
def heal(run_id: int) -> None:
    """Find what lost messages and lost workers left behind in a run, and set it going again."""
    now = timezone.now()
    reconcile.expire(run_id, directory=settings.STATE_DIR / "journal", now=now)
    reconcile.cancel_left_over(run_id, now=now)
    complete.reopen(run_id)
    if snapshot.is_stuck(run_id, before=now - _redispatch()):
        prepare.delay(run_id)
    # While workers have messages to take, a page that stands still is rather late than lost.
    patience = _redispatch() * (8 if _queued_tasks() else 1)
    send(pages.reopen_lost(run_id, now=now, after=patience))
    pages.close_finished(run_id)
    advance(run_id)


@shared_task(name="campaigns.retention", ignore_result=True)
def retention() -> None:
    """Delete TaskResult rows that are older than the installation wants to keep them."""
    keep.delete_chord_counters()
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


def _queued_tasks() -> int:
    """Return how many messages wait for the workers of campaigns."""
    with current_app.connection_for_read() as broker:
        queue: Any = current_app.amqp.queues["campaigns"].bind(broker.default_channel)
        return int(queue.queue_declare().message_count)


def _redispatch() -> timedelta:
    return timedelta(seconds=settings.REDISPATCH_SECONDS)
