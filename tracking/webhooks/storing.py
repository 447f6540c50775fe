"""Keep what a provider tells, once, and only that: it is worked off later."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from hashlib import sha256
from json import dumps
from typing import Any

from anymail.signals import AnymailTrackingEvent, tracking
from django.conf import settings
from django.dispatch import receiver
from django.http import QueryDict
from django.utils import timezone

from recipients.retention import delete_in_batches
from tracking.models import WebhookEvent
from tracking.webhooks.reading import REACTIONS

_told: ContextVar[list[WebhookEvent]] = ContextVar("told")


@contextmanager
def stored_at_once() -> Iterator[None]:
    """Store at its end, in one statement, what a request tells; if it fails, nothing of it.

    What is there already stays as it is.
    """
    token = _told.set([])
    try:
        yield
        WebhookEvent.objects.bulk_create(_told.get(), ignore_conflicts=True)
    finally:
        _told.reset(token)


@receiver(tracking)
def take(*, event: AnymailTrackingEvent, esp_name: str, **_: Any) -> None:
    """Take an event as Anymail tells of it; within `stored_at_once`."""
    provider = esp_name.lower().replace(" ", "_")
    _told.get().append(_row(event, provider=provider, now=timezone.now()))


def _row(event: AnymailTrackingEvent, *, provider: str, now: datetime) -> WebhookEvent:
    payload = _payload(event)
    kept = {} if event.event_type in REACTIONS else payload
    return WebhookEvent(
        provider=provider,
        key=_key(event, payload),
        event_type=event.event_type,
        message_id=(kept.get("message_id") or "")[:320],
        payload=kept,
        received_at=now,
    )


def forget_old(*, now: datetime) -> int:
    """Delete what was worked off and is older than the installation wants to keep it."""
    before = now - timedelta(days=settings.WEBHOOK_DAYS)
    old = WebhookEvent.objects.filter(received_at__lt=before, handled_at__isnull=False)
    return delete_in_batches(old)


def _payload(event: AnymailTrackingEvent) -> dict[str, Any]:
    raw = event.esp_event
    return {
        "message_id": _text(event.message_id),
        "recipient": _text(event.recipient),
        "timestamp": event.timestamp.isoformat() if event.timestamp else None,
        "event_id": _text(event.event_id),
        "metadata": _plain(event.metadata),
        "reject_reason": _text(event.reject_reason),
        "description": _text(event.description),
        "mta_response": _text(event.mta_response),
        "raw": _plain(raw.dict() if isinstance(raw, QueryDict) else raw),
    }


def _key(event: AnymailTrackingEvent, payload: dict[str, Any]) -> bytes:
    """Return what tells an event from all others.

    One notification may speak of several recipients, and some providers give their events no id:
    then it is the same event if all of it is the same.
    """
    recipient = (payload["recipient"] or "").lower()
    told: list[Any] = [payload["event_id"], recipient, event.event_type]
    if not payload["event_id"]:
        told += [payload["message_id"], payload["timestamp"], payload["raw"]]
    return sha256(dumps(told, sort_keys=True).encode()).digest()


def _text(value: Any) -> str | None:
    """Return a text or a number as a text that PostgreSQL takes, and nothing of anything else."""
    return _plain(str(value)) if isinstance(value, str | int) else None


def _plain(value: Any) -> Any:
    """Return what PostgreSQL's JSON takes of a value: no NUL, no half characters, no infinity."""
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode(errors="replace").decode()
        case dict():
            return {_plain(str(name)): _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float():
            return value
    return str(value)
