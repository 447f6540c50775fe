"""Note what is said about a message, each fact once: the door for bounces and complaints.

The tallies are moved later, by `tracking.tallying`; what the fact means for the recipient (being
suppressed) is done in the same transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from tracking.models import Category, Delivery, DeliveryEvent, EventKind, EventSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What somebody says about a delivery.

    :param source_key: the same for the same fact, whenever it is told again
    :param is_hard: of a bounce or failure: a strict code says that the address takes no mail
    """

    kind: EventKind
    source: EventSource
    source_key: str
    at: datetime
    category: Category | None = None
    is_hard: bool = False
    reply_code: int | None = None
    enhanced_status_code: str = ""
    diagnostic: str = ""


@transaction.atomic
def note(delivery: Delivery, fact: Fact, *, now: datetime) -> bool:
    """Note a fact about a delivery; return whether it is new."""
    _, is_new = DeliveryEvent.objects.get_or_create(
        source=fact.source,
        source_key=fact.source_key,
        defaults={
            "delivery": delivery,
            "run_id": delivery.run_id,
            "recipient_id": delivery.recipient_id,
            "kind": fact.kind,
            "category": fact.category or "",
            "is_hard": fact.is_hard,
            "reply_code": fact.reply_code,
            "enhanced_status_code": fact.enhanced_status_code,
            "diagnostic": fact.diagnostic,
            "at": fact.at,
            "noted_at": now,
        },
    )
    return is_new
