"""Delete messages that came in when they were kept long enough, whatever became of them."""

from datetime import datetime, timedelta

from django.conf import settings

from tracking.models import InboundMessage

BATCH = 1_000  # rows in one transaction


def clean(*, now: datetime) -> int:
    """Delete what is older than INBOUND_DAYS, and read; return how many messages that were."""
    old = InboundMessage.objects.handled(before=now - timedelta(days=settings.INBOUND_DAYS))
    deleted = 0
    while batch := list(old.order_by("received_at").values_list("pk", flat=True)[:BATCH]):
        deleted += InboundMessage.objects.filter(pk__in=batch).delete()[0]
    return deleted
