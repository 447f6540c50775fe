from datetime import UTC, datetime

import pytest

from campaigns.forms import ScheduleForm
from campaigns.models import Campaign

BERLIN = "Europe/Berlin"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def form(**answers: str) -> ScheduleForm:
    given = {"when": "at", "date": "2026-07-01", "time": "09:00", "time_zone": BERLIN}
    return ScheduleForm(given | answers, campaign=Campaign())


def test_a_time_is_meant_in_the_zone_that_was_chosen() -> None:
    filled = form()

    assert filled.is_valid()
    schedule = filled.schedule(now=NOW)
    assert schedule["at"] == datetime(2026, 7, 1, 7, tzinfo=UTC)
    assert schedule["time_zone"] == BERLIN


def test_now_is_now_whatever_stands_in_the_date() -> None:
    filled = form(when="now")

    assert filled.is_valid()
    assert filled.schedule(now=NOW)["at"] == NOW


def test_a_crontab_is_handed_on_with_its_zone() -> None:
    filled = form(when="cron", cron="0 9 * * MON", date="", time="")

    assert filled.is_valid()
    assert filled.schedule(now=NOW) == {
        "cron": "0 9 * * MON",
        "time_zone": BERLIN,
        "accepted": [],
    }


@pytest.mark.parametrize(
    ("missing", "answers"),
    [
        ("date", {"date": ""}),
        ("time", {"time": ""}),
        ("cron", {"when": "cron"}),
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
