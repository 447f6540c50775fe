"""What came in when: by hours while they are few, else by days of UTC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import DateTimeField, F, QuerySet, Sum
from django.db.models.functions import TruncDay

from campaigns.models import Run
from tracking.models import HourTally

MOST_HOURS = 72
MOST_DAYS = 92

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# In the order of Moment.
_SUMS: Mapping[str, Any] = {
    "n_sent": Sum("sent"),
    "n_opened": Sum("opens_people"),
    "n_clicked": Sum("clicks_people"),
    "n_bounced": Sum(F("bounced_hard") + F("bounced_soft")),
    "n_unsubscribed": Sum("unsubscribed"),
    "n_complained": Sum("complained"),
}


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    sent: int = 0
    opened: int = 0
    clicked: int = 0
    bounced: int = 0
    unsubscribed: int = 0
    complained: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    moments: Sequence[Moment]
    is_hourly: bool
    is_cut: bool
    """There are days before these."""


def timeline(runs: "QuerySet[Run]") -> Timeline:
    """Return the hours, or the last days, of these runs, none left out between."""
    tallies = HourTally.objects.filter(run__in=runs.order_by().values("pk"))
    ends = [tallies.order_by(order).values_list("hour", flat=True) for order in ("hour", "-hour")]
    first, last = (end.first() for end in ends)
    if first is None or last is None:
        return Timeline([], is_hourly=True, is_cut=False)
    if last - first < MOST_HOURS * _HOUR:
        return Timeline(_filled(tallies, F("hour"), first, last, _HOUR), True, is_cut=False)
    first_day, last_day = (each.replace(hour=0) for each in (first, last))
    since = max(first_day, last_day - (MOST_DAYS - 1) * _DAY)
    days = _filled(tallies.filter(hour__gte=since), _day(), since, last_day, _DAY)
    return Timeline(days, is_hourly=False, is_cut=since > first_day)


def _day() -> Any:
    return TruncDay("hour", output_field=DateTimeField())


def _filled(
    tallies: "QuerySet[HourTally]", unit: Any, first: datetime, last: datetime, step: timedelta
) -> list[Moment]:
    rows = tallies.values_list(unit).order_by(unit).annotate(**_SUMS)
    found = {row[0]: Moment(*row) for row in rows}
    count = (last - first) // step + 1
    times = (first + number * step for number in range(count))
    return [found.get(at, Moment(at)) for at in times]
