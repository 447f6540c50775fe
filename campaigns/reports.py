"""How a campaign stands, in numbers that are read from the counters."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from campaigns.models import ACTIVE_RUN_STATUSES, Campaign, Run
from tracking.models import OPEN_STATES, DeliveryState


@dataclass(frozen=True, slots=True)
class CampaignStatus:
    """A campaign and its newest run; `run` is None before the first one."""

    id: int
    status: str
    run: int | None
    run_status: str | None
    counts: dict[str, int]
    started_at: str | None  # ISO 8601
    finished_at: str | None
    rate: float  # messages sent a second, from the run's start to its end or to now

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def ended(self) -> bool:
        """Nothing more will happen by itself."""
        if self.run_status is None:
            return self.status not in {"draft", "scheduled"}
        return self.run_status not in ACTIVE_RUN_STATUSES

    @property
    def open(self) -> int:
        return sum(self.counts[state] for state in OPEN_STATES)

    @property
    def progress(self) -> float:
        """The part of the audience that has its outcome, from 0 to 1."""
        total = sum(self.counts.values())
        return (total - self.open) / total if total else 0.0

    @property
    def seconds_left(self) -> float:
        """How long the rest takes at the present rate; 0 where that cannot be said."""
        return self.open / self.rate if self.rate else 0.0


def campaign_status(campaign: Campaign, *, now: datetime) -> CampaignStatus:
    run = campaign.runs.newest_first().with_counters().first()
    counts = _counts(run)
    return CampaignStatus(
        id=campaign.pk,
        status=campaign.status,
        run=run.pk if run else None,
        run_status=run.status if run else None,
        counts=counts,
        started_at=_iso(run.started_at) if run else None,
        finished_at=_iso(run.finished_at) if run else None,
        rate=_rate(run, sent=counts[DeliveryState.SENT], now=now),
    )


def _counts(run: Run | None) -> dict[str, int]:
    # A run has no counters before its first slice is written down.
    counters = getattr(run, "counters", None)
    return counters.as_dict() if counters else dict.fromkeys(DeliveryState.values, 0)


def _rate(run: Run | None, *, sent: int, now: datetime) -> float:
    if run is None or run.started_at is None:
        return 0.0
    seconds = ((run.finished_at or now) - run.started_at).total_seconds()
    return round(sent / seconds, 2) if seconds > 0 else 0.0


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None
