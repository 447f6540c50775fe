"""Store messages as they came, each once: whoever delivers them to us may do so again."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from django.db import transaction

from recipients import locks
from tracking.models import InboundMessage

LIMIT = 1 << 20  # bytes that are kept of a message
_RECIPIENT = 320  # characters


def store(raw: bytes, *, recipient: str = "", origin: str, now: datetime) -> None:
    """Store a message that came in, unless it is known.

    :param raw: the first megabyte of it is kept
    :param recipient: of the envelope, where it is known
    :param origin: the mailbox, or "pipe"
    """
    store_all([raw], recipient=recipient, origin=origin, now=now)


@transaction.atomic
def store_all(
    messages: Iterable[bytes], *, recipient: str = "", origin: str, now: datetime
) -> None:
    """Store messages that came in together: all of them, or none."""
    locks.write_addresses()
    rows = [_row(raw[:LIMIT], recipient, origin, now) for raw in messages]
    InboundMessage.objects.bulk_create(rows, ignore_conflicts=True)


def _row(raw: bytes, recipient: str, origin: str, now: datetime) -> InboundMessage:
    return InboundMessage(
        digest=sha256(raw).digest(),
        raw=raw,
        recipient=recipient.replace("\0", "")[:_RECIPIENT],
        origin=origin,
        received_at=now,
    )
