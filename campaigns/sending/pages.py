"""Open a run's pages, a bounded number at a time, and close them when all in them was attempted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from campaigns.models import Page, PageState, Run, RunStatus
from campaigns.sending import gates
from tracking.models import Delivery

IN_FLIGHT = 3  # open pages of a run: what Redis holds does not grow with the audience
SMALL_RUN = 50  # tasks of a run that is one page: the smallest goes one by one
BEGINNING = 20  # of the first page of a larger one: all workers have work at once
TASKS_PER_PAGE = 10
LARGEST_CHUNK = 1_000  # ids in one task; above this nothing is gained
FEW_TASKS = 4  # where a limit lets only some messages of a page pass
AGAIN = timedelta(seconds=1)  # until a page is sent once more of which a chunk broke off


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page to be sent: its queued deliveries in chunks, one task each."""

    id: int
    run_id: int
    chunks: list[list[int]]


def chunked(ids: Sequence[int], *, tasks: int) -> list[list[int]]:
    """Split ids into about so many chunks.

    A broker message costs about a millisecond of CPU, a mail a tenth of that.
    """
    size = min(LARGEST_CHUNK, max(1, len(ids) // tasks))
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]


@transaction.atomic(durable=True)
def open_next(run_id: int, *, now: datetime) -> list[OpenPage]:
    """Open waiting pages of a run that is being sent until enough are in flight.

    Where a limit or a shut gate lets only some messages pass, or none, no more are sent to workers
    than it will let pass.
    """
    run = Run.objects.select_for_update(no_key=True).get(pk=run_id)
    if run.status != RunStatus.SENDING:
        return []
    ahead = gates.forecast(run_id, now=now)
    in_flight = run.pages.filter(state=PageState.OPEN).count()
    if ahead.is_limited:
        return [] if in_flight else _open_some(run, ahead, now=now)
    is_due = Q(resume_at__isnull=True) | Q(resume_at__lte=now)
    due = run.pages.filter(is_due, state=PageState.WAITING).order_by("number")
    return [_dispatched(page, now=now) for page in due[: max(0, IN_FLIGHT - in_flight)]]


def suspend(page_id: int, *, now: datetime) -> int | None:
    """Have an open page wait whose messages were not all admitted, and return its run's id.

    None where nothing of it is queued, or where its run is not being sent.
    """
    page = Page.objects.get(pk=page_id)
    ahead = gates.forecast(page.run_id, now=now)
    resume_at = ahead.resume_at if ahead.room == 0 else now if ahead.is_limited else now + AGAIN
    left = Page.objects.filter(_has_queued(), pk=page_id, state=PageState.OPEN)
    waits = left.filter(run__status=RunStatus.SENDING).update(
        state=PageState.WAITING, resume_at=resume_at
    )
    return page.run_id if waits else None


def due_runs(*, now: datetime) -> list[int]:
    """Return the runs being sent of which a page waited for a limit or a gate, and may go on."""
    due = Page.objects.filter(state=PageState.WAITING, resume_at__lte=now)
    due = due.filter(run__status=RunStatus.SENDING)
    return list(due.order_by("run_id").values_list("run_id", flat=True).distinct())


def close(page_id: int) -> int | None:
    """Close a page that has nothing queued and return its run's id, or None where it is not so.

    Only one of several that try is answered with the run.
    """
    page = Page.objects.get(pk=page_id)
    return (
        page.run_id if _finished_pages().filter(pk=page_id).update(state=PageState.CLOSED) else None
    )


def close_finished(run_id: int) -> int:
    """Close the open pages whose closing message was lost; return how many."""
    return _finished_pages().filter(run_id=run_id).update(state=PageState.CLOSED)


@transaction.atomic(durable=True)
def reopen_lost(run_id: int, *, now: datetime, after: timedelta) -> list[OpenPage]:
    """Return the open pages whose messages seem to be lost, to be sent once more.

    That is where deliveries are queued, and since `after` there were neither fewer of them nor was
    the page sent. Messages that were only slow find nothing to claim.
    """
    run = Run.objects.select_for_update(no_key=True).get(pk=run_id)
    if run.status != RunStatus.SENDING:
        return []
    lost = [
        page
        for page in run.pages.filter(state=PageState.OPEN).order_by("number")
        if _stands_still(page, now=now, after=after)
    ]
    if lost and gates.forecast(run_id, now=now).is_limited:
        for page in lost:
            suspend(page.pk, now=now)
        return []
    return [_dispatched(page, now=now) for page in lost]


def _open_some(run: Run, ahead: gates.Forecast, *, now: datetime) -> list[OpenPage]:
    """Open pages only as far as the forecast says; else note when to look again."""
    left, opened = ahead.most(LARGEST_CHUNK), []
    waiting = run.pages.filter(state=PageState.WAITING).order_by("number")
    if not left:
        first = waiting.values("pk")[:1]
        kept = Q(pk__in=first) | Q(resume_at__isnull=False)
        waiting.filter(kept).update(resume_at=ahead.resume_at)
    for page in waiting[:IN_FLIGHT]:
        if left <= 0:
            break
        opened.append(_dispatched(page, now=now, most=left, tasks=ahead.chunks or FEW_TASKS))
        left -= sum(map(len, opened[-1].chunks))
    return opened


def _stands_still(page: Page, *, now: datetime, after: timedelta) -> bool:
    left = len(_queued_ids(page))
    if left != page.left:
        Page.objects.filter(pk=page.pk).update(left=left, moved_at=now)
        return False
    return bool(left and page.moved_at and page.moved_at <= now - after)


def _dispatched(
    page: Page, *, now: datetime, most: int | None = None, tasks: int | None = None
) -> OpenPage:
    ids = _queued_ids(page)
    tasks = tasks or _tasks_of(page)
    Page.objects.filter(pk=page.pk).update(
        state=PageState.OPEN, left=len(ids), moved_at=now, resume_at=None
    )
    return OpenPage(page.pk, page.run_id, chunked(ids[:most], tasks=tasks))


def _tasks_of(page: Page) -> int:
    if page.number > 1:
        return TASKS_PER_PAGE
    return SMALL_RUN if page.run.prepared_at else BEGINNING


def _finished_pages() -> QuerySet[Page]:
    return Page.objects.filter(~_has_queued(), state=PageState.OPEN)


def _has_queued() -> Exists:
    return Exists(
        Delivery.objects.queued_between(
            OuterRef("first_delivery"), OuterRef("last_delivery"), run=OuterRef("run_id")
        )
    )


def _queued_ids(page: Page) -> list[int]:
    rows = Delivery.objects.queued_between(page.first_delivery, page.last_delivery, run=page.run_id)
    return list(rows.order_by("id").values_list("id", flat=True))
