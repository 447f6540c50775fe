"""Note what is said about a message, each fact once: the door for bounces and complaints.

The tallies are moved later, by `tracking.tallying`; what the fact means for the recipient (being
suppressed) is done in the same transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from recipients import locks
from tracking import suppressing, unconfirmed
from tracking.models import (
    Category,
    Delivery,
    DeliveryEvent,
    DeliveryState,
    EventKind,
    EventSource,
)

DIAGNOSTIC = 2_000  # characters


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
    """Note a fact about a delivery, and do what follows from it; return whether it is new."""
    locks.write_addresses()
    held = Delivery.objects.select_related("recipient").filter(pk=delivery.pk).first()
    if held is None:
        return False
    event, is_new = DeliveryEvent.objects.get_or_create(
        source=fact.source, source_key=fact.source_key, defaults=_columns(held, fact, now)
    )
    if is_new:
        _settle(held, fact, now)
        suppressing.follow(held, event, now=now)
    return is_new


def _columns(delivery: Delivery, fact: Fact, now: datetime) -> dict[str, Any]:
    return {
        "delivery": delivery,
        "run_id": delivery.run_id,
        "recipient_id": delivery.recipient_id,
        "kind": fact.kind,
        "category": fact.category or "",
        "is_hard": fact.is_hard,
        "reply_code": fact.reply_code,
        "enhanced_status_code": fact.enhanced_status_code[:11],
        # It may name whom nobody is to know any more.
        "diagnostic": _legible(fact.diagnostic) if delivery.address else "",
        "at": fact.at,
        "noted_at": now,
    }


def _legible(text: str) -> str:
    """Return what PostgreSQL can keep of a text: neither NUL nor half a character."""
    return text.replace("\0", "").encode(errors="replace").decode()[:DIAGNOSTIC]


def _settle(delivery: Delivery, fact: Fact, now: datetime) -> None:
    """What is said of a message after it was handed over shows that it was."""
    if fact.kind != EventKind.FAILED and delivery.state == DeliveryState.UNCONFIRMED:
        unconfirmed.confirm(delivery.pk, evidence=EventKind(fact.kind).label.lower(), now=now)
