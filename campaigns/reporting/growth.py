"""How a list grows, from the consent ledger: what was said then, whatever was said since."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from recipients.models import ConsentAction, ConsentTally

DAYS = 28
WEEKS = 26

_DAY, _WEEK = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A day, or a week from Monday on, of UTC."""

    first: date
    subscribed: int = 0
    """Asked for it: by a form or in a message's preferences."""
    imported: int = 0
    confirmed: int = 0
    left: int = 0


def growth(list_id: int, *, by_week: bool, now: datetime) -> list[Period]:
    """Return what happened to a list day by day, or week by week, up to now; none left out."""
    step, count = (_WEEK, WEEKS) if by_week else (_DAY, DAYS)
    last = now.date()
    if by_week:
        last -= last.weekday() * _DAY
    since = last - (count - 1) * step
    sums: defaultdict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for tally in ConsentTally.objects.filter(mailing_list_id=list_id, day__gte=since):
        sums[since + (tally.day - since) // step * step][tally.action] += tally.count
    periods = (since + number * step for number in range(count))
    return [_period(first, sums[first]) for first in periods]


def _period(first: date, sums: dict[str, int]) -> Period:
    return Period(
        first,
        subscribed=sums.get(ConsentAction.GRANTED, 0),
        imported=sums.get(ConsentAction.IMPORTED, 0),
        confirmed=sums.get(ConsentAction.CONFIRMED, 0),
        left=sums.get(ConsentAction.WITHDRAWN, 0),
    )
