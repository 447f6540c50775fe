"""The ledger: what became of each message, and what came back for it."""

from datetime import datetime
from typing import Annotated, Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from campaigns import lookup
from campaigns.models import Run
from recipients.api.paging import (
    Cursor,
    Key,
    Next,
    Page,
    Paging,
    page_of,
    read_cursor,
    write_cursor,
)
from recipients.api.refusals import Fault, invalid
from recipients.api.things import found, shown
from recipients.models.lists import hidden_lists
from recipients.sentences import sentence
from tracking.models import (
    Category,
    Delivery,
    DeliveryEvent,
    DeliveryQuerySet,
    DeliveryState,
    EventKind,
    SkipReason,
)

router = Router()
events_router = Router()


class DeliveryOut(Schema):
    id: int
    run: int
    recipient: int | None
    address: str
    state: DeliveryState
    skip_reason: SkipReason | None
    attempts: int
    next_attempt_at: datetime | None
    reply_code: int | None
    enhanced_status_code: str
    diagnostic: str
    message_id: str
    created_at: datetime
    attempted_at: datetime | None
    finished_at: datetime | None

    @staticmethod
    def resolve_run(delivery: Delivery) -> int:
        return delivery.run_id

    @staticmethod
    def resolve_recipient(delivery: Delivery) -> int | None:
        return delivery.recipient_id

    @staticmethod
    def resolve_skip_reason(delivery: Delivery) -> str | None:
        return delivery.skip_reason or None


class EventOut(Schema):
    id: int
    delivery: int
    run: int
    recipient: int | None
    kind: EventKind
    category: Category | None
    is_hard: bool
    reply_code: int | None
    enhanced_status_code: str
    diagnostic: str
    at: datetime

    @staticmethod
    def resolve_delivery(event: DeliveryEvent) -> int:
        return event.delivery_id

    @staticmethod
    def resolve_run(event: DeliveryEvent) -> int:
        return event.run_id

    @staticmethod
    def resolve_recipient(event: DeliveryEvent) -> int | None:
        return event.recipient_id

    @staticmethod
    def resolve_category(event: DeliveryEvent) -> str | None:
        return event.category or None


class LedgerAsked(Schema):
    q: Annotated[
        str,
        Field(max_length=400, description="An address, a Message-ID, a domain, or `run 7`."),
    ] = ""
    run: Annotated[int, Field(ge=1, le=999_999_999)] | None = None
    state: DeliveryState | None = None
    cursor: Cursor = ""


class LedgerPage(Schema):
    items: list[DeliveryOut]
    next: Next
    is_partial: bool = Field(
        description="Only 20,000 rows were looked through for it: there may be more."
    )


class EventsAsked(Paging):
    run: Key | None = None


@router.get("", response=LedgerPage)
def list_deliveries(request: HttpRequest, asked: Query[LedgerAsked]) -> dict[str, Any]:
    """Fifty messages that a search finds, the newest first, as the page of the ledger does."""
    wanted = lookup.Asked(asked.q, asked.run, asked.state or "")
    where = {"older": str(read_cursor(request, asked.cursor))} if asked.cursor else {}
    answer = lookup.look_up(wanted, _deliveries(request), where)
    if answer.problem:
        raise invalid([Fault("/q", sentence(answer.problem))])
    page = answer.page
    following = None if page.older is None else write_cursor(request, page.older)
    return {"items": page.rows, "next": following, "is_partial": answer.is_partial}


@router.get("/{int:pk}", response=DeliveryOut)
def get_delivery(request: HttpRequest, response: HttpResponse, pk: Key) -> DeliveryOut:
    """One message."""
    return shown(response, found(_deliveries(request), pk), DeliveryOut)


@router.get("/{int:pk}/events", response=Page[EventOut])
def list_events_of_delivery(request: HttpRequest, pk: Key, paging: Query[Paging]) -> dict[str, Any]:
    """What came back for a message: bounces, complaints, and that its reader left."""
    delivery = found(_deliveries(request), pk)
    return page_of(request, DeliveryEvent.objects.filter(delivery=delivery), paging)


@events_router.get("", response=Page[EventOut])
def list_events(request: HttpRequest, asked: Query[EventsAsked]) -> dict[str, Any]:
    """What came back, the newest first."""
    rows = DeliveryEvent.objects.all()
    if asked.run:
        rows = rows.of_run(asked.run)
    return page_of(request, _seen(request, rows), asked)


def _deliveries(request: HttpRequest) -> DeliveryQuerySet:
    return Delivery.objects.visible_to(request.user)


def _seen(request: HttpRequest, rows: "QuerySet[DeliveryEvent]") -> "QuerySet[DeliveryEvent]":
    if not hidden_lists(request.user):
        return rows
    return rows.filter(run__in=Run.objects.visible_to(request.user).values("pk"))
