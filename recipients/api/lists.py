"""Lists, and who is on them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from recipients import people
from recipients.api.paging import Key, Page, Paging, page_of
from recipients.api.people import MOST, declared
from recipients.api.refusals import refuse_form
from recipients.api.subscriptions import SubscriptionOut, subscriptions_of
from recipients.api.things import found, held, shown
from recipients.forms.lists import ListForm
from recipients.models import MailingList, SubscriptionState, Tracking
from recipients.views.declaring import source_of
from recipients.views.seen import lists_of, recipients_of

router = Router()


class ListOut(Schema):
    id: int
    name: str
    description: str
    is_public: bool
    tracking: Tracking
    identifier: UUID
    is_limited: bool
    created_at: datetime


class ListIn(Schema):
    name: Annotated[str, Field(max_length=200)]
    description: str = ""
    is_public: bool = False
    tracking: Tracking = Tracking.FULL


class ListPatch(Schema):
    name: Annotated[str, Field(max_length=200)] | None = None
    description: str | None = None
    is_public: bool | None = None
    tracking: Tracking | None = None


@router.get("", response=Page[ListOut])
def list_lists(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """The lists that the caller sees, the newest first."""
    return page_of(request, lists_of(request), paging)


@router.post("", response={201: ListOut})
def add_list(request: HttpRequest, given: ListIn) -> Status[Any]:
    """Make a list."""
    return Status(201, _save(MailingList(), given.dict()))


@router.get("/{int:pk}", response=ListOut)
def get_list(request: HttpRequest, response: HttpResponse, pk: Key) -> ListOut:
    """One list."""
    return shown(response, found(lists_of(request), pk), ListOut)


@router.patch("/{int:pk}", response=ListOut)
def change_list(request: HttpRequest, response: HttpResponse, pk: Key, given: ListPatch) -> ListOut:
    """Change what is given; the rest stays."""
    mailing_list = held(request, lists_of(request), pk, ListOut)
    was = {name: getattr(mailing_list, name) for name in ListForm.Meta.fields}
    return shown(response, _save(mailing_list, was | given.dict(exclude_none=True)), ListOut)


def _save(mailing_list: MailingList, data: dict[str, Any]) -> MailingList:
    form = ListForm(data, instance=mailing_list)
    if not form.is_valid():
        refuse_form(form)
    return form.save()


# --- who is on them -------------------------------------------------------------------------------


class Standing(Paging):
    state: SubscriptionState | None = None


Ids = Annotated[list[Key], Field(min_length=1, max_length=MOST, description="Ids of recipients.")]


class Subscribing(Schema):
    recipients: Ids
    declaration: Annotated[
        str,
        Field(
            max_length=200,
            description="Where their consent comes from, for the consent ledger: no address.",
        ),
    ]


class Unsubscribing(Schema):
    recipients: Ids


class Counted(Schema):
    changed: int = Field(description="How many stand otherwise with the list than before.")


@router.get("/{int:pk}/subscriptions", response=Page[SubscriptionOut])
def list_subscriptions(request: HttpRequest, pk: Key, asked: Query[Standing]) -> dict[str, Any]:
    """Who is on a list, the newest recipients first."""
    rows = subscriptions_of(request).filter(mailing_list=found(lists_of(request), pk))
    if asked.state:
        rows = rows.filter(state=asked.state)
    return page_of(request, rows, asked, key="recipient_id")


@router.post("/{int:pk}/subscriptions", response=Counted)
def subscribe(request: HttpRequest, pk: Key, given: Subscribing) -> Counted:
    """Put recipients onto a list; who has left it comes back by themselves alone."""
    mailing_list = found(lists_of(request), pk)
    source = source_of(request, declared(given.declaration))
    ids = _seen(request, given.recipients)
    count = people.subscribe(ids, mailing_list, source=source, now=timezone.now())
    return Counted(changed=count)


@router.post("/{int:pk}/unsubscriptions", response=Counted)
def unsubscribe(request: HttpRequest, pk: Key, given: Unsubscribing) -> Counted:
    """Take recipients off a list."""
    mailing_list = found(lists_of(request), pk)
    ids = _seen(request, given.recipients)
    source = source_of(request)
    return Counted(changed=people.unsubscribe(ids, mailing_list, source=source, now=timezone.now()))


def _seen(request: HttpRequest, ids: list[int]) -> list[int]:
    return list(recipients_of(request).filter(pk__in=ids).values_list("pk", flat=True))
