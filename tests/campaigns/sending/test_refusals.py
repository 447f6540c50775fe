"""What failed deliveries come to in reports, and for their addresses."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from campaigns.models import Run
from campaigns.sending import time_to_live
from campaigns.sending.claim import claim
from campaigns.sending.outcomes import Accepted, Cause, Deferred, Outcome, Rejected, Scope, SpeaksOf
from campaigns.sending.record import Result, record
from campaigns.sending.refusals import failure
from campaigns.sending.retry_policy import RetryPolicy
from recipients.models import Suppression
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tracking import feedback
from tracking.feedback import Failure, follow_due
from tracking.models import Category, Delivery, DeliveryEvent
from tracking.suppressing import WAIT
from tracking.verify import disagreements

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
POLICY = RetryPolicy(schedule=[], transport_wait=timedelta(seconds=30))
NOBODY = Rejected(
    reply_code=550,
    enhanced_status_code="5.1.1",
    diagnostic="5.1.1 User unknown",
    speaks_of=SpeaksOf.RECIPIENT,
)
BLOCKED = Rejected(
    reply_code=550,
    enhanced_status_code="5.7.1",
    diagnostic="5.7.1 Blocked by our policy",
    speaks_of=SpeaksOf.SENDER,
)
FULL = Rejected(
    reply_code=552,
    enhanced_status_code="5.2.2",
    diagnostic="5.2.2 Mailbox full",
    speaks_of=SpeaksOf.RECIPIENT,
)
GREYLISTED = Deferred(
    scope=Scope.RECIPIENT,
    cause=Cause.GREYLISTED,
    reply_code=451,
    enhanced_status_code="4.7.1",
    diagnostic="4.7.1 Greylisted, come back later",
)
ACCEPTED = Accepted(reply_code=250)


def deferred(text: str, *, code: int | None, scope: Scope = Scope.RECIPIENT) -> Deferred:
    return Deferred(scope=scope, cause=Cause.OTHER, reply_code=code, diagnostic=text)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (NOBODY, Failure(7, Category.INVALID_ADDRESS, is_hard=True)),
        (FULL, Failure(7, Category.MAILBOX_FULL)),
        (replace(NOBODY, speaks_of=SpeaksOf.SENDER), Failure(7, Category.POLICY_REPUTATION)),
        (
            Rejected(reply_code=550, diagnostic="No", speaks_of=SpeaksOf.SENDER),
            Failure(7, Category.POLICY_REPUTATION),
        ),
        (BLOCKED, Failure(7, Category.POLICY_REPUTATION)),
        (deferred("4.1.1 User unknown", code=450), Failure(7, Category.INVALID_ADDRESS)),
        (deferred("the worker died", code=None), Failure(7, Category.EXPIRED)),
        (deferred("4.3.2 Closed", code=421, scope=Scope.TRANSPORT), Failure(7, Category.EXPIRED)),
        (deferred("4.7.0 Slow", code=450, scope=Scope.DOMAIN), Failure(7, Category.EXPIRED)),
    ],
    ids=[
        "nobody", "full", "nobody of ours", "the sender without a word", "our standing",
        "deferred too often", "died too often", "the relay was away", "the domain was limited",
    ],
)  # fmt: skip
def test_a_failure_is_hard_only_where_the_next_hop_says_for_good_that_nobody_is_there(
    outcome: Outcome, expected: Failure
) -> None:
    assert failure(7, outcome, is_composed=True) == expected


def test_what_could_not_be_made_for_a_recipient_failed_for_that() -> None:
    failed = failure(7, Rejected(diagnostic="no such user"), is_composed=False)

    assert failed == Failure(7, Category.RENDERING)


@pytest.fixture
def run(db: None) -> Run:
    readers = make_list()
    make_recipients(6, mailing_list=readers)
    return make_run(make_campaign(lists=[readers]), now=NOW)


def record_all(run: Run, outcomes: list[Outcome]) -> None:
    """Record these outcomes of the run's first deliveries, as one chunk."""
    of_run = Delivery.objects.of_run(run.pk).order_by("pk")
    ids = list(of_run.values_list("pk", flat=True))[: len(outcomes)]
    lease = uuid.uuid4()
    claim(run.pk, ids, now=NOW, lease_for=timedelta(minutes=5), lease=lease)
    results = [
        Result(pk, 1, "<id@example.org>", outcome)
        for pk, outcome in zip(ids, outcomes, strict=True)
    ]
    record(run.pk, results, lease=lease, policy=POLICY, now=NOW)


def test_each_delivery_that_failed_has_one_event_in_the_same_transaction(run: Run) -> None:
    record_all(run, [ACCEPTED, NOBODY, BLOCKED, FULL, GREYLISTED])

    events = DeliveryEvent.objects.order_by("id")
    assert list(events.values_list("category", "is_hard", "is_to_follow", "reply_code")) == [
        ("invalid_address", True, True, 550),
        ("policy_reputation", False, False, 550),
        ("mailbox_full", False, True, 552),
        ("transient", False, True, 451),
    ]
    assert {(each.kind, each.source, each.run_id) for each in events} == {
        ("failed", "handover", run.pk)
    }
    assert disagreements([run.pk], kept_since=None) == []


def test_nothing_more_is_asked_of_postgresql_where_nothing_failed(
    run: Run, django_assert_num_queries: Any
) -> None:
    ids = list(Delivery.objects.values_list("pk", flat=True))
    lease = uuid.uuid4()
    claim(run.pk, ids, now=NOW, lease_for=timedelta(minutes=5), lease=lease)
    results = [Result(pk, 1, "<id@example.org>", ACCEPTED) for pk in ids]

    # A savepoint and its end, the ledger, and the lease.
    with django_assert_num_queries(4):
        record(run.pk, results, lease=lease, policy=POLICY, now=NOW)


def test_what_outlives_its_time_to_live_failed_for_that(run: Run) -> None:
    time_to_live.expire_old(run.pk, now=NOW + timedelta(days=4))

    events = DeliveryEvent.objects.values_list("category", "is_hard")
    assert list(events) == [("expired", False)] * 6
    assert disagreements([run.pk], kept_since=None) == []


def test_a_failed_delivery_without_an_event_is_found(run: Run) -> None:
    record_all(run, [BLOCKED])
    DeliveryEvent.objects.all().delete()

    assert "no event says why" in str(disagreements([run.pk], kept_since=None)[0])


def test_who_is_not_there_is_suppressed_and_who_refused_us_is_not(run: Run) -> None:
    record_all(run, [NOBODY, BLOCKED, FULL])

    followed = [follow_due(now=NOW + wait) for wait in (timedelta(0), WAIT, WAIT)]

    assert followed == [1, 1, 0]
    assert list(Suppression.objects.values_list("key", "reason")) == [
        ("r0001@example.org", "bounce")
    ]


def test_of_very_many_failures_some_are_left_for_the_next_time(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback, "WEIGHED_IN_A_ROW", 2)
    record_all(run, [FULL] * 3)

    followed = [follow_due(now=NOW + WAIT) for _ in range(3)]

    assert followed == [2, 1, 0]


def test_nobody_is_suppressed_because_a_relay_was_away_for_days_again_and_again(
    run: Run, settings: Settings
) -> None:
    settings.SOFT_BOUNCES, settings.SOFT_BOUNCE_DAYS = 2, 0
    time_to_live.expire_old(run.pk, now=NOW + timedelta(days=4))
    readers = list(run.campaign.lists.all())
    record_all(make_run(make_campaign("Next", lists=readers), now=NOW), [FULL])

    follow_due(now=NOW + timedelta(days=5))

    assert DeliveryEvent.objects.filter(category=Category.EXPIRED).count() == 6
    assert not Suppression.objects.exists()
