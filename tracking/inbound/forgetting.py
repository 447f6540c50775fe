"""What is kept of people in feedback: taken over by another row, and forgotten."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from recipients.addresses import spellings
from recipients.mentions import forget_mentions
from tracking.models import DeliveryEvent

# Of the messages that came in, those about their deliveries, and those that name them, whomever
# they are about. All that is kept is read: a quarter of a million in a second or two.
_FORGET_MESSAGES = """
UPDATE tracking_inboundmessage message
   SET raw = NULL
 WHERE raw IS NOT NULL
   AND (delivery_id = ANY(%(ids)s::bigint[])
        OR EXISTS (SELECT FROM unnest(%(names)s::text[]) AS name
                    WHERE position(name IN lower(encode(message.raw, 'escape'))) > 0))
"""
_FORGET_EVENTS = """
UPDATE tracking_deliveryevent SET recipient_id = NULL, diagnostic = ''
 WHERE delivery_id = ANY(%(ids)s::bigint[])
"""


def forget(delivery_ids: Iterable[int], keys: Iterable[str]) -> None:
    """Forget what was said about these deliveries, and where else these addresses are named."""
    keys = list(keys)
    names = [_escaped(each) for each in spellings(keys)]
    params: dict[str, Any] = {"ids": list(delivery_ids), "names": names}
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_MESSAGES, params)
        cursor.execute(_FORGET_EVENTS, params)
    forget_mentions("tracking_inboundmessage", "recipient", keys)
    forget_mentions("tracking_inboundmessage", "explanation", keys)
    forget_mentions("tracking_deliveryevent", "diagnostic", keys)


def merge(keep: int, other: int, now: datetime) -> None:
    """Make what was said about messages to one recipient said about those to another one."""
    DeliveryEvent.objects.filter(recipient_id=other).update(recipient_id=keep)


def _escaped(name: str) -> str:
    """Return a name as PostgreSQL writes bytes: those beyond ASCII as octal numbers."""
    return "".join(chr(byte) if byte < 0x80 else f"\\{byte:o}" for byte in name.lower().encode())
