from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import IntegrityError
from pytest_django import Settings

from campaigns import services
from campaigns.models import Campaign, Priority, Run
from campaigns.sending import fire, hours, retries, snapshot, waiting
from campaigns.sending.deliver import deliver
from campaigns.sending.hours import Hours
from campaigns.services import Refused
from recipients.models import Recipient
from tests.factories import make_campaign, make_list, make_recipient, make_run
from tests.smtp_server import ScriptedSMTP
from tracking.models import Delivery, DeliveryState
from tracking.verify import disagreements

NOW = datetime(2026, 12, 4, 9, tzinfo=UTC)  # a Friday
NIGHT = (time(22), time(7))
DAY = (time(9), time(17))
MORNING = datetime.fromisoformat("2026-12-04 09:00")  # of no zone


# --- when it is open ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "zone", "now", "opens"),
    [
        # Nothing keeps it back.
        (Hours("UTC"), "", "2026-12-04 03:00", "2026-12-04 03:00"),
        # Quiet hours over midnight, at both of their ends.
        (Hours("UTC", quiet=NIGHT), "", "2026-12-04 21:59:59", "2026-12-04 21:59:59"),
        (Hours("UTC", quiet=NIGHT), "", "2026-12-04 22:00", "2026-12-05 07:00"),
        (Hours("UTC", quiet=NIGHT), "", "2026-12-05 06:59:59", "2026-12-05 07:00"),
        (Hours("UTC", quiet=NIGHT), "", "2026-12-05 07:00", "2026-12-05 07:00"),
        # By the recipient's clock: 16:00 in UTC is 23:00 in Hanoi.
        (Hours("UTC", quiet=NIGHT), "Asia/Ho_Chi_Minh", "2026-12-04 16:00", "2026-12-05 00:00"),
        # Hours of the campaign's day, and of the recipient's.
        (Hours("UTC", allowed=DAY), "Asia/Tokyo", "2026-12-04 17:00", "2026-12-05 09:00"),
        (Hours("UTC", allowed=DAY), "Asia/Tokyo", "2026-12-04 16:59", "2026-12-04 16:59"),
        (
            Hours("UTC", allowed=DAY, by_recipient=True),
            "Asia/Tokyo",
            "2026-12-04 16:59",
            "2026-12-05 00:00",
        ),
        # Not before the time that the recipient's clock shows.
        (
            Hours("UTC", wall_time=MORNING),
            "America/New_York",
            "2026-12-03 19:00",
            "2026-12-04 14:00",
        ),
        (
            Hours("Europe/Berlin", wall_time=MORNING),
            "",
            "2026-12-03 19:00",
            "2026-12-04 08:00",
        ),
        # All three: 6:00 is quiet, 7:00 too early, 9:00 it is.
        (
            Hours("UTC", MORNING.replace(hour=6), DAY, False, NIGHT),
            "",
            "2026-12-03 19:00",
            "2026-12-04 09:00",
        ),
        # The clocks of Berlin skip 2:30 on 29 March.
        (
            Hours("Europe/Berlin", allowed=(time(2, 30), time(4))),
            "",
            "2026-03-28 12:00",
            "2026-03-29 01:30",
        ),
    ],
)
def test_messages_wait_for_the_hour_of_their_recipient(
    rules: Hours, zone: str, now: str, opens: str
) -> None:
    at = datetime.fromisoformat(f"{now}Z")

    assert rules.open_at(at, zone) == datetime.fromisoformat(f"{opens}Z")


def test_hours_that_leave_each_other_no_room_end_all_the_same() -> None:
    rules = Hours("UTC", allowed=(time(23), time(5)), quiet=NIGHT)

    assert rules.open_at(NOW, "") > NOW


# --- in a run -----------------------------------------------------------------------------------


@pytest.fixture
def campaign() -> Campaign:
    """To one recipient in each of three zones, and one of unknown."""
    readers = make_list()
    for name, zone in {
        "ada": "Asia/Tokyo", "ben": "Europe/Berlin", "chi": "America/New_York", "dao": "",
    }.items():  # fmt: skip
        make_recipient(f"{name}@example.org", lists=[readers])
        Recipient.objects.filter(key=f"{name}@example.org").update(time_zone=zone)
    return make_campaign(lists=[readers])


def waiting_until(run: Run) -> dict[str, datetime | None]:
    rows = Delivery.objects.filter(run=run, state=DeliveryState.RETRY)
    return dict(rows.values_list("address", "next_attempt_at"))


def due(run: Run, *, now: datetime) -> list[int]:
    return [
        one
        for each in retries.due([run.pk], now=now, lost_after=timedelta(seconds=30))
        for one in each.ids
    ]


@pytest.mark.django_db(transaction=True)
def test_each_gets_it_at_their_own_time(
    campaign: Campaign, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    Campaign.objects.update(follows_recipients=True)
    campaign.refresh_from_db()
    services.schedule(campaign, now=NOW, at=NOW.replace(day=5, hour=8), time_zone="Europe/Berlin")
    assert campaign.next_fire_at == datetime(2026, 12, 4, 19, tzinfo=UTC)  # 9:00 in Kiritimati
    first = campaign.next_fire_at
    run_id = fire.fire(campaign.pk, now=first)
    assert run_id
    snapshot.take_slice(run_id, now=first)
    run = Run.objects.get()
    ids = list(Delivery.objects.values_list("pk", flat=True))

    came = deliver(run.pk, ids, clock=lambda: first)

    assert (came, smtp.messages) == ({"waiting": 4}, [])
    day = datetime(2026, 12, 5, tzinfo=UTC)
    assert waiting_until(run) == {
        "ada@example.org": day,
        "ben@example.org": day.replace(hour=8),
        "dao@example.org": day.replace(hour=8),
        "chi@example.org": day.replace(hour=14),
    }
    assert waiting.why(run, now=first) == (
        "Waiting: the recipients who are left may be mailed at other hours of the day; next try"
        " 2026-12-05 00:00:00 UTC."
    )
    at = day.replace(hour=8)
    deliver(run.pk, due(run, now=at), clock=lambda: at)
    assert sorted(message.recipient for message in smtp.messages) == [
        "ada@example.org", "ben@example.org", "dao@example.org",
    ]  # fmt: skip
    assert waiting_until(run) == {"chi@example.org": day.replace(hour=14)}
    assert not disagreements([run.pk], kept_since=None)


@pytest.mark.django_db(transaction=True)
def test_a_retry_that_comes_due_in_quiet_hours_waits_for_their_end(
    campaign: Campaign, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL, settings.QUIET_HOURS = smtp.url, NIGHT
    run = make_run(campaign, now=NOW)
    Delivery.objects.update(state=DeliveryState.RETRY, next_attempt_at=NOW, attempts=2)
    at = NOW.replace(hour=15)  # midnight in Tokyo

    deliver(run.pk, due(run, now=at), clock=lambda: at)

    assert waiting_until(run) == {"ada@example.org": NOW.replace(hour=22)}
    assert Delivery.objects.get(address="ada@example.org").attempts == 2


@pytest.mark.django_db(transaction=True)
def test_what_is_urgent_leaves_in_quiet_hours(
    campaign: Campaign, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL, settings.QUIET_HOURS = smtp.url, NIGHT
    Campaign.objects.update(priority=Priority.TRANSACTIONAL)
    run = make_run(campaign, now=NOW)
    at = NOW.replace(hour=23)

    deliver(run.pk, list(Delivery.objects.values_list("pk", flat=True)), clock=lambda: at)

    assert len(smtp.messages) == 4


@pytest.mark.django_db
def test_a_run_without_hours_asks_nothing(campaign: Campaign) -> None:
    run = make_run(campaign, now=NOW)

    assert hours.hours_of(run) is None


@pytest.mark.django_db
def test_what_is_repeated_begins_where_the_day_begins_first(campaign: Campaign) -> None:
    Campaign.objects.update(follows_recipients=True)
    campaign.refresh_from_db()

    services.schedule(campaign, now=NOW, cron="0 9 * * *", time_zone="Europe/Berlin")
    fire.fire(campaign.pk, now=datetime(2026, 12, 4, 19, tzinfo=UTC))

    campaign.refresh_from_db()
    assert Run.objects.get().wall_time == datetime(2026, 12, 5, 9, tzinfo=UTC)
    assert campaign.next_fire_at == datetime(2026, 12, 5, 19, tzinfo=UTC)


@pytest.mark.django_db
def test_where_that_time_is_over_it_is_sent_at_once_and_in_the_past_not_at_all(
    campaign: Campaign,
) -> None:
    Campaign.objects.update(follows_recipients=True)
    campaign.refresh_from_db()

    services.schedule(campaign, now=NOW, at=NOW + timedelta(hours=1))

    assert campaign.next_fire_at == NOW
    with pytest.raises(Refused, match="is in the past"):
        services.schedule(campaign, now=NOW, at=NOW - timedelta(hours=1))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "span", [{"hours_from": time(9)}, {"hours_from": time(9), "hours_until": time(9)}]
)
def test_campaign_hours_are_a_span(campaign: Campaign, span: dict[str, time]) -> None:
    with pytest.raises(IntegrityError, match="campaign_hours_are_a_span"):
        Campaign.objects.update(**span)
