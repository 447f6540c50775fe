"""How a campaign stands, as commands and programs read it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns.models import ACTIVE_RUN_STATUSES, Campaign, CampaignStatus, Run
from campaigns.progress import Progress, progress
from campaigns.sending import waiting
from tracking.models import DeliveryState


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """A campaign and how far its newest run has come; `progress` is None before the first one."""

    campaign: Campaign
    progress: Progress | None
    waiting: str = ""
    """Why the run waits, in one sentence, and until when; empty where it does not."""

    @property
    def run(self) -> Run | None:
        return self.progress.run if self.progress else None

    @property
    def counts(self) -> dict[str, int]:
        """Deliveries in each state, in the order of a delivery's life."""
        if self.progress is None:
            return dict.fromkeys(DeliveryState.values, 0)
        return dict(self.progress.counts)

    @property
    def has_ended(self) -> bool:
        """Nothing more will happen by itself."""
        if self.run is None:
            return self.campaign.status not in {CampaignStatus.DRAFT, CampaignStatus.SCHEDULED}
        return self.run.status not in ACTIVE_RUN_STATUSES

    def as_dict(self) -> dict[str, Any]:
        """Return what `campaign_status --json` prints; times are ISO 8601, the rate a second's."""
        run = self.run
        return {
            "id": self.campaign.pk,
            "status": self.campaign.status,
            "run": run.pk if run else None,
            "run_status": run.status if run else None,
            "waiting": self.waiting or None,
            "held_reason": (run.held_reason or None) if run else None,
            "warning": (run.warning or None) if run else None,
            "counts": self.counts,
            "started_at": _iso(run.started_at) if run else None,
            "finished_at": _iso(run.finished_at) if run else None,
            "rate": round(self.progress.rate, 2) if self.progress else 0.0,
        }


def report(campaign: Campaign, *, now: datetime) -> CampaignReport:
    run = campaign.runs.newest_first().with_counters().first()
    if run is None:
        return CampaignReport(campaign, None)
    return CampaignReport(campaign, progress(run, now=now), waiting.why(run, now=now))


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None
