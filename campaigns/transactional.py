"""Single messages that a program asks for: accepted at once, handed over like a campaign's.

A message is a run of one recipient, with its content frozen (architecture.md says what becomes of
it where). What cannot be sent is refused here, while its sender listens, and not later.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from math import isfinite
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django_celery_results.models import TaskResult

from campaigns import attachments, secrets
from campaigns.models import (
    Campaign,
    CampaignStatus,
    Message,
    Priority,
    Run,
    RunAttachment,
    RunStatus,
    Sender,
)
from campaigns.sending import single
from campaigns.sending.attaching import encoded_size
from campaigns.sending.claim import Claimed
from campaigns.sending.fire import publish_targets
from campaigns.sending.mailing import Mailing, NoMailing, NotComposed
from recipients.addresses import Address, BadAddress, parse_address
from recipients.models import Recipient, Tracking
from recipients.strangers import Erased, known
from templates_app import inline
from templates_app.media import library
from templates_app.media import refused as media
from templates_app.media.names import clean_name
from templates_app.models import EmailTemplate, MediaBlob, TemplateVersion
from templates_app.rendering import RESERVED_NAMES, RenderError
from templates_app.services import Refused as ContentRefused
from templates_app.services import freeze
from tracking import ledger, measuring, registry
from tracking.models import Delivery, DeliveryState, Response
from tracking.tokens import NOBODY

MOST_FILES = 10
_BATCH = 1_000  # rows in one transaction
_LONGEST_LANGUAGE, _LONGEST_NAME, _LONGEST_SUBJECT = 35, 200, 500

# Called with a message's run after the commit; `campaigns.apps` puts its task here.
wakers: list[Callable[[int], None]] = []

_THIS_ONE = """
    SELECT id AS recipient_id, %(address)s AS address, key, domain, 'queued' AS state,
           '' AS skip_reason
      FROM recipients_recipient WHERE id = %(recipient)s
"""


class Refused(Exception):
    """A message cannot be sent as it was asked for.

    :ivar part: what of it is wrong: to, content, fields, attachments, sender.
    """

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(reason)
        self.part = part


@dataclass(frozen=True, slots=True)
class Inline:
    """A content that comes with the message; without HTML, it is a message of text."""

    subject: str
    html: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class File:
    name: str
    content: bytes
    content_type: str = ""


def accept(
    *,
    to: str,
    sender: Sender,
    content: EmailTemplate | Inline,
    fields: Mapping[str, Any],
    language: str = "",
    files: Sequence[File] = (),
    is_measured: bool = False,
    now: datetime,
) -> UUID:
    """Take a message to one recipient, and return by what it is asked about later.

    It is sent once this is committed, whatever becomes of this process and of the broker.

    :param content: of a template, what was last saved.
    :param fields: plain values that its tags name; what is known of the recipient is not used.
    :param is_measured: whether opens and clicks are, as far as installation and recipient allow it.
    :raises Refused:
    """
    address = _address(to)
    _check(fields, language, files)
    with ExitStack() as stack:
        stored = [(file.name, stack.enter_context(_stored(file))) for file in files]
        with transaction.atomic():
            message = Message(
                key=address.key, language=language, fields=dict(fields), created_at=now
            )
            message.look_at = single.first_look(now=now)
            version = _version(content)
            run = _run(message, _stream(sender), version, is_measured=is_measured, now=now)
            blobs = [(name, library.keep(each)) for name, each in stored]
            _try(run, address, [blob for _, blob in blobs], now=now)
            _write(run, message, _recipient(address, now=now), address, blobs, now=now)
    return message.pk


def _address(to: str) -> Address:
    try:
        return parse_address(to)
    except BadAddress as error:
        raise Refused("to", str(error)) from None


def _check(fields: Mapping[str, Any], language: str, files: Sequence[File]) -> None:
    if not _can_be_kept(dict(fields)):
        raise Refused("fields", "a value is no text or number that can be kept")
    if taken := sorted(RESERVED_NAMES.intersection(fields)):
        raise Refused("fields", f"{', '.join(taken)}: Godwit sets this itself; use another name")
    if len(language) > _LONGEST_LANGUAGE:
        raise Refused("language", f"at most {_LONGEST_LANGUAGE} characters")
    if len(files) > MOST_FILES:
        raise Refused("attachments", f"at most {MOST_FILES} files; link to more of them")


@contextmanager
def _stored(file: File) -> Iterator[library.Stored]:
    """Store bytes, before the transaction: a storage is slow at times."""
    try:
        name = clean_name(file.name)
        found = library.stored(BytesIO(file.content), name=name, declared=file.content_type)
        with found as content:
            yield content
    except media.Refused as refusal:
        raise Refused("attachments", str(refusal)) from None


def _version(content: EmailTemplate | Inline) -> TemplateVersion:
    try:
        if isinstance(content, EmailTemplate):
            return content.versions.order_by("-number").first() or freeze(content)
        if len(content.subject) > _LONGEST_SUBJECT:
            raise Refused("content", f"a subject has at most {_LONGEST_SUBJECT} characters")
        if not (content.html or content.text).strip():
            raise Refused("content", "there is neither HTML nor text in it")
        if not _can_be_kept([content.subject, content.html, content.text]):
            raise Refused("content", "it holds a character that is none")
        draft = inline.draft(subject=content.subject, html=content.html, text=content.text)
        return inline.freeze(draft)
    except ContentRefused as refusal:
        raise Refused("content", str(refusal)) from None


def _can_be_kept(value: Any) -> bool:
    """Whether PostgreSQL takes it: no NUL, no half of a character, no number that is none."""
    if isinstance(value, str):
        return _is_text(value)
    if isinstance(value, list):
        return all(map(_can_be_kept, value))
    if isinstance(value, dict):
        return all(_can_be_kept(key) and _can_be_kept(each) for key, each in value.items())
    return not isinstance(value, float) or isfinite(value)


def _is_text(value: str) -> bool:
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def _stream(sender: Sender) -> Campaign:
    """Return what the sender's messages go by, made with the first of them."""
    stream, _ = Campaign.objects.select_related("sender").get_or_create(
        sender=sender,
        is_stream=True,
        defaults={
            "name": f"Messages of {sender}"[:_LONGEST_NAME],
            "status": CampaignStatus.FINISHED,  # it is never fired
            "priority": Priority.TRANSACTIONAL,
        },
    )
    return stream


def _run(
    message: Message,
    stream: Campaign,
    version: TemplateVersion,
    *,
    is_measured: bool,
    now: datetime,
) -> Run:
    wanted = Tracking.FULL if is_measured else Tracking.OFF
    return Run(
        campaign=stream,
        message=message,
        version=version,
        occurrence=now,
        status=RunStatus.SENDING,
        sender_domain=stream.sender.domain,
        tracking=measuring.mode(wanted, lists=[]),
        audience=1,
        prepared_at=now,
        started_at=now,
    )


def _try(run: Run, address: Address, files: Sequence[MediaBlob], *, now: datetime) -> None:
    """Make the message as it would leave, as far as it can be made without its files."""
    try:
        mailing = Mailing(run, files=())
        nobody = Claimed(NOBODY, address.addr_spec, {}, attempts=1)
        made, _, _ = mailing.unsigned(nobody, now=now)
        size = len(made) + sum(encoded_size(blob.size) for blob in files)
        problem = attachments.why_too_large(run.campaign, size)
    except NoMailing as error:
        raise Refused("sender", str(error)) from None
    except secrets.Undecipherable as error:
        raise Refused("sender", f"the transport's URL: {error}") from None
    except NotComposed as error:
        cause = error.__cause__
        is_content = isinstance(cause, RenderError) and cause.is_for_all
        raise Refused("content" if is_content else "fields", str(error)) from None
    if problem:
        raise Refused("attachments" if files else "content", str(problem))


def _recipient(address: Address, *, now: datetime) -> Recipient:
    try:
        return known(address, now=now)
    except Erased as error:
        raise Refused("to", str(error)) from None


def _write(
    run: Run,
    message: Message,
    recipient: Recipient,
    address: Address,
    files: Sequence[tuple[str, MediaBlob]],
    *,
    now: datetime,
) -> None:
    """Write down all that a message is; the tasks that it needs are sent after the commit."""
    message.save(force_insert=True)
    run.save(force_insert=True)
    RunAttachment.objects.bulk_create(
        RunAttachment(run=run, blob=blob, name=name, position=position)
        for position, (name, blob) in enumerate(files)
    )
    params = {"address": address.addr_spec, "recipient": recipient.pk}
    ledger.enqueue(run.pk, audience=_THIS_ONE, params=params, now=now)
    if run.tracking != Tracking.OFF:
        registry.links_of(run.version)
        transaction.on_commit(partial(publish_targets, run.pk), robust=True)
    for waker in wakers:
        transaction.on_commit(partial(waker, run.pk), robust=True)


# --- what became of it --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a message; times are None where it did not happen."""

    id: UUID
    to: str
    """Empty where the person was erased."""
    state: str
    """A tracking.models.DeliveryState."""
    reason: str
    """Why it was left out, or what it waits for."""
    attempts: int
    next_attempt_at: datetime | None
    reply_code: int | None
    enhanced_status_code: str
    diagnostic: str
    message_id: str
    """The header, once it was attempted."""
    accepted_at: datetime
    sent_at: datetime | None
    bounced_at: datetime | None
    complained_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None


def status_of(pk: UUID) -> Status | None:
    """Return what became of a message; None where there is none, or none any more."""
    delivery = (
        Delivery.objects.filter(run__message=pk).select_related("run__message", "response").first()
    )
    return _status(pk, delivery) if delivery else None


def _status(pk: UUID, delivery: Delivery) -> Status:
    response: Response | None = getattr(delivery, "response", None)
    is_sent = delivery.state == DeliveryState.SENT
    return Status(
        id=pk,
        to=delivery.address,
        state=delivery.state,
        reason=delivery.skip_reason or delivery.run.held_reason or delivery.run.obstacle,
        attempts=delivery.attempts,
        next_attempt_at=delivery.next_attempt_at,
        reply_code=delivery.reply_code,
        enhanced_status_code=delivery.enhanced_status_code,
        diagnostic=delivery.diagnostic,
        message_id=delivery.message_id,
        accepted_at=delivery.created_at,
        sent_at=delivery.finished_at if is_sent else None,
        bounced_at=response.bounced_at if response else None,
        complained_at=response.complained_at if response else None,
        opened_at=response.opened_at if response else None,
        clicked_at=response.clicked_at if response else None,
    )


# --- what is not kept ---------------------------------------------------------------------------


def forget_contents() -> int:
    """Forget what came with messages that are at their end; return of how many contents.

    Of those that are measured the content stays: their links lead by it.
    """
    messages = Run.objects.filter(message__isnull=False)
    needed = Q(message__look_at__isnull=False) | ~Q(tracking=Tracking.OFF)
    return inline.forget(but=messages.filter(needed).values("version"), most=_BATCH)


def forget_old(*, now: datetime) -> int:
    """Delete messages that are at their end and older than MESSAGE_DAYS; return how many."""
    if not settings.MESSAGE_DAYS:
        return 0
    before = now - timedelta(days=settings.MESSAGE_DAYS)
    deleted, last = 0, _BATCH
    while last == _BATCH:
        last = _forget_batch(before)
        deleted += last
    return deleted


@transaction.atomic
def _forget_batch(before: datetime) -> int:
    old = Message.objects.filter(created_at__lt=before, look_at=None)
    locked = old.select_for_update(skip_locked=True).order_by("created_at")
    messages = list(locked.values_list("pk", flat=True)[:_BATCH])
    runs = list(Run.objects.filter(message__in=messages).values_list("pk", flat=True))
    deliveries = Delivery.objects.filter(run__in=runs)
    tasks = [str(one) for one in deliveries.values_list("task_id", flat=True)]
    TaskResult.objects.filter(task_id__in=tasks).delete()
    deliveries.delete()
    Run.objects.filter(pk__in=runs).delete()
    Message.objects.filter(pk__in=messages).delete()
    return len(messages)
