"""Webhooks: who is told what happens, how calls ended, and having them made again."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import AwareDatetime, Field, model_validator

from campaigns.forms.webhooks import EndpointForm
from campaigns.webhooks import endpoints
from campaigns.webhooks.endpoints import Made, Refused
from recipients.api.paging import Key, Page, Paging, page_of
from recipients.api.refusals import Problem, refuse_form
from recipients.api.things import found, held, shown
from recipients.models.lists import hidden_lists
from recipients.sentences import sentence
from tracking.models import Call, CallState, Endpoint, EndpointQuerySet, Happened, WhyOff

router = Router()

Name = Annotated[str, Field(max_length=100)]
Url = Annotated[str, Field(max_length=500, description="It begins with https://.")]
Kinds = Annotated[list[Happened], Field(min_length=1, max_length=100)]
CallKind = Happened | Literal["test"]


class WebhookOut(Schema):
    id: int
    name: str
    url: str
    kinds: list[Happened] = Field(description="What it is told of.")
    is_active: bool
    why_off: WhyOff | None = Field(description="Why Godwit switched it off; null: it did not.")
    failing_since: datetime | None = Field(description="Since when no call has succeeded.")
    created_at: datetime

    @staticmethod
    def resolve_why_off(endpoint: Endpoint) -> str | None:
        return endpoint.why_off or None


class WebhookMade(WebhookOut):
    secret: str = Field(description="By which calls are signed. This answer alone has it.")


class WebhookIn(Schema):
    name: Name
    url: Url
    kinds: Kinds


class WebhookPatch(Schema):
    name: Name | None = None
    url: Url | None = None
    kinds: Kinds | None = None
    is_active: bool | None = None


class CallOut(Schema):
    id: int
    webhook_id: str = Field(description="The same at each attempt, and when it is made again.")
    kind: CallKind
    at: datetime = Field(description="When it happened.")
    state: CallState
    attempts: int
    next_at: datetime | None
    first_at: datetime | None
    last_at: datetime | None
    status: int | None = Field(description="Of the last answer; null: there was none.")
    answer: str = Field(description="How it began, or why there was none.")


class CallsAsked(Paging):
    state: CallState | None = None
    kind: CallKind | None = None


class Again(Schema):
    """Some calls by their ids, or all that were given up."""

    calls: Annotated[list[Key], Field(min_length=1, max_length=200)] | None = None
    given_up_since: (
        Annotated[AwareDatetime, Field(description="Of what happened then or later.")] | None
    ) = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.calls is None) == (self.given_up_since is None):
            raise ValueError("Name calls, or a time.")
        return self


class Replayed(Schema):
    count: int = Field(description="How many are made again; those that wait are made anyway.")


@router.get("", response=Page[WebhookOut])
def list_webhooks(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """All webhooks, the newest first; for a key of some lists there are none."""
    return page_of(request, _endpoints(request), paging)


@router.post("", response={201: WebhookMade})
def add_webhook(request: HttpRequest, response: HttpResponse, given: WebhookIn) -> Status[Any]:
    """Have a URL told of what happens from now on; the answer alone shows the secret."""
    if hidden_lists(request.user):
        raise PermissionDenied("A webhook tells of everybody, whom you do not see.")
    said = _typed(EndpointForm({**given.dict(), "is_active": True}))
    made = endpoints.create_endpoint(said["name"], url=said["url"], kinds=said["kinds"])
    response["Location"] = reverse("api:get_webhook", args=[made.endpoint.pk])
    return Status(201, _shown_once(response, made))


@router.get("/{int:pk}", response=WebhookOut)
def get_webhook(request: HttpRequest, response: HttpResponse, pk: Key) -> WebhookOut:
    """One webhook."""
    return shown(response, found(_endpoints(request), pk), WebhookOut)


@router.patch("/{int:pk}", response=WebhookOut)
def change_webhook(
    request: HttpRequest, response: HttpResponse, pk: Key, given: WebhookPatch
) -> WebhookOut:
    """Change what is given, or switch it on or off; the rest stays."""
    endpoint = held(request, _endpoints(request), pk, WebhookOut)
    was = {name: getattr(endpoint, name) for name in EndpointForm.Meta.fields}
    said = _typed(EndpointForm(was | given.dict(exclude_none=True), instance=endpoint))
    changed = endpoints.change_endpoint(endpoint, now=timezone.now(), **said)
    return shown(response, changed, WebhookOut)


@router.delete("/{int:pk}", response={204: None})
def remove_webhook(request: HttpRequest, pk: Key) -> Status[None]:
    """Delete a webhook, with its log."""
    endpoints.delete_endpoint(held(request, _endpoints(request), pk, WebhookOut))
    return Status(204, None)


@router.post("/{int:pk}/secret", response=WebhookMade)
def renew_webhook_secret(request: HttpRequest, response: HttpResponse, pk: Key) -> WebhookMade:
    """Give it another secret, which the answer alone shows; for a day calls are signed by both."""
    made = endpoints.renew_secret(found(_endpoints(request), pk), now=timezone.now())
    return _shown_once(response, made)


@router.post("/{int:pk}/test", response={202: CallOut})
def test_webhook(request: HttpRequest, pk: Key) -> Status[Call]:
    """Have a call made that tells of nothing; the log has what is answered."""
    endpoint = found(_endpoints(request), pk)
    return Status(202, _do(lambda: endpoints.send_test(endpoint, now=timezone.now())))


@router.get("/{int:pk}/calls", response=Page[CallOut])
def list_webhook_calls(request: HttpRequest, pk: Key, asked: Query[CallsAsked]) -> dict[str, Any]:
    """The log: what was told or waits to be, and how it ended, the newest first."""
    calls = found(_endpoints(request), pk).calls
    return page_of(request, calls.matching(state=asked.state, kind=asked.kind), asked)


@router.post("/{int:pk}/replay", response=Replayed)
def replay_webhook_calls(request: HttpRequest, pk: Key, given: Again) -> Replayed:
    """Have calls made again that are at their end, with the ids that they had."""
    endpoint, now = found(_endpoints(request), pk), timezone.now()
    if given.given_up_since is None:
        return Replayed(
            count=_do(lambda: endpoints.replay(endpoint, ids=given.calls or [], now=now))
        )
    since = given.given_up_since
    return Replayed(count=_do(lambda: endpoints.replay_given_up(endpoint, since=since, now=now)))


def _endpoints(request: HttpRequest) -> EndpointQuerySet:
    return Endpoint.objects.visible_to(request.user)


def _typed(form: EndpointForm) -> dict[str, Any]:
    if not form.is_valid():
        refuse_form(form)
    return form.cleaned_data


def _shown_once(response: HttpResponse, made: Made) -> WebhookMade:
    """Return what has a secret; no cache keeps it, nor do we (config.api.idempotency)."""
    response["Cache-Control"] = "no-store"
    of_endpoint = WebhookOut.from_orm(made.endpoint).dict()
    return WebhookMade.model_construct(**of_endpoint, secret=made.secret)


def _do(act: Callable[[], Any]) -> Any:
    """Call a service, and say what it refuses."""
    try:
        return act()
    except Refused as refusal:
        raise Problem(409, sentence(refusal)) from None
