"""Celery's doors into the engine. Messages are wake-up calls: lost or repeated, they do no harm."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery import chord, current_app, shared_task
from celery.signals import worker_ready
from celery.utils.log import get_task_logger
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from campaigns import approval, notices, screenshots, summaries, transactional
from campaigns import retention as keep
from campaigns.models import Campaign, Run, RunStatus
from campaigns.preflight import jobs as preflights
from campaigns.preflight import watching
from campaigns.sending import (
    complete,
    deliver,
    fire,
    gates,
    guard,
    instance,
    lanes,
    pages,
    reconcile,
    retries,
    single,
    snapshot,
    time_to_live,
)
from campaigns.sending.chunk import utc_now
from campaigns.sending.record import policy_of_installation
from campaigns.webhooks import endpoints, making, switched_off
from recipients import exporting, signup
from recipients import retention as of_people
from recipients.hurry import hurry
from recipients.segments import indexes
from templates_app.media import retention as of_media
from templates_app.media import scanning
from tracking import engagement, unconfirmed
from tracking import retention as of_hits
from tracking.inbound import retention as of_inbound
from tracking.webhooks import storing as webhooks

logger = get_task_logger(__name__)

TICK = timedelta(seconds=1)  # Beat's shortest interval; its entry is in the settings
AFTER_A_FAULT = 1.0  # seconds; a page of which nothing was claimed is sent again at once
PREFLIGHT_SECONDS = 3.0
PREFLIGHT_PATIENCE = timedelta(seconds=30)  # then its tasks, or their workers, are lost
PREFLIGHTS_AT_ONCE = 8  # tasks of one preflight
CALL_SECONDS = 5.0  # then others have their turn; Beat calls again
ENOUGH_QUEUED = 1_000  # tasks: more in the queue would only fill the broker's memory


@shared_task(name="campaigns.tick", ignore_result=True)
def tick() -> None:
    """Fire the campaigns whose time has come, or comes before the next tick; Beat calls this.

    One that cannot be fired must not keep the others from it.
    """
    if instance.check():
        instance.hold_all()
        return
    for campaign_id, at in Campaign.objects.due(now=timezone.now() + TICK).times():
        time.sleep(max(0.0, (at - timezone.now()).total_seconds()))
        try:
            if run_id := fire.fire(campaign_id, now=timezone.now(), doubt=approval.doubt):
                go_on(run_id)
        except Exception:
            logger.exception("campaign %s could not be fired", campaign_id)


@shared_task(name="campaigns.retry", ignore_result=True)
def retry() -> None:
    """Wake workers for due retries, as far as they keep up; Beat calls this each second.

    And go on with runs that waited for a limit or a shut gate.
    """
    if instance.check():
        return
    for run_id in pages.due_runs(now=timezone.now()):
        advance(run_id)
    for run_id in single.due(now=timezone.now()):
        hand_over.delay(run_id)
    for queue, runs in lanes.sending_by_queue().items():
        if _queued_tasks(queue) < ENOUGH_QUEUED:
            for batch in retries.due(runs, now=timezone.now(), lost_after=_redispatch()):
                deliver_chunk.apply_async((batch.run_id, batch.ids), queue=queue)


@shared_task(name="campaigns.prepare", ignore_result=True)
def prepare(run_id: int) -> None:
    """Write down a slice of the audience, and leave word to go on: others have their turn between.

    A page leaves as soon as it is written.
    """
    if instance.check():
        return
    if not snapshot.take_slice(run_id, now=timezone.now()).finished:
        go_on(run_id)
    advance(run_id)


@shared_task(name="campaigns.deliver_chunk")
def deliver_chunk(run_id: int, ids: list[int]) -> dict[str, int]:
    """Attempt some deliveries of a run. Never raises: a chord whose header fails never closes.

    What broke off may do so each time, because the disk is full, say: it takes a moment.
    """
    try:
        return deliver.deliver(run_id, ids, clock=utc_now)
    except Exception:
        said = "run %s: a chunk of %s deliveries broke off"
        logger.exception(said, run_id, len(ids), extra={"run": run_id, "delivery": ids})
        time.sleep(AFTER_A_FAULT)
        return {}


@shared_task(name="campaigns.hand_over", ignore_result=True)
def hand_over(run_id: int) -> None:
    """Attempt a single message; what breaks off here is looked after once more."""
    single.hand_over(run_id, clock=utc_now)


@shared_task(name="campaigns.close_page", ignore_result=True)
def close_page(page_id: int) -> None:
    """Close a page and open the next one, or complete the run.

    What of it was not admitted waits until there is room for it.
    """
    if run_id := pages.close(page_id) or pages.suspend(page_id, now=timezone.now()):
        advance(run_id)


@shared_task(name="campaigns.sweep", ignore_result=True)
def sweep() -> None:
    """Have every run looked after that has not come to its end."""
    for run_id in Run.objects.unfinished().ids():
        heal.apply_async((run_id,), expires=settings.SWEEP_SECONDS)
    for export_id in exporting.waiting(now=timezone.now()):
        write_export.apply_async((export_id,), expires=settings.SWEEP_SECONDS)
    settle_journals()
    if notices.are_due(now=timezone.now()):
        send_notices.apply_async(expires=settings.SWEEP_SECONDS)


@shared_task(name="campaigns.send_notices", ignore_result=True)
def send_notices() -> None:
    """Send the messages of ours whose time has come; another worker may send others of them."""
    if not instance.check():
        notices.send_due(clock=utc_now)


@shared_task(name="campaigns.send_summaries", ignore_result=True)
def send_summaries() -> None:
    """Send staff the figures that they asked for; Beat calls this each minute."""
    if not instance.check():
        summaries.send_due(clock=utc_now)


@shared_task(name="campaigns.call_webhooks", ignore_result=True)
def call_webhooks() -> None:
    """Tell programs elsewhere what happened; Beat calls this each second."""
    if not instance.check():
        making.work(clock=utc_now, seconds=CALL_SECONDS)


@shared_task(name="campaigns.tell_of_webhooks", ignore_result=True)
def tell_of_webhooks() -> None:
    """Tell staff of webhooks that were switched off; Beat calls this each minute."""
    if not instance.check():
        switched_off.tell_staff(clock=utc_now)


@shared_task(name="campaigns.write_export", ignore_result=True)
def write_export(export_id: int) -> None:
    """Write the file of an export that staff asked for."""
    exporting.write(export_id, clock=utc_now)


@shared_task(name="campaigns.preflight", ignore_result=True)
def preflight(preflight_id: int) -> None:
    """Work on a preflight for some seconds, and leave word to go on: others have their turn."""
    if preflights.work(preflight_id, clock=utc_now, seconds=PREFLIGHT_SECONDS):
        preflight.delay(preflight_id)


@shared_task(name="campaigns.sweep_preflights", ignore_result=True)
def sweep_preflights() -> None:
    """Set preflights, and looks at senders, going again that stand still; Beat calls this."""
    now = timezone.now()
    for preflight_id in preflights.standing_still(since=now - PREFLIGHT_PATIENCE):
        work_on_preflight(preflight_id)
    for sender_id in watching.standing_still(since=now - PREFLIGHT_PATIENCE, now=now):
        check_sender.delay(sender_id)


@shared_task(name="campaigns.check_sender", ignore_result=True)
def check_sender(sender_id: int) -> None:
    """Ask what receivers would meet: the DNS, the relays, the unsubscribe button."""
    watching.check(sender_id, clock=utc_now)


@shared_task(name="campaigns.check_senders", ignore_result=True)
def check_senders() -> None:
    """Have the senders of scheduled campaigns looked at; Beat calls this each night."""
    for sender_id in watching.want_awaited(now=timezone.now()):
        check_sender.delay(sender_id)


@shared_task(name="campaigns.heal", ignore_result=True)
def heal(run_id: int) -> None:
    """Find what lost messages and lost workers left behind in a run, and set it going again."""
    now = timezone.now()
    reconcile.expire(run_id, directory=settings.STATE_DIR / "journal", now=now)
    reconcile.cancel_left_over(run_id, now=now)
    if Run.objects.resending().filter(pk=run_id).exists():
        unconfirmed.resend_old(run_id, before=now - _doubt(), now=now)
    time_to_live.expire_old(run_id, now=now)
    complete.reopen(run_id)
    if snapshot.is_stuck(run_id, before=now - _redispatch()):
        go_on(run_id)
    lane = lanes.lane_of(run_id)
    if lane.is_served:
        # While workers have messages to take, a page that stands still is rather late than lost.
        patience = _redispatch() * (8 if _queued_tasks(lane.deliveries) else 1)
        send(pages.reopen_lost(run_id, now=now, after=patience), lane)
    pages.close_finished(run_id)
    if not gates.forecast(run_id, now=now).is_limited:
        # A page may wait for a gate that opened meanwhile, or by which its sender goes no more.
        gates.wake(now=now, run_id=run_id)
    advance(run_id)


@shared_task(name="campaigns.guard", ignore_result=True)
def guard_runs() -> None:
    """Warn of runs that receivers turn against, or pause them; Beat calls this."""
    for run_id in Run.objects.of_campaigns().having(RunStatus.SENDING).ids():
        if guard.watch(run_id, now=timezone.now()):
            logger.warning("run %s was paused by its guardrails", run_id)


@shared_task(name="campaigns.retention", ignore_result=True)
def retention() -> None:
    """Delete what is older than the installation wants to keep it, of people and of tasks.

    Where a part of it cannot be deleted, as while a storage is away, the others are all the same.
    """
    faults = []
    for delete in _DELETIONS:
        try:
            delete(now=timezone.now())
        except Exception as fault:  # noqa: BLE001 - raised below
            faults.append(fault)
    if faults:
        raise ExceptionGroup("not all that is too old is deleted", faults)


def _delete_results(*, now: datetime) -> int:
    return keep.delete_old_results(now=now, older_than=timedelta(days=settings.TASK_RESULT_DAYS))


def _forget_versions(*, now: datetime) -> int:
    return keep.forget_versions(now=now, older_than=timedelta(days=settings.VERSION_DAYS))


_DELETIONS: tuple[Callable[..., object], ...] = (
    of_people.clean,
    signup.forget_unconfirmed,
    of_media.forget_unnamed,
    of_inbound.clean,
    of_hits.clean,
    lambda now: transactional.forget_contents(),
    transactional.forget_old,
    webhooks.forget_old,
    endpoints.forget_old,
    _forget_versions,
    lambda now: keep.delete_chord_counters(),
    _delete_results,
)


@shared_task(name="campaigns.scan_media", ignore_result=True)
def scan_media() -> None:
    """Have the scanner look at files that it has not seen; Beat calls this each minute."""
    scanning.scan_waiting()


@shared_task(name="campaigns.fold", ignore_result=True)
def fold() -> None:
    """Take what ended runs have sent into what segments ask of it; Beat calls this each minute."""
    engagement.fold_due(now=timezone.now())


@shared_task(name="campaigns.mend_indexes", ignore_result=True)
def mend_indexes() -> None:
    """Make and drop the indexes of custom fields; Beat calls this each minute."""
    for done in indexes.mend_indexes():
        logger.warning("fields: %s", done)


@worker_ready.connect
def settle_journals(**_: Any) -> None:
    """Tell what the dead workers of this machine had done; also when a worker comes back."""
    directory = settings.STATE_DIR / "journal"
    reconcile.settle(directory, policy=policy_of_installation(), now=timezone.now())


def wake_notices() -> None:
    """Have new messages of ours sent at once, or fail: then the sweep sends them."""
    hurry(send_notices.apply_async)


def wake_message(run_id: int) -> None:
    """Have a new message handed over at once, or fail: then it is looked after a little later."""
    hurry(hand_over.apply_async, (run_id,))


def wake_preflight(preflight_id: int) -> None:
    """Have workers begin with a preflight when it is committed; else the sweep tells them."""
    transaction.on_commit(partial(work_on_preflight, preflight_id), robust=True)


def wake_sender_check(sender_id: int) -> None:
    """Have a worker look at a sender when it is committed; else the sweep tells one."""
    transaction.on_commit(partial(check_sender.delay, sender_id), robust=True)


def work_on_preflight(preflight_id: int) -> None:
    """Have several workers make the steps of a preflight."""
    for _ in range(min(preflights.steps_left(preflight_id), PREFLIGHTS_AT_ONCE)):
        preflight.delay(preflight_id)


def go_on(run_id: int, **options: Any) -> None:
    """Have a run prepared as far as it is not, and sent on; the options are Celery's."""
    prepare.apply_async((run_id,), queue=lanes.lane_of(run_id).housekeeping, **options)


def advance(run_id: int) -> None:
    """Send the next pages of a run, or complete it where none is left."""
    now = timezone.now()
    lane = lanes.lane_of(run_id)
    if lane.is_served:
        send(pages.open_next(run_id, now=now), lane)
    complete.complete(run_id, now=now)


@shared_task(name="campaigns.take_screenshots", ignore_result=True)
def take_screenshots(version_id: int) -> None:
    """Take the pictures of a version that are wanted."""
    screenshots.take(version_id)


def send(open_pages: Iterable[pages.OpenPage], lane: lanes.Lane) -> None:
    """Send each page as a chord; a crash before this leaves an open page, which the sweep finds."""
    for page in open_pages:
        if page.chunks:
            header = [
                deliver_chunk.si(page.run_id, ids).set(queue=lane.deliveries) for ids in page.chunks
            ]
            chord(header)(close_page.si(page.id).set(queue=lane.housekeeping))


def _queued_tasks(name: str) -> int:
    """Return how many messages wait for the workers of a queue."""
    with current_app.connection_for_read() as broker:
        queue: Any = current_app.amqp.queues[name].bind(broker.default_channel)
        return int(queue.queue_declare().message_count)


def _doubt() -> timedelta:
    return timedelta(seconds=settings.UNCONFIRMED_RESEND_SECONDS)


def _redispatch() -> timedelta:
    return timedelta(seconds=settings.REDISPATCH_SECONDS)
