"""Complete: a run ends when nobody in it is left to be attempted."""

from datetime import datetime

from django.db import transaction

from campaigns.models import Campaign, CampaignStatus, PageState, Run, RunStatus
from tracking.models import RunCounters


@transaction.atomic(durable=True)
def complete(run_id: int, *, now: datetime) -> bool:
    """Complete the run if every recipient of it has an outcome; say whether this call did it.

    The campaign is locked before the run, as in all that touches both, and the counters are read
    only then: a statement that waited for a lock would judge by those of before.
    """
    if not _is_sent(run_id):
        return False
    campaign = Campaign.objects.select_for_update().get(runs=run_id)
    run = Run.objects.select_for_update(no_key=True).get(pk=run_id)
    if not _is_sent(run_id):
        return False
    run.status, run.finished_at = RunStatus.COMPLETED, now
    run.save(update_fields=["status", "finished_at"])
    # A closing message that was lost closes none of them any more, nor does the sweep.
    run.pages.exclude(state=PageState.CLOSED).update(state=PageState.CLOSED)
    # A recurring campaign stays scheduled; one with nothing left to fire or to send is finished.
    is_last = campaign.next_fire_at is None and not campaign.runs.active().exists()
    if is_last and campaign.status == CampaignStatus.SCHEDULED:
        campaign.status = CampaignStatus.FINISHED
        campaign.save(update_fields=["status", "updated_at"])
    return True


@transaction.atomic(durable=True)
def reopen(run_id: int) -> bool:
    """Let a completed run go on that has open deliveries again; say whether it was one.

    A worker may come back after its lease and say that it never began what counted as in doubt.
    """
    completed = Run.objects.having(RunStatus.COMPLETED).filter(pk=run_id)
    return bool(
        completed.filter(pk__in=Run.objects.with_open_deliveries().values("pk")).update(
            status=RunStatus.SENDING, finished_at=None
        )
    )


def _is_sent(run_id: int) -> bool:
    run = Run.objects.having(RunStatus.SENDING).filter(pk=run_id, prepared_at__isnull=False)
    counters = RunCounters.objects.filter(run_id=run_id, queued=0, sending=0, retry=0)
    return run.exists() and counters.exists()
