"""Single messages: handed over one by one, and looked after until they are at their end.

Each is a run of one recipient, so it has what a campaign has: claim, journal, record, retries. What
pages and chords are to a campaign, one column is to a message: `look_at` says when somebody is to
look after it, and is empty at its end alone. So no lost task, dead worker or emptied broker loses
it.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from structlog.contextvars import bind_contextvars

from campaigns.models import Message, Run, RunAttachment, RunStatus
from campaigns.sending import gates, reconcile, time_to_live
from campaigns.sending.chunk import Clock
from campaigns.sending.deliver import deliver
from tracking.models import Delivery, DeliveryState, Lease

MOST_AT_ONCE = 1_000  # tasks that are sent in a second
SOON = timedelta(seconds=1)
HELD = timedelta(minutes=1)  # a person has to say go: after that, within so long
DOUBTED = timedelta(minutes=10)  # a person may have it sent again

# Whose time it is; from now on they are looked after again if this task is lost, too.
_DUE = """
UPDATE campaigns_message SET look_at = %(again)s
  FROM campaigns_run run
 WHERE campaigns_message.id IN (SELECT id FROM campaigns_message
                                 WHERE look_at <= %(now)s ORDER BY look_at LIMIT %(most)s
                                   FOR UPDATE SKIP LOCKED)
   AND run.message_id = campaigns_message.id
RETURNING run.id
"""

# What there is to do for a message, in one look: it is asked twice for each.
_STANDS = """
SELECT delivery.id,
       delivery.state = 'queued'
       OR delivery.state = 'retry' AND delivery.next_attempt_at <= %(now)s,
       run.status = 'sending' AND delivery.state IN ('queued', 'retry')
       AND %(now)s - run.started_at <= campaign.time_to_live
  FROM campaigns_run run
  JOIN campaigns_campaign campaign ON campaign.id = run.campaign_id
  JOIN tracking_delivery delivery ON delivery.run_id = run.id
 WHERE run.id = %(run)s
"""

# Nothing leads out of these states, so nobody has to be kept from them meanwhile.
_END = """
WITH ended AS (
    UPDATE campaigns_run AS run SET status = 'completed', finished_at = %(now)s
      FROM tracking_delivery delivery
     WHERE run.id = %(run)s AND run.status IN ('sending', 'paused', 'held')
       AND delivery.run_id = run.id
       AND delivery.state IN ('sent', 'failed', 'skipped', 'cancelled')
    RETURNING run.message_id
), let_go AS (
    DELETE FROM campaigns_runattachment
     WHERE run_id = %(run)s AND EXISTS (SELECT FROM ended)
)
UPDATE campaigns_message SET look_at = NULL, fields = '{}'
 WHERE id IN (SELECT message_id FROM ended)
"""


def due(*, now: datetime, most: int = MOST_AT_ONCE) -> list[int]:
    """Return the runs of messages that somebody is to look after now; nobody else is told them."""
    params: dict[str, Any] = {"now": now, "again": now + _lost_after(), "most": most}
    with connection.cursor() as cursor:
        cursor.execute(_DUE, params)
        return sorted(run_id for (run_id,) in cursor.fetchall())


def first_look(*, now: datetime) -> datetime:
    """Return when a new message is looked after whose task is lost."""
    return now + _lost_after()


def wake(deliveries: list[int], *, now: datetime) -> None:
    """Have messages looked after at once: a person has them sent again."""
    runs = Delivery.objects.filter(pk__in=deliveries).values("run")
    Message.objects.filter(run__in=runs).update(look_at=now)


def hand_over(run_id: int, *, clock: Clock) -> None:
    """Attempt a message if it may be attempted now, and note when it is to be looked after again.

    May be called at any time, and by several at once: what is claimed is nobody else's.
    """
    delivery, is_due, is_sound = _stands(run_id, now=clock())
    bind_contextvars(run=run_id, delivery=delivery)  # in logs, until the task ends
    if not is_sound:
        _mend(run_id, now=clock())
        delivery, is_due, _ = _stands(run_id, now=clock())
    if is_due:
        deliver(run_id, [delivery], clock=clock)
    if not _end(run_id, now=clock()):
        _note(run_id, now=clock())


def _stands(run_id: int, *, now: datetime) -> tuple[int, bool, bool]:
    """Return the message's delivery, if it may be attempted, and if nothing is to be mended."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDS, {"run": run_id, "now": now})
        delivery, is_due, is_sound = cursor.fetchone()
    return delivery, is_due, is_sound


def _end(run_id: int, *, now: datetime) -> bool:
    """Note that a message is at its end, if it is; of what it was filled with nothing is kept."""
    with connection.cursor() as cursor:
        cursor.execute(_END, {"run": run_id, "now": now})
        return bool(cursor.rowcount)


def _mend(run_id: int, *, now: datetime) -> None:
    """Do what the sweep does for a campaign's run."""
    if Lease.objects.filter(run=run_id, until__lt=now).exists():
        reconcile.expire(run_id, directory=settings.STATE_DIR / "journal", now=now)
    run = Run.objects.select_related("campaign").get(pk=run_id)
    if run.status == RunStatus.CANCELLED:
        reconcile.cancel_open(run_id, now=now)
    elif run.is_too_old(at=now):
        time_to_live.expire_old(run_id, now=now)
    if run.status == RunStatus.COMPLETED:
        Run.objects.having(RunStatus.COMPLETED).with_open_deliveries().filter(pk=run_id).update(
            status=RunStatus.SENDING, finished_at=None
        )


@transaction.atomic(durable=True)
def _note(run_id: int, *, now: datetime) -> None:
    """Note when the message is to be looked after again, or that it is at its end."""
    run = Run.objects.select_for_update(of=("self",), no_key=True).get(pk=run_id)
    delivery = Delivery.objects.of_run(run_id).get()
    look_at = _next_look(run, delivery, now=now)
    message = Message.objects.filter(run=run)
    message.update(look_at=look_at)
    if delivery.state in (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.RETRY):
        return
    under_way = Run.objects.having(RunStatus.SENDING, RunStatus.PAUSED, RunStatus.HELD)
    under_way.filter(pk=run_id).update(status=RunStatus.COMPLETED, finished_at=now)
    if look_at is None:
        message.update(fields={})
        RunAttachment.objects.filter(run=run_id).delete()


def _next_look(run: Run, delivery: Delivery, *, now: datetime) -> datetime | None:
    match delivery.state:
        case DeliveryState.QUEUED | DeliveryState.RETRY if run.status != RunStatus.SENDING:
            return now + HELD
        case DeliveryState.QUEUED:
            return _when_admitted(run, now=now)
        case DeliveryState.RETRY:
            at = delivery.next_attempt_at or now
            return at if at > now else _when_admitted(run, now=now)
        case DeliveryState.SENDING:
            lease = Lease.objects.filter(run=run).first()
            return min(lease.until if lease else now, now + _lost_after()) + SOON
        case DeliveryState.UNCONFIRMED if run.status != RunStatus.CANCELLED:
            return now + DOUBTED
        case _:
            return None


def _when_admitted(run: Run, *, now: datetime) -> datetime:
    """Return when to try once more what was not claimed."""
    at = gates.forecast(run.pk, now=now).resume_at
    wait = timedelta(seconds=settings.TRANSPORT_WAIT_SECONDS) if run.obstacle else SOON
    return max(at or now, now + wait)


def _lost_after() -> timedelta:
    return timedelta(seconds=settings.REDISPATCH_SECONDS)
