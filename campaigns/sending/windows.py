"""Limits by the clock: how many messages a second, an hour or a day still has room for.

A second, an hour and a day are those of the clock (UTC), not of the first message: whoever looks
once a second finds each time a new one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from django.utils.translation import ngettext

from recipients.translatable import number

_UNITS = {
    "second": timedelta(seconds=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
FIELDS = [f"{unit}_{part}" for unit in _UNITS for part in ("at", "used")]

# By which a clock may be behind that of another machine, or of a worker that waited less for the
# lock. A window that lies further ahead was noted by a clock that has been set right since.
_BEHIND = timedelta(seconds=10)


class Limits(Protocol):
    per_second: int | None
    per_hour: int | None
    per_day: int | None


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of the tightest limit, and when there is more of it; None: no limit."""

    left: int | None
    more_at: datetime | None = None
    rule: str = ""
    """The limit in words, as in "5 messages a second"; empty without one."""
    pace: float = 0.0
    """Messages a second that it comes to."""


def room(limits: Limits, used: object, *, now: datetime) -> Room:
    """Return what the limits leave, where `used` has a window (`second_at`, `second_used`) each."""
    rooms = (_room(unit, limit, used, now) for unit, limit in _each(limits))
    return min(rooms, key=_tightness, default=Room(None))


def use(limits: Limits, used: object, count: int, *, now: datetime) -> None:
    """Note in the windows of `used` that `count` messages are about to leave."""
    for unit, _ in _each(limits):
        setattr(used, f"{unit}_used", _used(unit, used, now) + count)
        setattr(used, f"{unit}_at", _window(unit, used, now))


def give_back(limits: Limits, used: object, count: int, *, at: datetime) -> None:
    """Take back what was noted at `at` and did not leave; the windows of then may be over."""
    for unit, _ in _each(limits):
        if getattr(used, f"{unit}_at") == _begin(unit, at):
            setattr(used, f"{unit}_used", max(0, getattr(used, f"{unit}_used") - count))


def _tightness(room: Room) -> tuple[int, float]:
    """Order by what is left; of those that leave nothing, the one that lasts longest decides."""
    return room.left or 0, -room.more_at.timestamp() if room.more_at else 0.0


def _each(limits: Limits) -> Iterator[tuple[str, int]]:
    for unit in _UNITS:
        limit: int | None = getattr(limits, f"per_{unit}")
        if limit is not None:
            yield unit, limit


def _room(unit: str, limit: int, used: object, now: datetime) -> Room:
    left = max(0, limit - _used(unit, used, now))
    more_at = _window(unit, used, now) + _UNITS[unit]
    pace = limit / _UNITS[unit].total_seconds()
    return Room(left, more_at, _rule(unit, limit), pace)


def _rule(unit: str, limit: int) -> str:
    count = {"count": number(limit)}
    match unit:
        case "second":
            return (
                ngettext("%(count)s message a second", "%(count)s messages a second", limit) % count
            )
        case "hour":
            return (
                ngettext("%(count)s message an hour", "%(count)s messages an hour", limit) % count
            )
    return ngettext("%(count)s message a day", "%(count)s messages a day", limit) % count


def _used(unit: str, used: object, now: datetime) -> int:
    is_current = getattr(used, f"{unit}_at") == _window(unit, used, now)
    return int(getattr(used, f"{unit}_used")) if is_current else 0


def _window(unit: str, used: object, now: datetime) -> datetime:
    """Return the begin of the window that counts: it never goes back to one that was over."""
    begin = _begin(unit, now)
    noted: datetime | None = getattr(used, f"{unit}_at")
    return noted if noted and begin < noted <= now + _BEHIND else begin


def _begin(unit: str, now: datetime) -> datetime:
    second = now.astimezone(UTC).replace(microsecond=0)
    if unit == "second":
        return second
    hour = second.replace(minute=0, second=0)
    return hour if unit == "hour" else hour.replace(hour=0)
