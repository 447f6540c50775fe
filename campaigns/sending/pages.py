"""Open a run's pages, a bounded number at a time, and close them when all in them was attempted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from campaigns.models import Page, PageState, Run, RunStatus
from tracking.models import Delivery, DeliveryState

IN_FLIGHT = 3  # open pages of a run: what Redis holds does not grow with the audience
TASKS_PER_PAGE = 50
LARGEST_CHUNK = 500  # ids in one task; above this nothing is gained


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page to be sent: its queued deliveries in chunks, one task each."""

    id: int
    run_id: int
    chunks: list[list[int]]

    @classmethod
    def of(cls, page: Page) -> Self:
        return cls(page.pk, page.run_id, chunked(_queued_ids(page)))


def chunked(ids: Sequence[int]) -> list[list[int]]:
    """Split ids so that a small page is sent one by one and a large one by the hundred.

    A broker message costs about a millisecond of CPU, a mail a tenth of that.
    """
    size = min(LARGEST_CHUNK, max(1, len(ids) // TASKS_PER_PAGE))
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]


@transaction.atomic(durable=True)
def open_next(run_id: int, *, now: datetime) -> list[OpenPage]:
    """Open waiting pages of a run that is being sent until enough are in flight."""
    run = Run.objects.select_for_update().get(pk=run_id)
    if run.status != RunStatus.SENDING:
        return []
    room = IN_FLIGHT - run.pages.filter(state=PageState.OPEN).count()
    waiting = run.pages.filter(state=PageState.WAITING).order_by("number")[: max(0, room)]
    return [_dispatched(page, now=now) for page in waiting]


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
    run = Run.objects.select_for_update().get(pk=run_id)
    if run.status != RunStatus.SENDING:
        return []
    return [
        _dispatched(page, now=now)
        for page in run.pages.filter(state=PageState.OPEN).order_by("number")
        if _stands_still(page, now=now, after=after)
    ]


def _stands_still(page: Page, *, now: datetime, after: timedelta) -> bool:
    left = len(_queued_ids(page))
    if left != page.left:
        Page.objects.filter(pk=page.pk).update(left=left, moved_at=now)
        return False
    return bool(left and page.moved_at and page.moved_at <= now - after)


def _dispatched(page: Page, *, now: datetime) -> OpenPage:
    open_page = OpenPage.of(page)
    Page.objects.filter(pk=page.pk).update(
        state=PageState.OPEN, left=sum(map(len, open_page.chunks)), moved_at=now
    )
    return open_page


def _finished_pages() -> QuerySet[Page]:
    queued = Delivery.objects.filter(
        run_id=OuterRef("run_id"),
        state=DeliveryState.QUEUED,
        id__range=(OuterRef("first_delivery"), OuterRef("last_delivery")),
    )
    return Page.objects.filter(~Exists(queued), state=PageState.OPEN)


def _queued_ids(page: Page) -> list[int]:
    rows = Delivery.objects.filter(
        run_id=page.run_id,
        state=DeliveryState.QUEUED,
        id__range=(page.first_delivery, page.last_delivery),
    )
    return list(rows.order_by("id").values_list("id", flat=True))
