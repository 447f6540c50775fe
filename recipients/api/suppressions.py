"""Addresses and domains that are left alone."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from recipients.api.paging import Key, Page, Paging, page_of
from recipients.api.refusals import Problem, refuse_form
from recipients.api.things import found, held, shown
from recipients.forms.verbs import LiftForm, SuppressionFilterForm, SuppressManyForm
from recipients.models import Suppression, SuppressionReason
from recipients.sentences import sentence
from recipients.suppression import NotLifted, suppress_all
from recipients.views.suppression import added_by, asked_for, lift_entry

router = Router()


class SuppressionOut(Schema):
    id: int
    address: str | None = Field(description="Or a domain; null: of somebody who was erased.")
    reason: SuppressionReason
    source: str
    created_at: datetime

    @staticmethod
    def resolve_address(entry: Suppression) -> str | None:
        return entry.key


class SuppressionsAsked(Paging):
    q: Annotated[
        str, Field(max_length=254, description="An address, a domain, or how one begins.")
    ] = ""
    reason: SuppressionReason | None = None
    domains: Annotated[bool, Field(description="Whole domains alone.")] = False


class SuppressionsIn(Schema):
    entries: Annotated[
        list[Annotated[str, Field(max_length=320)]],
        Field(min_length=1, max_length=10_000, description="Addresses and domains."),
    ]
    reason: SuppressionReason = SuppressionReason.MANUAL
    source: Annotated[str, Field(max_length=150, description="Where this is from: no address.")] = (
        ""
    )


class Added(Schema):
    added: int
    known: int


class Lifting(Schema):
    why: Annotated[str, Field(max_length=500)]


@router.get("", response=Page[SuppressionOut])
def list_suppressions(request: HttpRequest, asked: Query[SuppressionsAsked]) -> dict[str, Any]:
    """Who is left alone, the newest first."""
    form = SuppressionFilterForm(asked.dict(exclude_none=True))
    if not form.is_valid():
        refuse_form(form)
    return page_of(request, asked_for(form.cleaned_data), asked)


@router.post("", response=Added)
def add_suppressions(request: HttpRequest, given: SuppressionsIn) -> Added:
    """Let nobody mail these any more; where one cannot be read, none is added."""
    form = SuppressManyForm({**given.dict(), "entries": "\n".join(given.entries)})
    if not form.is_valid():
        refuse_form(form)
    keys = form.cleaned_data["entries"]
    new = suppress_all(
        keys,
        reason=SuppressionReason(form.cleaned_data["reason"]),
        source="; ".join(filter(None, [form.cleaned_data["source"], added_by(request)])),
        now=timezone.now(),
    )
    return Added(added=new, known=len(keys) - new)


@router.get("/{int:pk}", response=SuppressionOut)
def get_suppression(request: HttpRequest, response: HttpResponse, pk: Key) -> SuppressionOut:
    """What is said of one address or domain."""
    return shown(response, found(Suppression.objects.all(), pk), SuppressionOut)


@router.post("/{int:pk}/lift", response={204: None})
def lift_suppression(request: HttpRequest, pk: Key, given: Lifting) -> Status[None]:
    """Let it be mailed again, and keep why; what people said themselves only they take back."""
    form = LiftForm(given.dict())
    if not form.is_valid():
        refuse_form(form)
    entry = held(request, Suppression.objects.all(), pk, SuppressionOut)
    try:
        lift_entry(request, entry, why=form.cleaned_data["why"])
    except NotLifted as refusal:
        raise Problem(409, sentence(refusal)) from None
    return Status(204, None)
