"""Reconcile: what a process that died has left behind."""

import logging
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.db import transaction

from campaigns.models import Run, RunStatus, Slot
from campaigns.sending import journal
from campaigns.sending.record import record
from campaigns.sending.retry_policy import RetryPolicy
from recipients.recognising import kept
from tracking import ledger
from tracking.models import Delivery, Lease

logger = logging.getLogger(__name__)

# A claim ran out, nobody recorded its end, and no journal of this machine tells it (one that does
# belongs to a worker that lives, or is settled soon). The message may have gone, so it is not sent
# again; the lease stays: where the worker comes back with the answer, the row takes it.
_EXPIRED = """
    SELECT delivery.id, delivery.state AS from_state, 'unconfirmed' AS to_state
      FROM tracking_delivery delivery
     WHERE delivery.id = ANY(%(ids)s) AND delivery.state = 'sending' AND delivery.lease = %(lease)s
     ORDER BY delivery.id
       FOR UPDATE OF delivery SKIP LOCKED
"""
_LOST = kept("the worker was lost while it sent")
_EXPIRED_CHANGES = f"diagnostic = '{_LOST}'"

_OPEN = """
    SELECT delivery.id, delivery.state AS from_state, 'cancelled' AS to_state
      FROM tracking_delivery delivery
     WHERE delivery.run_id = %(run)s AND delivery.id > %(after)s
       AND delivery.state IN ('queued', 'retry')
     ORDER BY delivery.id
     LIMIT %(size)s
       FOR UPDATE OF delivery
"""
_CANCELLED_CHANGES = "next_attempt_at = NULL"
_SLICE = 10_000  # deliveries in one transaction
AT_ONCE = 20_000  # deliveries that are cancelled while somebody waits for it: half a second


def settle(directory: Path, *, policy: RetryPolicy, now: datetime) -> int:
    """Record what the journals of dead workers on this machine prove; return how many claims.

    What was not begun is due at once, what was answered is recorded as it was answered, and the one
    message that was on its way is unconfirmed.
    """
    claims = 0
    for path in journal.journals(directory):
        try:
            with journal.abandoned(path, now=now) as left:
                if left:
                    claims += _settle(left, policy=policy, now=now)
        except FileNotFoundError:
            continue  # its worker, or another sweep, was faster
        except OSError as error:
            # It must not keep the others from being settled; now the lease decides.
            logger.error("journal %s cannot be read and is put aside: %s", path, error)
            path.rename(path.with_suffix(".unreadable"))
    return claims


def _settle(left: journal.Abandoned, *, policy: RetryPolicy, now: datetime) -> bool:
    claimed = Delivery.objects.claimed_by(left.lease).of_run(left.run_id)
    results = left.notes.conclude(claimed.values_list("pk", "attempts"), untouched=None)
    Slot.objects.filter(lease=left.lease).delete()  # its connections went with it
    return bool(record(left.run_id, results, lease=left.lease, policy=policy, now=now))


def expire(run_id: int, *, directory: Path, now: datetime) -> int:
    """Mark the deliveries of a run whose lease is over as unconfirmed; return how many."""
    told = [journal.lease_of(path) for path in journal.journals(directory)]
    over = Lease.objects.filter(run_id=run_id, until__lt=now).exclude(pk__in=told)
    return sum(_expire(lease, now=now) for lease in over.values_list("pk", flat=True))


@transaction.atomic(durable=True)
def _expire(pk: UUID, *, now: datetime) -> int:
    # One by one: with the counters in hand it waits for no lease, nor has others wait for two.
    lease = Lease.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if lease is None:
        return 0
    params = {"ids": lease.deliveries, "lease": pk}
    moved = ledger.move(
        lease.run_id, pick=_EXPIRED, changes=_EXPIRED_CHANGES, params=params, now=now
    )
    held = Delivery.objects.filter(pk__in=lease.deliveries, lease=pk).sending()
    if not held.exists():  # else somebody else had a row at this moment: the next sweep has it
        lease.delete()
    return len(moved)


def cancel_open(run_id: int, *, now: datetime, most: int = AT_ONCE) -> int:
    """Cancel what is queued or waits for another attempt, slice by slice; return how many.

    Of a large run some `most` of them: the sweep goes on. Nobody claims them meanwhile.
    """
    params, done = {"after": 0, "size": _SLICE}, 0
    while done < most:
        moved = ledger.move(run_id, pick=_OPEN, changes=_CANCELLED_CHANGES, params=params, now=now)
        if not moved:
            break
        done += len(moved)
        params["after"] = max(row.id for row in moved)
    return done


def cancel_left_over(run_id: int, *, now: datetime) -> int:
    """Cancel what is still open, or again, of a run that was cancelled; return how many."""
    if not Run.objects.having(RunStatus.CANCELLED).filter(pk=run_id).exists():
        return 0
    return cancel_open(run_id, now=now, most=10 * AT_ONCE)
