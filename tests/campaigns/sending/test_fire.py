from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSimError
from django.db import IntegrityError, transaction

from campaigns.models import Campaign, CampaignStatus, Run, RunStatus
from campaigns.sending.complete import complete
from campaigns.sending.fire import fire_due, next_occurrence
from campaigns.services import schedule
from tests.factories import make_campaign, make_list, make_recipient
from tracking.models import RunCounters

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def campaign(db: None) -> Campaign:
    readers = make_list()
    make_recipient(lists=[readers])
    return make_campaign(lists=[readers])


@pytest.mark.parametrize(("early", "runs"), [(timedelta(microseconds=1), 0), (timedelta(), 1)])
def test_a_campaign_fires_at_its_time_and_not_before(
    campaign: Campaign, early: timedelta, runs: int
) -> None:
    schedule(campaign, now=NOW, at=NOW + timedelta(hours=1))

    assert len(fire_due(now=NOW + timedelta(hours=1) - early)) == runs
    assert Run.objects.count() == runs


def test_a_second_fire_makes_no_second_run(campaign: Campaign) -> None:
    schedule(campaign, now=NOW, at=NOW)

    first, second = fire_due(now=NOW), fire_due(now=NOW)

    run = Run.objects.get()
    assert (first, second) == ([run.pk], [])
    assert (run.occurrence, run.status) == (NOW, RunStatus.PREPARING)
    assert run.version == Campaign.objects.get().version


def test_a_second_run_of_one_occurrence_is_refused_by_the_table(campaign: Campaign) -> None:
    schedule(campaign, now=NOW, at=NOW)
    fire_due(now=NOW)
    run = Run.objects.get()
    run.pk = None

    with pytest.raises(IntegrityError, match="run_occurrence_unique"), transaction.atomic():
        run.save(force_insert=True)


def test_a_recurring_campaign_fires_at_each_occurrence_and_stays_scheduled(
    campaign: Campaign,
) -> None:
    schedule(campaign, now=NOW, cron="0 8 * * *", time_zone="Europe/Berlin")
    days = [datetime(2026, 3, day, 7, tzinfo=UTC) for day in (2, 3, 4)]

    for day in days:
        assert fire_due(now=day - timedelta(seconds=1)) == []
        [run] = fire_due(now=day)
        Run.objects.filter(pk=run).update(status=RunStatus.SENDING, prepared_at=day)

    assert list(Run.objects.order_by("pk").values_list("occurrence", flat=True)) == days
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SCHEDULED
    assert campaign.next_fire_at == days[-1] + timedelta(days=1)


def test_occurrences_that_were_missed_while_beat_was_away_fire_once(campaign: Campaign) -> None:
    schedule(campaign, now=NOW, cron="0 8 * * *", time_zone="UTC")
    back = datetime(2026, 3, 5, 20, tzinfo=UTC)

    first, second = fire_due(now=back), fire_due(now=back)

    campaign.refresh_from_db()
    assert (len(first) + len(second), Run.objects.count()) == (0, 1)
    assert Run.objects.get().status == RunStatus.HELD
    assert campaign.next_fire_at == datetime(2026, 3, 6, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("late", "status"),
    [(timedelta(hours=24), RunStatus.PREPARING), (timedelta(hours=24, seconds=1), RunStatus.HELD)],
)
def test_a_run_that_is_later_than_its_limit_waits_for_a_person(
    campaign: Campaign, late: timedelta, status: RunStatus
) -> None:
    schedule(campaign, now=NOW, at=NOW)

    prepared = fire_due(now=NOW + late)

    run = Run.objects.get()
    assert run.status == status
    assert prepared == ([run.pk] if status == RunStatus.PREPARING else [])
    assert ("later than its limit" in run.held_reason) == (status == RunStatus.HELD)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        # The hour from 02:00 to 03:00 does not exist on this night …
        ("2026-03-28T12:00+01:00", "2026-03-29T03:00+02:00"),
        # … and the one from 02:00 to 03:00 comes twice on that one: it fires in the first.
        ("2026-10-24T12:00+02:00", "2026-10-25T02:30+02:00"),
    ],
)
def test_a_clock_change_neither_loses_nor_doubles_an_occurrence(after: str, expected: str) -> None:
    start, berlin = datetime.fromisoformat(after), ZoneInfo("Europe/Berlin")

    found = next_occurrence("30 2 * * *", time_zone="Europe/Berlin", after=start)
    following = next_occurrence("30 2 * * *", time_zone="Europe/Berlin", after=found)

    assert found == datetime.fromisoformat(expected)
    assert following.astimezone(berlin).date() == found.astimezone(berlin).date() + timedelta(1)


def test_an_expression_that_names_no_time_is_refused() -> None:
    with pytest.raises(CronSimError):
        next_occurrence("61 * * * *", time_zone="UTC", after=NOW)


def test_completing_a_run_of_a_recurring_campaign_leaves_it_scheduled(campaign: Campaign) -> None:
    schedule(campaign, now=NOW, cron="0 8 * * *", time_zone="UTC")
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    [run_id] = fire_due(now=day)
    Run.objects.filter(pk=run_id).update(status=RunStatus.SENDING, prepared_at=day)
    RunCounters.objects.create(run_id=run_id, sent=1)

    assert complete(run_id, now=day)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SCHEDULED
