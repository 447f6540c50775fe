from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import redis
from cronsim import CronSimError
from django.db import IntegrityError, OperationalError, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from campaigns import reasons
from campaigns.models import Campaign, CampaignStatus, Instance, Run, RunStatus
from campaigns.sending.complete import complete
from campaigns.sending.fire import fire, next_occurrence
from campaigns.sending.snapshot import take_slice
from campaigns.services import cancel, resume, schedule
from recipients.models import Recipient, Tracking
from tests.factories import make_campaign, make_list, make_recipient, make_template
from tracking.hits.targets import Targets, key
from tracking.models import RunCounters

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def fire_due(*, now: datetime) -> list[int]:
    """Fire all that is due, as the tick does; return the runs to be prepared."""
    fired = [fire(campaign_id, now=now) for campaign_id in Campaign.objects.due(now=now).ids()]
    return [run_id for run_id in fired if run_id]


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


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_jumps_by_an_hour_and_is_put_right_fires_no_occurrence_twice(
    campaign: Campaign, jump: timedelta
) -> None:
    schedule(campaign, now=NOW, cron="0 * * * *", time_zone="UTC")
    ten = NOW + timedelta(hours=1)
    minutes = [ten + timedelta(minutes=minute) for minute in range(0, 180, 5)]

    for minute in minutes:
        wrong = ten + timedelta(minutes=20) <= minute < ten + timedelta(minutes=50)
        fire_due(now=minute + (jump if wrong else timedelta()))

    occurrences = Run.objects.order_by("pk").values_list("occurrence", flat=True)
    assert list(occurrences) == [ten, ten + timedelta(hours=1), ten + timedelta(hours=2)]


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
    RunCounters.objects.update(sent=1)

    assert complete(run_id, now=day)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SCHEDULED


def test_a_time_that_has_a_run_already_makes_no_second_one_and_stops_nobody(
    campaign: Campaign,
) -> None:
    schedule(campaign, now=NOW, at=NOW)
    fire_due(now=NOW)
    Campaign.objects.update(next_fire_at=NOW)

    assert fire_due(now=NOW) == []
    assert Run.objects.count() == 1
    assert not Campaign.objects.due(now=NOW).exists()


def test_a_run_without_recipients_completes(campaign: Campaign) -> None:
    schedule(campaign, now=NOW, at=NOW)
    Recipient.objects.all().delete()
    [run_id] = fire_due(now=NOW)

    assert take_slice(run_id, now=NOW).finished
    assert complete(run_id, now=NOW)


def test_a_run_that_was_not_prepared_in_time_waits_for_a_person_and_goes_once_one_said_so(
    campaign: Campaign,
) -> None:
    schedule(campaign, now=NOW, at=NOW)
    [run_id] = fire_due(now=NOW)
    late = NOW + timedelta(days=2)

    take_slice(run_id, now=late)
    held = Run.objects.get().status
    resume(campaign, now=late)
    take_slice(run_id, now=late)

    assert held == RunStatus.HELD
    assert Run.objects.get().status == RunStatus.SENDING


def test_an_older_run_does_not_finish_a_campaign_whose_newer_run_is_under_way(
    campaign: Campaign,
) -> None:
    schedule(campaign, now=NOW, cron="0 10 * * *")
    ten = NOW + timedelta(hours=1)
    [older] = fire_due(now=ten)
    schedule(campaign, now=ten, at=ten + timedelta(minutes=1))
    fire_due(now=ten + timedelta(minutes=1))
    Run.objects.filter(pk=older).update(status=RunStatus.SENDING, prepared_at=ten)

    assert complete(older, now=ten)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SCHEDULED
    cancel(campaign, now=ten)
    assert not Run.objects.active().exists()


def test_what_was_due_before_a_restored_database_was_confirmed_waits_for_a_person(
    campaign: Campaign,
) -> None:
    schedule(campaign, now=NOW, cron="0 10 * * *")
    ten = NOW.replace(hour=10)
    Instance.objects.create(place="1.2", confirmed_at=ten + timedelta(minutes=5))

    at_once = fire_due(now=ten + timedelta(minutes=6))
    next_day = fire_due(now=ten + timedelta(days=1))

    held = Run.objects.get(occurrence=ten)
    assert (at_once, held.status, held.held_reason) == ([], RunStatus.HELD, reasons.DUE_BEFORE)
    assert next_day == [Run.objects.get(occurrence=ten + timedelta(days=1)).pk]


@pytest.mark.parametrize("tracking", [Tracking.FULL, Tracking.ANONYMOUS])
def test_where_the_links_of_a_run_lead_is_known_without_the_database_from_the_firing_on(
    campaign: Campaign,
    broker: redis.Redis,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    tracking: Tracking,
) -> None:
    def away(run_id: int) -> list[str]:
        raise OperationalError("connection refused")

    campaign.tracking = tracking
    campaign.template = make_template("Linked", html="<p><a href='https://example.org/a?b'>A</a>")
    campaign.save()
    schedule(campaign, now=NOW, at=NOW)

    with django_capture_on_commit_callbacks(execute=True):
        [run_id] = fire_due(now=NOW)

    assert Targets(broker, away).find(run_id, 0) == "https://example.org/a?b"


def test_nothing_is_said_of_the_links_of_a_run_that_is_not_measured(
    campaign: Campaign,
    broker: redis.Redis,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    campaign.tracking = Tracking.OFF
    campaign.save()
    schedule(campaign, now=NOW, at=NOW)

    with django_capture_on_commit_callbacks(execute=True):
        [run_id] = fire_due(now=NOW)

    assert broker.get(key(run_id)) is None
