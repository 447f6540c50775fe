"""Complete: a run ends when nobody in it is left to be attempted."""

from datetime import datetime

from django.db import transaction

from campaigns.models import Campaign, CampaignStatus, Run, RunStatus


@transaction.atomic(durable=True)
def complete(run_id: int, *, now: datetime) -> bool:
    """Complete the run if every recipient of it has an outcome; say whether this call did it."""
    ended = Run.objects.having(RunStatus.SENDING).filter(
        pk=run_id,
        prepared_at__isnull=False,
        counters__queued=0,
        counters__sending=0,
        counters__retry=0,
    )
    if not ended.update(status=RunStatus.COMPLETED, finished_at=now):
        return False
    # A recurring campaign stays scheduled; one that is sent once has nothing left to fire.
    Campaign.objects.filter(
        runs=run_id, status=CampaignStatus.SCHEDULED, next_fire_at__isnull=True
    ).update(status=CampaignStatus.FINISHED)
    return True
