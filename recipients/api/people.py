"""Recipients: found, added or changed by address or by what another system calls them, erased."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from recipients import locks, people, privacy
from recipients.addresses import BadAddress, parse_address
from recipients.api.paging import Key, Page, Paging, page_of
from recipients.api.refusals import Fault, Problem, invalid, refuse_form
from recipients.api.subscriptions import SubscriptionOut, subscriptions_of
from recipients.api.things import found, held, shown
from recipients.finding import Filter, suppressions_of
from recipients.forms.finding import FilterForm
from recipients.forms.person import without_address
from recipients.models import MailingList, Recipient, SuppressionReason, TrackingConsent
from recipients.patience import PATIENCE, at_most
from recipients.segments.grammar import BadRules
from recipients.sentences import sentence
from recipients.upserting import Refused, Said, Saved, upsert
from recipients.views.declaring import source_of
from recipients.views.seen import lists_of, recipients_of, segments_of

MOST = 10_000  # recipients in one request

router = Router()

Value = str | int | float | bool | None
ExternalId = Annotated[str, Field(max_length=200, description="What another system calls them.")]
Language = Annotated[str, Field(max_length=35, description="BCP 47: en, vi, pt-BR.")]
Zone = Annotated[str, Field(max_length=64, description="Like Asia/Ho_Chi_Minh.")]
Tags = Annotated[
    list[Annotated[str, Field(max_length=100)]],
    Field(max_length=100, description="The names of all tags; others are taken away."),
]
Fields = Annotated[
    dict[str, Value],
    Field(description="By their names; those that are not named stay, null empties one."),
]


class RecipientOut(Schema):
    id: int
    address: str
    external_id: str
    fields: dict[str, Any]
    language: str
    time_zone: str
    tags: list[str]
    tracking_consent: TrackingConsent
    paused_until: date | None
    suppressed: SuppressionReason | None = Field(
        description="Why nobody mails them, or their domain; null: they may be mailed."
    )
    created_at: datetime
    updated_at: datetime

    @staticmethod
    def resolve_tags(recipient: Recipient) -> list[str]:
        return sorted(tag.name for tag in recipient.tags.all())

    @staticmethod
    def resolve_suppressed(recipient: Recipient) -> str | None:
        known: Any = getattr(recipient, "suppression", ...)
        if known is ...:  # of one, and not of a page
            known = suppressions_of([recipient]).get(recipient.pk)
        return known.reason if known else None


class RecipientPatch(Schema):
    address: Annotated[str, Field(max_length=320)] | None = None
    external_id: ExternalId | None = None
    fields: Fields = {}
    language: Language | None = None
    time_zone: Zone | None = None
    tags: Tags | None = None


class Joining(Schema):
    """Onto which lists they come, and why that is right."""

    lists: Annotated[list[Key], Field(max_length=100, description="Ids of lists.")] = []
    declaration: Annotated[
        str,
        Field(
            max_length=200,
            description="Where their consent comes from, for the consent ledger: no address.",
        ),
    ] = ""


class RecipientIn(RecipientPatch, Joining):
    """Known by external id or by address: the one is changed; otherwise somebody is added."""


class Bulk(Joining):
    recipients: Annotated[list[RecipientPatch], Field(min_length=1, max_length=MOST)]


class BadRow(Schema):
    index: int = Field(description="Which one of those that were sent, from 0.")
    pointer: str
    detail: str


class BulkOut(Schema):
    created: int
    updated: int
    unchanged: int
    subscribed: int
    refused: list[BadRow]


class Asked(Paging):
    address: Annotated[str, Field(max_length=320, description="Of this very address.")] = ""
    external_id: Annotated[str, Field(max_length=200)] = ""
    q: Annotated[
        str, Field(max_length=254, description="How an address begins, or `city:Hanoi`.")
    ] = ""
    list: Key | None = None
    state: Literal["confirmed", "pending", "unsubscribed"] = "confirmed"
    tag: Key | None = None
    segment: Key | None = None
    suppressed: Literal["", "yes", "no"] = ""


@router.get("", response=Page[RecipientOut])
def list_recipients(request: HttpRequest, asked: Query[Asked]) -> dict[str, Any]:
    """Recipients, the newest first; of the beginning of an address in the order of addresses."""
    rows, wanted = _matching(request, asked)
    with at_most(seconds=PATIENCE):
        page = page_of(request, rows, asked, key="key" if wanted.is_by_address else "pk")
    said = suppressions_of(page["items"])
    for recipient in page["items"]:
        recipient.suppression = said.get(recipient.pk)
    return page


def _matching(request: HttpRequest, asked: Asked) -> "tuple[QuerySet[Recipient], Filter]":
    data = asked.dict(exclude_none=True)
    form = FilterForm(data, lists=lists_of(request), segments=segments_of(request))
    if not form.is_valid():
        refuse_form(form)
    wanted = form.asked()
    rows = recipients_of(request).prefetch_related("tags")
    if asked.address:
        rows = rows.filter(key=_key(asked.address))
    if asked.external_id:
        rows = rows.filter(external_id=asked.external_id)
    try:
        return wanted.apply(rows, now=timezone.now()), wanted
    except BadRules as error:
        raise invalid([Fault("/segment", sentence(error))]) from None


def _key(address: str) -> str:
    try:
        return parse_address(address).key
    except BadAddress as error:
        raise invalid([Fault("/address", sentence(error))]) from None


@router.post("", response={200: RecipientOut, 201: RecipientOut})
def save_recipient(request: HttpRequest, response: HttpResponse, given: RecipientIn) -> Status[Any]:
    """Add a recipient, or change the one with this external id or this address."""
    saved = _only(_save(request, [_said(given)])[0])
    _join(request, [saved.pk], given)
    row = Recipient.objects.get(pk=saved.pk)
    if saved.is_new:
        response["Location"] = reverse("api:get_recipient", args=[row.pk])
    return Status(201 if saved.is_new else 200, shown(response, row, RecipientOut))


@router.post("/bulk", response=BulkOut)
def save_recipients(request: HttpRequest, given: Bulk) -> BulkOut:
    """Add or change up to 10,000 recipients; what is refused of them is named, the rest is done."""
    outcomes = _save(request, [_said(each) for each in given.recipients])
    saved = [each for each in outcomes if isinstance(each, Saved)]
    subscribed = _join(request, [each.pk for each in saved], given)
    return BulkOut(
        created=sum(each.is_new for each in saved),
        updated=sum(each.is_changed and not each.is_new for each in saved),
        unchanged=sum(not each.is_changed for each in saved),
        subscribed=subscribed,
        refused=[
            BadRow(index=index, pointer=_pointer(each), detail=sentence(each.why))
            for index, each in enumerate(outcomes)
            if isinstance(each, Refused)
        ],
    )


@router.get("/{int:pk}", response=RecipientOut)
def get_recipient(request: HttpRequest, response: HttpResponse, pk: Key) -> RecipientOut:
    """One recipient."""
    return shown(response, found(recipients_of(request), pk), RecipientOut)


@router.patch("/{int:pk}", response=RecipientOut)
def change_recipient(
    request: HttpRequest, response: HttpResponse, pk: Key, given: RecipientPatch
) -> RecipientOut:
    """Change what is given; the rest stays."""
    locks.write_addresses()  # before the row, as whoever else writes
    held(request, recipients_of(request), pk, RecipientOut)
    _only(_save(request, [_said(given, pk=pk)])[0])
    return shown(response, Recipient.objects.get(pk=pk), RecipientOut)


@router.delete("/{int:pk}", response={204: None})
def erase_recipient(request: HttpRequest, pk: Key) -> Status[Any]:
    """Erase all that is known of a recipient, who is suppressed from then on."""
    locks.erase_addresses()  # before the row, as whoever else erases
    recipient = held(request, recipients_of(request), pk, RecipientOut)
    source = f"staff: user {request.user.pk}"
    privacy.erase(recipient.key, source=source, now=timezone.now())
    return Status(204, None)


@router.get("/{int:pk}/subscriptions", response=Page[SubscriptionOut])
def list_subscriptions_of_recipient(
    request: HttpRequest, pk: Key, paging: Query[Paging]
) -> dict[str, Any]:
    """Where a recipient stands with the lists that the caller sees."""
    recipient = found(recipients_of(request), pk)
    return page_of(request, subscriptions_of(request).filter(recipient=recipient), paging)


def _said(given: RecipientPatch, *, pk: int | None = None) -> Said:
    return Said(
        address=given.address,
        external_id=given.external_id,
        fields=given.fields,
        language=given.language,
        time_zone=given.time_zone,
        tags=given.tags,
        pk=pk,
    )


def _save(request: HttpRequest, said: Sequence[Said]) -> Sequence[Saved | Refused]:
    try:
        return upsert(said, seen=recipients_of(request), now=timezone.now())
    except people.NotSaved as refusal:
        raise Problem(409, sentence(refusal)) from None


def _only(outcome: Saved | Refused) -> Saved:
    if isinstance(outcome, Refused):
        raise invalid([Fault(_pointer(outcome), sentence(outcome.why))])
    return outcome


def _pointer(refused: Refused) -> str:
    return f"/{refused.where}" if refused.where else ""


@transaction.atomic
def _join(request: HttpRequest, ids: Sequence[int], given: Joining) -> int:
    """Put recipients onto lists, as the caller declares that they agreed."""
    if not given.lists:
        return 0
    source = source_of(request, declared(given.declaration))
    now, count = timezone.now(), 0
    for mailing_list in chosen_lists(request, given.lists):
        count += people.subscribe(ids, mailing_list, source=source, now=now)
    return count


def declared(text: str) -> str:
    """Return where consent comes from, as it may be kept for good.

    :raises Problem: there is an address in it, or nothing.
    """
    if not text.strip():
        said = "Say where their consent comes from."
        raise invalid([Fault("/declaration", said)])
    try:
        return without_address(text)
    except ValidationError as error:
        raise invalid([Fault("/declaration", error.messages[0])]) from None


def chosen_lists(request: HttpRequest, ids: Sequence[int]) -> Sequence[MailingList]:
    """Return the lists of these ids.

    :raises Problem: the caller does not see one of them.
    """
    found_lists = list(lists_of(request).filter(pk__in=ids))
    if missing := sorted(set(ids) - {each.pk for each in found_lists}):
        raise invalid([Fault("/lists", f"There is no list {missing[0]} that you may see.")])
    return found_lists
