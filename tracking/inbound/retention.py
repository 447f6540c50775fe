"""Delete messages that came in when they were kept long enough, whatever became of them."""

from datetime import datetime, timedelta

from django.conf import settings

from recipients.retention import delete_in_batches
from tracking.models import InboundMessage


def clean(*, now: datetime) -> int:
    """Delete what is older than INBOUND_DAYS, and read; return how many messages that were."""
    old = InboundMessage.objects.handled(before=now - timedelta(days=settings.INBOUND_DAYS))
    return delete_in_batches(old)
