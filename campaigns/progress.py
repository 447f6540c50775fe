"""How far a run has come, from its counters alone: no query, whatever the size of the audience."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ObjectDoesNotExist

from campaigns.models import Run, RunStatus
from tracking.models import OPEN_STATES, DeliveryState


@dataclass(frozen=True, slots=True)
class Progress:
    run: Run
    counts: Mapping[str, int]
    """Of each state, in the order of a delivery's life."""
    rate: float
    """Messages sent a second, from the run's start to its end or to now."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def open(self) -> int:
        return sum(self.counts[state] for state in OPEN_STATES)

    @property
    def done(self) -> int:
        return self.total - self.open

    @property
    def percent(self) -> int:
        """The part that has its outcome, rounded down: 100 only when that is everybody."""
        return 100 * self.done // self.total if self.total else 0

    @property
    def pace(self) -> str:
        """The rate, in words; empty before the start and where nothing is sent."""
        if not self.rate:
            return ""
        if self.rate >= 1:
            return f"{self.rate:,.0f} a second"
        a_minute = self.rate * 60
        return f"{a_minute:.0f} a minute" if a_minute >= 1 else "under 1 a minute"

    @property
    def moves(self) -> bool:
        """Its numbers change by themselves."""
        return self.run.status in {RunStatus.PREPARING, RunStatus.SENDING}

    @property
    def time_left(self) -> str:
        """How long the rest takes at this rate, in words; empty where that cannot be said."""
        if not (self.moves and self.rate and self.open):
            return ""
        minutes, seconds = divmod(round(self.open / self.rate), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours} h {minutes} min"
        return f"{minutes} min" if minutes else f"{max(seconds, 1)} s"


def progress(run: Run, *, now: datetime) -> Progress:
    """Return how a run stands that was read with its counters; a new one may have none yet."""
    try:
        counts = run.counters.as_dict()
    except ObjectDoesNotExist:
        counts = dict.fromkeys(DeliveryState.values, 0)
    return Progress(run, counts, _rate(run, sent=counts[DeliveryState.SENT], now=now))


def _rate(run: Run, *, sent: int, now: datetime) -> float:
    if run.started_at is None:
        return 0.0
    seconds = ((run.finished_at or now) - run.started_at).total_seconds()
    return sent / seconds if seconds > 0 else 0.0
