from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from pytest_django.fixtures import Settings

from campaigns.models import Page, Run
from campaigns.sending import guard
from campaigns.services import resume
from tests.factories import make_campaign, make_list, make_recipient, make_run
from tracking.models import Category, Delivery, DeliveryEvent, EventKind, EventSource, RunCounters

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def run() -> Run:
    """A run of which nothing was sent yet; one recipient is left."""
    readers = make_list()
    make_recipient(lists=[readers])
    return make_run(make_campaign(lists=[readers]), now=NOW)


def send(run: Run, count: int, *, domain: str = "gmail.com", at: datetime = NOW) -> list[Delivery]:
    """Write down so many messages that were sent."""
    known = Delivery.objects.count()
    sent = Delivery.objects.bulk_create(
        Delivery(
            run=run, key=f"{known + n}@{domain}", domain=domain, state="sent", attempted_at=at,
            finished_at=at,
        )
        for n in range(count)
    )  # fmt: skip
    counters = RunCounters.objects.get(run=run)
    RunCounters.objects.filter(run=run).update(sent=counters.sent + count)
    return sent


def told(
    deliveries: list[Delivery],
    count: int,
    *,
    kind: EventKind = EventKind.BOUNCED,
    category: Category | None = None,
    is_hard: bool = False,
    at: datetime = NOW,
) -> None:
    DeliveryEvent.objects.bulk_create(
        DeliveryEvent(
            delivery=delivery, run_id=delivery.run_id, kind=kind, category=category or "",
            is_hard=is_hard, source=EventSource.MAIL, source_key=f"{kind} {delivery.pk}", at=at,
        )
        for delivery in islice(deliveries, count)
    )  # fmt: skip


def state(run: Run) -> tuple[str, str, str]:
    run.refresh_from_db()
    return run.status, run.held_reason, run.warning


@pytest.mark.parametrize(
    ("sent", "hard", "expected"),
    [
        (200, 5, ("sending", False)),
        (200, 6, ("sending", True)),
        (200, 10, ("sending", True)),
        (200, 11, ("paused", False)),
        (199, 11, ("sending", False)),
    ],
    ids=["half the limit", "above half", "the limit", "above it", "too few to say"],
)
def test_a_run_warns_of_dead_addresses_and_is_paused_where_they_are_too_many(
    run: Run, sent: int, hard: int, expected: tuple[str, bool]
) -> None:
    told(send(run, sent), hard, is_hard=True)

    paused = guard.watch(run.pk, now=NOW)

    status, reason, warning = state(run)
    assert (status, bool(warning)) == expected
    assert paused == (status == "paused") == ("of 200 messages went to addresses" in reason)


@pytest.mark.parametrize(
    ("complaints", "expected"),
    [(1, ("sending", False)), (2, ("sending", True)), (4, ("paused", False))],
)
def test_a_run_warns_of_complaints_and_is_paused_where_they_are_too_many(
    run: Run, complaints: int, expected: tuple[str, bool]
) -> None:
    told(send(run, 1_000), complaints, kind=EventKind.COMPLAINED)

    guard.watch(run.pk, now=NOW)

    status, _, warning = state(run)
    assert (status, bool(warning)) == expected


@pytest.mark.parametrize(
    ("domain", "others", "ago", "expected"),
    [
        ("gmail.com", 200, 0, "paused"),
        ("googlemail.com", 200, 0, "paused"),
        ("gmail.com", 300, 0, "warned"),
        ("gmail.com", 800, 0, "sending"),
        ("web.de", 800, 0, "paused"),
        ("gmail.com", 200, 16, "sending"),
        ("gmail.com", 139, 0, "sending"),
    ],
    ids=["of a domain", "of its group", "some", "few", "of another", "long ago", "too few"],
)
def test_a_run_is_paused_that_receivers_refuse_for_its_sender_by_groups_of_domains(
    run: Run, domain: str, others: int, ago: int, expected: str
) -> None:
    at = NOW - timedelta(minutes=ago)
    Page.objects.update(first_delivery=1, last_delivery=1_000_000_000, moved_at=NOW)
    refused = send(run, 60, domain="gmail.com", at=at)
    if domain == "web.de":
        refused = send(run, 240, domain=domain, at=at)[:60]
    send(run, others, domain="gmail.com" if domain == "web.de" else domain, at=NOW)
    told(refused, 60, category=Category.POLICY_REPUTATION, at=at)

    guard.watch(run.pk, now=NOW)

    status, reason, warning = state(run)
    assert ("warned" if warning else status) == expected
    assert ("refused by" in reason) == (expected == "paused")


def test_what_paused_a_run_does_not_pause_it_again_when_a_person_has_said_go(run: Run) -> None:
    sent = send(run, 200)
    told(sent, 100, is_hard=True)
    told(sent, 100, kind=EventKind.FAILED, category=Category.AUTH)
    guard.watch(run.pk, now=NOW)
    later = NOW + timedelta(minutes=1)
    resume(run.campaign, now=later)

    at_once = guard.watch(run.pk, now=later)
    told(sent[100:], 100, is_hard=True, at=later)  # of what was sent before
    with_old_ones = guard.watch(run.pk, now=later)
    after = later + timedelta(minutes=1)
    told(send(run, 200, at=after), 11, is_hard=True, at=after)
    again = guard.watch(run.pk, now=after)

    assert (at_once, with_old_ones, again) == (False, False, True)


def test_a_warning_goes_when_what_it_warned_of_has_passed(run: Run) -> None:
    told(send(run, 200), 8, is_hard=True)
    guard.watch(run.pk, now=NOW)
    warned = state(run)[2]
    send(run, 800, at=NOW + timedelta(minutes=1))

    guard.watch(run.pk, now=NOW)

    assert warned.startswith("4% of 200 messages")
    assert state(run) == ("sending", "", "")


def test_a_limit_of_nothing_is_none(run: Run, settings: Settings) -> None:
    settings.GUARD_HARD_BOUNCES = settings.GUARD_COMPLAINTS = settings.GUARD_REFUSALS = 0
    sent = send(run, 1_000)
    told(sent, 1_000, is_hard=True, category=Category.AUTH)
    told(sent, 1_000, kind=EventKind.COMPLAINED)

    assert not guard.watch(run.pk, now=NOW)
    assert state(run) == ("sending", "", "")
