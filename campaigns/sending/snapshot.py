"""Write a run's audience into the ledger, slice by slice, so that the first page leaves at once."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from campaigns.membership import EVERYBODY, membership
from campaigns.models import Run, RunStatus
from recipients import locks
from recipients.models import Recipient
from recipients.segments.grammar import BadRules
from tracking import ledger

SLICE = 10_000  # recipients in a slice, and so deliveries in a page
FIRST_SLICE = 1_000  # written in some 30 ms: the first message leaves as soon
WALK = 200_000  # ids among which a slice looks for who answers to a segment: under 0.1 s


@dataclass(frozen=True, slots=True)
class Slice:
    rows: int
    finished: bool


@transaction.atomic(durable=True)
def take_slice(run_id: int, *, now: datetime, size: int | None = None, walk: int = WALK) -> Slice:
    """Write the next slice of the audience and the page that will send it.

    A slice may be empty, and more to come: where few answer to a segment, it is a long walk.

    The run's row is locked for the slice and its cursor moves with it: two processes that prepare
    the same run take turns, and one that dies leaves nothing half done.
    """
    locks.write_addresses()
    run = Run.objects.select_for_update(of=("self",), no_key=True).with_counters().get(pk=run_id)
    if run.status == RunStatus.PREPARING and run.is_too_late(now=now):
        Run.objects.filter(pk=run_id).hold(run.lateness)
        return Slice(rows=0, finished=True)
    if run.prepared_at or run.status == RunStatus.HELD:
        return Slice(rows=0, finished=True)
    try:
        # Segments speak of one moment in all slices.
        members = membership(run.campaign, at=run.created_at)
    except BadRules as error:
        return _give_up(run, str(error), now=now)
    size = size or (SLICE if run.audience else FIRST_SLICE)
    upto = _after(run.snapshot_cursor) + walk if members.walks else EVERYBODY["upto"]
    state = "cancelled" if run.status == RunStatus.CANCELLED else "queued"
    bounds = {"after": run.snapshot_cursor, "upto": upto, "size": size, "state": state}
    params = {**members.params, **bounds}
    # A slice later than a change of the campaign's lists is written by the new ones.
    run.lists.add(*run.campaign.lists.all())
    written = ledger.enqueue(run_id, audience=members.sql, params=params, now=now)
    is_full = written.rows == size
    finished = not is_full and _after(upto) == upto
    if not finished:
        run.snapshot_cursor = (is_full and written.last_recipient) or upto
    _note(run, written, finished=finished, now=now)
    return Slice(rows=written.rows, finished=finished)


def _after(cursor: int) -> int:
    """Return the id of the next recipient; the cursor where there is none."""
    later = Recipient.objects.filter(pk__gt=cursor).order_by("pk").values_list("pk", flat=True)
    return later.first() or cursor


def _note(run: Run, written: ledger.Enqueued, *, finished: bool, now: datetime) -> None:
    """Note in the run how far it came, and the page that will send what was written."""
    if written.first_queued is not None and written.last_queued is not None:
        run.pages.create(
            number=run.pages.count() + 1,
            first_delivery=written.first_queued,
            last_delivery=written.last_queued,
        )
    run.audience += written.rows
    run.prepared_at = now if finished else None
    if run.status == RunStatus.PREPARING:
        run.status = RunStatus.SENDING
        run.started_at = now
    run.save()


def _give_up(run: Run, reason: str, *, now: datetime) -> Slice:
    """Have a person mend what the audience cannot be found by; of a cancelled run nobody will."""
    if run.status == RunStatus.CANCELLED:
        Run.objects.filter(pk=run.pk).update(prepared_at=now)
    else:
        Run.objects.filter(pk=run.pk).hold(reason)
    return Slice(rows=0, finished=True)


def is_stuck(run_id: int, *, before: datetime) -> bool:
    """Whether the audience is not written down to its end, and nothing has moved since `before`."""
    run = Run.objects.with_counters().get(pk=run_id)
    if run.prepared_at or run.status == RunStatus.HELD:
        return False
    return run.counters.moved_at < before
