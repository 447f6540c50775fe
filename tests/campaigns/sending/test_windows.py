from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from campaigns.sending import windows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class Limits:
    per_second: int | None = None
    per_hour: int | None = None
    per_day: int | None = None


@dataclass
class Used:
    second_at: datetime | None = None
    second_used: int = 0
    hour_at: datetime | None = None
    hour_used: int = 0
    day_at: datetime | None = None
    day_used: int = 0


def test_without_a_limit_there_is_room_for_all() -> None:
    room = windows.room(Limits(), Used(), now=NOON)

    assert (room.left, room.rule) == (None, "")


@pytest.mark.parametrize(
    ("limits", "last", "next_one"),
    [
        (Limits(per_second=5), NOON.replace(microsecond=999_999), NOON + timedelta(seconds=1)),
        (Limits(per_hour=5), NOON.replace(minute=59, second=59), NOON.replace(hour=13)),
        (
            Limits(per_day=5),
            NOON.replace(hour=23, minute=59, second=59),
            NOON.replace(hour=0) + DAY,
        ),
    ],
)
def test_a_window_is_the_clocks_and_a_new_one_is_empty(
    limits: Limits, last: datetime, next_one: datetime
) -> None:
    used = Used()
    windows.use(limits, used, 3, now=NOON)

    assert windows.room(limits, used, now=last).left == 2
    assert windows.room(limits, used, now=last).more_at == next_one
    assert windows.room(limits, used, now=next_one).left == 5


def test_a_day_is_utcs_wherever_the_clock_is_read() -> None:
    limits, used = Limits(per_day=5), Used()
    windows.use(limits, used, 5, now=NOON)

    elsewhere = NOON.astimezone(tz=None)

    assert windows.room(limits, used, now=elsewhere).left == 0


def test_the_tightest_limit_is_the_one_that_is_named() -> None:
    limits, used = Limits(per_second=1_000, per_hour=4_000), Used()
    windows.use(limits, used, 999, now=NOON)
    tight_second = windows.room(limits, used, now=NOON).rule
    windows.use(limits, used, 3_001, now=NOON + timedelta(seconds=1))
    tight_hour = windows.room(limits, used, now=NOON + timedelta(seconds=2)).rule

    assert (tight_second, tight_hour) == ("1,000 messages a second", "4,000 messages an hour")
    assert windows.room(Limits(per_day=1), Used(), now=NOON).rule == "1 message a day"


def test_more_than_the_limit_leaves_no_room_and_no_debt() -> None:
    used = Used()
    windows.use(Limits(per_second=9), used, 9, now=NOON)

    assert windows.room(Limits(per_second=5), used, now=NOON).left == 0


def test_who_is_a_bit_late_counts_in_the_window_of_the_others() -> None:
    limits, used = Limits(per_second=5, per_hour=9), Used()
    begun = NOON.replace(hour=13)
    windows.use(limits, used, 5, now=begun)

    late = begun - timedelta(milliseconds=1)
    full = windows.room(limits, used, now=late)
    windows.use(limits, used, 0, now=late)

    assert (full.left, full.more_at) == (0, begun + timedelta(seconds=1))
    assert (used.second_at, used.hour_at, used.hour_used) == (begun, begun, 5)
    assert windows.room(limits, used, now=begun - timedelta(seconds=10)).left == 0


def test_a_clock_that_was_set_back_begins_anew() -> None:
    limits, used = Limits(per_day=5), Used()
    windows.use(limits, used, 5, now=NOON + DAY)

    assert windows.room(limits, used, now=NOON).left == 5
    assert windows.room(limits, used, now=(NOON + DAY).replace(hour=0)).left == 0


def test_of_two_limits_that_leave_nothing_the_longer_one_is_named() -> None:
    limits, used = Limits(per_second=5, per_hour=5), Used()
    windows.use(limits, used, 5, now=NOON)

    full = windows.room(limits, used, now=NOON)

    assert (full.rule, full.more_at) == ("5 messages an hour", NOON.replace(hour=13))
