"""Single messages: accepted with 202, and asked about by their id."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field, model_validator

from campaigns.models import Sender
from campaigns.transactional import MOST_FILES, File, Inline, Refused, accept, status_of
from recipients.api.paging import Key
from recipients.api.refusals import Fault, Problem, invalid, not_found
from recipients.models.lists import hidden_lists
from recipients.sentences import sentence
from templates_app.models import EmailTemplate
from tracking.models import DeliveryState

router = Router()


class Content(Schema):
    """What it says; tags like those of templates, and no snippet."""

    subject: Annotated[str, Field(max_length=500)]
    html: str = ""
    text: Annotated[str, Field(description="Left empty, it is made from the HTML.")] = ""


class Attachment(Schema):
    name: Annotated[str, Field(max_length=255, description="With its extension: Invoice.pdf.")]
    content: Annotated[str, Field(description="Base64 (RFC 4648 4).")]
    content_type: Annotated[str, Field(max_length=255)] = ""


class MessageIn(Schema):
    """Of a template or with a content of its own, to one address."""

    to: Annotated[
        str, Field(max_length=320, description="One address: send a request for each recipient.")
    ]
    sender: Annotated[Key, Field(description="The id of a sender.")]
    template: Annotated[Key, Field(description="What was last saved of it.")] | None = None
    content: Content | None = None
    fields: Annotated[
        dict[str, Any],
        Field(description="What its tags name. What is known of the recipient is not used."),
    ] = {}
    language: Annotated[str, Field(max_length=35, description="Of the template: en, vi.")] = ""
    attachments: Annotated[list[Attachment], Field(max_length=MOST_FILES)] = []
    measured: Annotated[
        bool, Field(description="Whether opens and clicks are, where that is allowed.")
    ] = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.template is None) == (self.content is None):
            raise ValueError("Name a template, or send a content.")
        return self


class Accepted(Schema):
    id: UUID
    state: DeliveryState


class MessageOut(Schema):
    id: UUID
    to: str = Field(description="Empty: the person was erased.")
    state: DeliveryState
    reason: str = Field(description="Why it was left out, or what it waits for.")
    attempts: int
    next_attempt_at: datetime | None
    reply_code: int | None
    enhanced_status_code: str
    diagnostic: str
    message_id: str = Field(description="Its Message-ID, once it was attempted.")
    accepted_at: datetime
    sent_at: datetime | None
    bounced_at: datetime | None
    complained_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None


@router.post("", response={202: Accepted})
def send_message(request: HttpRequest, response: HttpResponse, given: MessageIn) -> Status[Any]:
    """Send one message to one recipient: it is stored when this is answered, and sent at once."""
    _refuse_limited(request)
    try:
        pk = accept(
            to=given.to,
            sender=_sender(given.sender),
            content=_content(given),
            fields=given.fields,
            language=given.language,
            files=[_file(number, each) for number, each in enumerate(given.attachments)],
            is_measured=given.measured,
            now=timezone.now(),
        )
    except Refused as refusal:
        raise invalid([_fault(given, refusal)]) from None
    response["Location"] = reverse("api:get_message", args=[pk])
    return Status(202, Accepted(id=pk, state=DeliveryState.QUEUED))


@router.get("/{uuid:pk}", response=MessageOut)
def get_message(request: HttpRequest, pk: UUID) -> MessageOut:
    """What became of a message."""
    _refuse_limited(request)
    status = status_of(pk)
    if status is None:
        raise not_found()
    return MessageOut.from_orm(status)


def _refuse_limited(request: HttpRequest) -> None:
    """Refuse who sees some lists alone: recipients of messages need to be on none.

    :raises Problem:
    """
    if hidden_lists(request.user):
        raise Problem(403, "Single messages are not for who sees some lists alone.")


def _sender(pk: int) -> Sender:
    sender = Sender.objects.filter(pk=pk).first()
    if sender is None:
        raise invalid([Fault("/sender", f"There is no sender {pk}.")])
    return sender


def _content(given: MessageIn) -> EmailTemplate | Inline:
    if given.content:
        return Inline(given.content.subject, given.content.html, given.content.text)
    template = EmailTemplate.objects.filter(pk=given.template or 0).first()
    if template is None:
        raise invalid([Fault("/template", f"There is no template {given.template}.")])
    return template


def _file(number: int, given: Attachment) -> File:
    try:
        content = base64.b64decode(given.content, validate=True)
    except (binascii.Error, ValueError):
        said = "It is not Base64 (RFC 4648 4)."
        raise invalid([Fault(f"/attachments/{number}/content", said)]) from None
    return File(given.name, content, given.content_type)


def _fault(given: MessageIn, refusal: Refused) -> Fault:
    part = "template" if refusal.part == "content" and given.content is None else refusal.part
    return Fault(f"/{part}", sentence(refusal))
