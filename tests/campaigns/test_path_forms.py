from datetime import UTC, datetime

import pytest

from campaigns.forms.path import ScheduleForm
from campaigns.models import Plan, When

BERLIN = "Europe/Berlin"
ANY_TIME = {"follows_recipients": False, "hours": None}


def form(**answers: str) -> ScheduleForm:
    given = {"when": "at", "date": "2026-07-01", "time": "09:00", "time_zone": BERLIN}
    return ScheduleForm(given | answers, plan=None, time_zone="UTC")


def test_a_time_is_meant_in_the_zone_that_was_chosen() -> None:
    filled = form()

    assert filled.is_valid()
    at = datetime(2026, 7, 1, 7, tzinfo=UTC)
    assert filled.plan() == ANY_TIME | {"when": When.AT, "at": at, "cron": "", "time_zone": BERLIN}


def test_now_is_now_whatever_stands_in_the_date() -> None:
    filled = form(when="now")

    assert filled.is_valid()
    assert filled.plan() == ANY_TIME | {
        "when": When.NOW,
        "at": None,
        "cron": "",
        "time_zone": BERLIN,
    }


@pytest.mark.parametrize(
    ("chosen", "cron"),
    [
        ({"repeat": "daily"}, "0 9 * * *"),
        ({"repeat": "weekdays"}, "0 9 * * 1-5"),
        ({"repeat": "weekly", "weekday": "0"}, "0 9 * * 0"),
        ({"repeat": "monthly", "day": "15"}, "0 9 15 * *"),
        ({"repeat": "custom", "cron": "*/5 9 * * MON", "time": ""}, "*/5 9 * * MON"),
    ],
)
def test_what_is_repeated_becomes_a_crontab_and_is_shown_as_it_was_chosen(
    chosen: dict[str, str], cron: str
) -> None:
    filled = form(when="cron", date="", **chosen)

    assert filled.is_valid(), filled.errors
    assert filled.plan()["cron"] == cron
    chosen_plan = {name: value for name, value in filled.plan().items() if name not in ANY_TIME}
    shown = ScheduleForm(plan=Plan(**chosen_plan), time_zone="UTC").initial
    assert shown["repeat"] == chosen["repeat"]
    assert str(shown.get("day", "")) == chosen.get("day", "")
    assert str(shown.get("weekday", "")) == chosen.get("weekday", "")


@pytest.mark.parametrize(
    ("missing", "answers"),
    [
        ("date", {"date": ""}),
        ("time", {"time": ""}),
        ("repeat", {"when": "cron"}),
        ("cron", {"when": "cron", "repeat": "custom"}),
        ("day", {"when": "cron", "repeat": "monthly"}),
        ("time", {"when": "cron", "repeat": "daily", "time": ""}),
        ("when", {"when": ""}),
        ("time_zone", {"time_zone": "Mars/Olympus"}),
    ],
)
def test_what_is_missing_is_named_and_never_means_now(
    missing: str, answers: dict[str, str]
) -> None:
    filled = form(**answers)

    assert list(filled.errors) == [missing]


# In 2026 the clocks of Berlin go forward on 29 March at 2:00, back on 25 October at 3:00.
@pytest.mark.parametrize(
    ("date", "time", "error"),
    [
        ("2026-03-29", "01:59", ""),
        ("2026-03-29", "02:00", "this time does not exist; 03:00 does"),
        ("2026-03-29", "02:59", "this time does not exist; 03:59 does"),
        ("2026-03-29", "03:00", ""),
        ("2026-10-25", "01:59", ""),
        ("2026-10-25", "02:00", "this time comes twice; 00:00 comes once"),
        ("2026-10-25", "02:59", "this time comes twice; 00:59 comes once"),
        ("2026-10-25", "03:00", ""),
    ],
)
def test_a_time_that_the_clocks_skip_or_strike_twice_is_refused(
    date: str, time: str, error: str
) -> None:
    filled = form(date=date, time=time)

    assert error in str(filled.errors.get("time", ""))
    assert filled.is_valid() is (error == "")


@pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31"])
def test_a_year_that_no_time_zone_can_be_told_for_is_refused(date: str) -> None:
    filled = form(date=date, time="23:59", time_zone="Asia/Tokyo")

    assert filled.errors["date"] == ["This year is too far away."]
