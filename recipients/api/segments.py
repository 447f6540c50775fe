"""Segments: saved questions about recipients."""

from datetime import datetime
from typing import Annotated, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from recipients.api.paging import Key, Page, Paging, page_of
from recipients.api.refusals import Fault, Problem, invalid, refuse_form
from recipients.api.things import found, held, shown
from recipients.forms.segments import SegmentForm
from recipients.models import Segment
from recipients.models.lists import hidden_lists
from recipients.patience import PATIENCE, at_most
from recipients.segments import asking
from recipients.segments.grammar import BadRules
from recipients.segments.saving import InUse, delete_segment, save_segment
from recipients.sentences import sentence
from recipients.views.seen import segments_of

router = Router()

Name = Annotated[str, Field(max_length=200)]
Rules = Annotated[
    dict[str, Any],
    Field(
        description='A group: `{"match": "all", "rules": [{"about": "field:city", "operator":'
        ' "is", "value": "Hanoi"}]}`. `match` is all, any or none; a rule may be a group.'
    ),
]


class SegmentOut(Schema):
    id: int
    name: str
    description: str
    rules: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class SegmentIn(Schema):
    name: Name
    description: str = ""
    rules: Rules


class SegmentPatch(Schema):
    name: Name | None = None
    description: str | None = None
    rules: Rules | None = None


class Count(Schema):
    count: int


@router.get("", response=Page[SegmentOut])
def list_segments(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """All segments, the newest first; for a key of some lists there are none."""
    return page_of(request, segments_of(request), paging)


@router.post("", response={201: SegmentOut})
def add_segment(request: HttpRequest, given: SegmentIn) -> Status[Segment]:
    """Save rules under a name."""
    if hidden_lists(request.user):
        raise PermissionDenied("A segment asks about everybody, whom you do not see.")
    return Status(201, _save(Segment(), given.dict()))


@router.get("/{int:pk}", response=SegmentOut)
def get_segment(request: HttpRequest, response: HttpResponse, pk: Key) -> SegmentOut:
    """One segment."""
    return shown(response, found(segments_of(request), pk), SegmentOut)


@router.patch("/{int:pk}", response=SegmentOut)
def change_segment(
    request: HttpRequest, response: HttpResponse, pk: Key, given: SegmentPatch
) -> SegmentOut:
    """Change what is given; the rest stays."""
    # All of them in one order, as saving does it: two at once do not wait for each other.
    list(Segment.objects.select_for_update().order_by("pk").values_list("pk"))
    segment = held(request, segments_of(request), pk, SegmentOut)
    was = {name: getattr(segment, name) for name in ("name", "description", "rules")}
    return shown(response, _save(segment, was | given.dict(exclude_none=True)), SegmentOut)


@router.delete("/{int:pk}", response={204: None})
def remove_segment(request: HttpRequest, pk: Key) -> Status[None]:
    """Delete a segment that nothing speaks of."""
    segment = held(request, segments_of(request), pk, SegmentOut)
    try:
        delete_segment(segment)
    except InUse as refusal:
        raise Problem(409, sentence(refusal)) from None
    return Status(204, None)


@router.get("/{int:pk}/count", response=Count)
def count_segment(request: HttpRequest, pk: Key) -> Count:
    """How many answer to it at this moment, exactly."""
    segment = found(segments_of(request), pk)
    try:
        with at_most(seconds=PATIENCE):
            return Count(count=asking.count(segment.rules, now=timezone.now()))
    except BadRules as error:
        raise Problem(409, sentence(error)) from None


def _save(segment: Segment, data: dict[str, Any]) -> Segment:
    form = SegmentForm(data, instance=segment)
    if not form.is_valid():
        refuse_form(form)
    try:
        save_segment(segment, rules=data["rules"], now=timezone.now())
    except BadRules as error:
        raise invalid([Fault("/rules", sentence(error))]) from None
    return segment
