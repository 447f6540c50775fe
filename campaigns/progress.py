"""How far a run has come, from its counters alone: no query, whatever the size of the audience."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ObjectDoesNotExist
from django.utils.translation import gettext as _

from campaigns.models import Run, RunStatus
from recipients.translatable import number
from tracking.models import OPEN_STATES, DeliveryState, RunCounters

_MINUTE = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Progress:
    run: Run
    counts: Mapping[str, int]
    """Of each state, in the order of a delivery's life."""
    rate: float
    """Messages sent a second, from the run's start to its end or to now."""
    rate_now: float = 0.0
    """Messages sent a second, over the last minute."""
    sent_at: datetime | None = None
    """When one was last sent."""

    @property
    def states(self) -> list[tuple[str, str, int]]:
        """Each state with its name for people and its count."""
        return [
            (state, str(DeliveryState(state).label), count) for state, count in self.counts.items()
        ]

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
        return in_words(self.rate)

    @property
    def pace_now(self) -> str:
        return in_words(self.rate_now)

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
            return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
        if minutes:
            return _("%(minutes)d min") % {"minutes": minutes}
        return _("%(seconds)d s") % {"seconds": max(seconds, 1)}


def in_words(rate: float) -> str:
    """Say a rate of messages a second so that it is never a zero; empty where it is none."""
    if not rate:
        return ""
    if rate >= 1:
        return _("%(count)s a second") % {"count": number(round(rate))}
    a_minute = rate * 60
    if a_minute < 1:
        return _("under 1 a minute")
    return _("%(count)s a minute") % {"count": number(round(a_minute))}


def progress(run: Run, *, now: datetime) -> Progress:
    """Return how a run stands that was read with its counters; a new one may have none yet."""
    try:
        counters = run.counters
    except ObjectDoesNotExist:
        return Progress(run, dict.fromkeys(DeliveryState.values, 0), 0.0)
    rate = _rate(run, sent=counters.sent, now=now)
    rate_now = _rate_now(run, counters, now=now)
    return Progress(run, counters.as_dict(), rate, rate_now, counters.sent_at)


def _rate(run: Run, *, sent: int, now: datetime) -> float:
    if run.started_at is None:
        return 0.0
    seconds = ((run.finished_at or now) - run.started_at).total_seconds()
    return sent / seconds if seconds > 0 else 0.0


def _rate_now(run: Run, counters: RunCounters, *, now: datetime) -> float:
    """Return the rate over sixty seconds, of which the minute before has what is left of it."""
    if counters.sent_at is None or run.started_at is None:
        return 0.0
    minute = counters.sent_at.replace(second=0, microsecond=0)
    since = (now - minute).total_seconds()
    if since < _MINUTE:
        sent = counters.minute_sent + counters.minute_before * (1 - since / _MINUTE)
    else:
        sent = counters.minute_sent * max(0.0, 2 - since / _MINUTE)
    seconds = min(_MINUTE, (now - run.started_at).total_seconds())
    return sent / seconds if seconds > 0 else 0.0
