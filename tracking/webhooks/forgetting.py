"""What is kept of people in what providers told: handed out, and forgotten."""

from datetime import datetime
from typing import Any

from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from recipients.mentions import forget_mentions
from recipients.privacy import Person
from tracking.models import WebhookEvent


def known(person: Person) -> list[dict[str, Any]]:
    """Return what providers told of messages to a person, as long as it is kept."""
    events = WebhookEvent.objects.telling_of(person.keys).order_by("pk")
    rows = events.values(
        "provider",
        "event_type",
        "received_at",
        at=KT("payload__timestamp"),
        description=KT("payload__description"),
        answer=KT("payload__mta_response"),
    )
    return [dict(row) for row in rows]


def forget(person: Person, now: datetime) -> None:
    """Forget what providers told of messages to a person, and who it is where others are told of.

    What of it was not worked off yet comes to nothing. The keys of events stay: told again, they
    are not stored again.
    """
    WebhookEvent.objects.telling_of(person.keys).update(
        payload={}, message_id="", explanation="erased", handled_at=Coalesce("handled_at", now)
    )
    forget_mentions("tracking_webhookevent", "payload", person.keys, cast="::jsonb")
