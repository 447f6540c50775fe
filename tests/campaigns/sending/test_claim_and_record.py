import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from campaigns.models import Run, RunStatus
from campaigns.sending import complete, reconcile, retries
from campaigns.sending.claim import claim, still_allowed
from campaigns.sending.outcomes import (
    Accepted,
    Cause,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
)
from campaigns.sending.record import Result, policy_of_installation, record
from campaigns.sending.retry_policy import RetryPolicy
from recipients.models import Recipient, Segment, Subscription, Suppression
from tests.factories import (
    make_campaign,
    make_list,
    make_recipient,
    make_recipients,
    make_run,
    make_segment,
)
from tracking.models import Delivery
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db

NOWHERE = Path("/nonexistent")  # a directory without journals
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LEASE = timedelta(minutes=5)
POLICY = RetryPolicy(
    schedule=[timedelta(minutes=10), timedelta(hours=1)], transport_wait=timedelta(seconds=30)
)
GREYLISTED = Deferred(
    scope=Scope.RECIPIENT,
    cause=Cause.GREYLISTED,
    reply_code=451,
    enhanced_status_code="4.7.1",
    diagnostic="Greylisted",
)
LIMITED = Deferred(scope=Scope.DOMAIN, cause=Cause.RATE_LIMITED, diagnostic="Too fast")
NO_TRANSPORT = Deferred(
    scope=Scope.TRANSPORT, cause=Cause.CONNECTION, diagnostic="Connection refused"
)


@pytest.fixture
def run() -> Run:
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    return make_run(make_campaign(lists=[readers]), now=NOW)


def ids() -> list[int]:
    return sorted(Delivery.objects.values_list("id", flat=True))


def attempt(
    run: Run, outcome: Outcome | None, *, now: datetime = NOW, only: int | None = None
) -> Delivery:
    """Claim the run's first delivery, or `only`, and record the outcome of its attempt."""
    chosen = only or ids()[0]
    claimed = claim(run.pk, [chosen], now=now, lease_for=LEASE)
    [delivery] = claimed.deliveries
    result = Result(delivery.id, delivery.attempts, "<id@example.org>", outcome)
    recorded = record(
        run.pk, [result], lease=claimed.lease, policy=POLICY, now=now, random=lambda: 0.5
    )
    assert recorded == 1
    assert disagreements([run.pk], kept_since=None) == []
    return Delivery.objects.get(pk=chosen)


def test_a_claim_is_one_workers_alone(run: Run) -> None:
    first = claim(run.pk, ids(), now=NOW, lease_for=LEASE)
    second = claim(run.pk, ids(), now=NOW, lease_for=LEASE)

    assert [delivery.id for delivery in first.deliveries] == ids()
    assert first.deliveries[0].fields == {"first_name": "R1"}
    assert second.deliveries == []
    assert first.act_until < NOW + LEASE


@pytest.mark.parametrize("status", sorted(set(RunStatus) - {RunStatus.SENDING}))
def test_nothing_is_claimed_of_a_run_that_is_not_being_sent(run: Run, status: RunStatus) -> None:
    Run.objects.update(status=status)

    assert claim(run.pk, ids(), now=NOW, lease_for=LEASE).deliveries == []


def test_who_was_suppressed_or_left_or_was_deleted_since_the_snapshot_is_skipped(run: Run) -> None:
    suppressed, left, deleted = Delivery.objects.order_by("pk")
    Suppression.objects.create(key=suppressed.address, reason="complaint")
    Subscription.objects.filter(recipient=left.recipient).update(state="unsubscribed")
    assert deleted.recipient is not None
    deleted.recipient.delete()

    claimed = claim(run.pk, ids(), now=NOW, lease_for=LEASE)

    assert claimed.deliveries == []
    assert list(Delivery.objects.order_by("pk").values_list("state", "skip_reason")) == [
        ("skipped", "suppressed"),
        ("skipped", "unsubscribed"),
        ("skipped", "no_address"),
    ]
    assert disagreements([run.pk], kept_since=None) == []


@pytest.mark.parametrize("domain", ["example.org", "example.net"])
def test_who_moved_to_another_domain_is_not_mailed_if_either_is_suppressed(
    run: Run, domain: str
) -> None:
    first, second, third = Delivery.objects.order_by("pk")
    Recipient.objects.filter(delivery=first).update(
        address="r@example.net", key="r@example.net", domain="example.net"
    )
    Suppression.objects.create(key=domain, reason="manual")

    claimed = claim(run.pk, ids(), now=NOW, lease_for=LEASE)

    left = [second.pk, third.pk] if domain == "example.net" else []
    assert [delivery.id for delivery in claimed.deliveries] == left
    assert Delivery.objects.get(pk=first.pk).skip_reason == "suppressed"


def test_who_asked_for_a_pause_since_the_snapshot_is_skipped_until_its_day(run: Run) -> None:
    paused, back, _ = Delivery.objects.order_by("pk")
    Recipient.objects.filter(delivery=paused).update(paused_until=NOW + timedelta(days=1))
    Recipient.objects.filter(delivery=back).update(paused_until=NOW)

    claimed = claim(run.pk, ids(), now=NOW, lease_for=LEASE)

    assert [delivery.id for delivery in claimed.deliveries] == ids()[1:]
    assert Delivery.objects.get(pk=paused.pk).skip_reason == "paused"
    assert still_allowed(run.pk, ids(), now=NOW) == set(ids()[1:])


@pytest.mark.parametrize("with_list", [False, True])
def test_who_came_by_a_segment_is_skipped_once_no_confirmed_subscription_is_left(
    with_list: bool,
) -> None:
    readers, other = make_list(), make_list("Other")
    make_recipients(2, mailing_list=other)
    make_recipient("reader@example.org", lists=[readers])
    campaign = make_campaign(lists=[readers] if with_list else [], segments=[make_segment()])
    run = make_run(campaign, now=NOW)
    Subscription.objects.filter(recipient__key="r0001@example.org").update(state="unsubscribed")
    Segment.objects.update(rules={"match": "all", "rules": []})  # nobody asks these again

    claim(run.pk, ids(), now=NOW, lease_for=LEASE)

    rows = Delivery.objects.order_by("pk").values_list("state", "skip_reason")
    assert list(rows) == [("skipped", "unsubscribed"), ("sending", ""), ("sending", "")]


def test_who_leaves_the_campaigns_list_is_not_mailed_because_of_its_segment(run: Run) -> None:
    run.campaign.segments.add(make_segment())
    first, second, third = Delivery.objects.order_by("pk")
    for delivery in (first, second):
        assert delivery.recipient
        delivery.recipient.subscription_set.create(
            mailing_list=make_list("Other"), state="confirmed"
        )
    Subscription.objects.filter(recipient=first.recipient, mailing_list=make_list()).update(
        state="unsubscribed"
    )

    claimed = claim(run.pk, ids(), now=NOW, lease_for=LEASE)

    assert [delivery.id for delivery in claimed.deliveries] == [second.pk, third.pk]
    assert Delivery.objects.get(pk=first.pk).skip_reason == "unsubscribed"


def test_who_was_deleted_while_the_snapshot_was_written_is_skipped(run: Run) -> None:
    first = Delivery.objects.order_by("pk")[0]
    with connection.cursor() as cursor:  # its delivery is not seen yet, and keeps the id
        cursor.execute(
            "DELETE FROM recipients_subscription WHERE recipient_id = %s", [first.recipient_id]
        )
        cursor.execute("DELETE FROM recipients_recipient WHERE id = %s", [first.recipient_id])

    claim(run.pk, [first.pk], now=NOW, lease_for=LEASE)

    gone = Delivery.objects.get(pk=first.pk)
    assert (gone.state, gone.skip_reason) == ("skipped", "no_address")
    assert disagreements([run.pk], kept_since=None) == []


@pytest.mark.parametrize("suppressed", ["r0001@example.org", "new@example.org"])
def test_a_recipient_who_changed_the_address_is_not_mailed_if_either_is_suppressed(
    run: Run, suppressed: str
) -> None:
    first = ids()[0]
    Recipient.objects.filter(key="r0001@example.org").update(
        address="new@example.org", key="new@example.org"
    )
    Suppression.objects.create(key=suppressed, reason="complaint")

    assert claim(run.pk, [first], now=NOW, lease_for=LEASE).deliveries == []
    assert Delivery.objects.get(pk=first).skip_reason == "suppressed"


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Accepted(reply_code=250, diagnostic="queued as 1"), "sent"),
        (Rejected(reply_code=550, enhanced_status_code="5.1.1", diagnostic="No user"), "failed"),
        (InDoubt(diagnostic="connection lost"), "unconfirmed"),
        (GREYLISTED, "retry"),
    ],
)
def test_an_outcome_is_recorded_with_the_reply(run: Run, outcome: Outcome, state: str) -> None:
    delivery = attempt(run, outcome)

    assert delivery.state == state
    assert delivery.attempts == 1
    assert delivery.attempted_at == NOW
    assert delivery.message_id == "<id@example.org>"
    assert (delivery.reply_code, delivery.enhanced_status_code, delivery.diagnostic) == (
        outcome.reply_code,
        outcome.enhanced_status_code,
        outcome.diagnostic,
    )


def test_a_deferred_delivery_waits_as_the_schedule_says_and_fails_when_it_is_used_up(
    run: Run,
) -> None:
    first = attempt(run, GREYLISTED, now=NOW)
    second = attempt(run, GREYLISTED, now=NOW + timedelta(minutes=10))
    third = attempt(run, GREYLISTED, now=NOW + timedelta(minutes=70))

    assert (first.state, first.next_attempt_at) == ("retry", NOW + timedelta(minutes=10))
    assert (second.state, second.next_attempt_at) == ("retry", NOW + timedelta(minutes=70))
    assert (third.state, third.next_attempt_at, third.attempts) == ("failed", None, 3)
    assert third.diagnostic == "Greylisted"


@pytest.mark.parametrize(("early", "claimed"), [(timedelta(seconds=1), 0), (timedelta(), 1)])
def test_a_retry_is_not_claimed_before_its_time(run: Run, early: timedelta, claimed: int) -> None:
    delivery = attempt(run, GREYLISTED)
    now = NOW + timedelta(minutes=10) - early

    assert len(claim(run.pk, [delivery.pk], now=now, lease_for=LEASE).deliveries) == claimed


@pytest.mark.parametrize("outcome", [NO_TRANSPORT, LIMITED])
def test_an_attempt_that_the_transport_or_the_domain_prevented_does_not_count(
    run: Run, outcome: Deferred
) -> None:
    delivery = attempt(run, outcome)

    assert (delivery.state, delivery.attempts) == ("retry", 0)
    assert delivery.next_attempt_at == NOW + timedelta(seconds=30)


def test_the_installation_says_how_long_to_wait(settings: Settings) -> None:
    settings.RETRY_SCHEDULE = (60, 3600)
    settings.TRANSPORT_WAIT_SECONDS = 5

    policy = policy_of_installation()

    assert policy.schedule == [timedelta(minutes=1), timedelta(hours=1)]
    assert policy.transport_wait == timedelta(seconds=5)


def test_those_that_are_deferred_together_do_not_come_back_together(run: Run) -> None:
    claimed = claim(run.pk, ids(), now=NOW, lease_for=LEASE)
    results = [Result(delivery.id, 1, "", GREYLISTED) for delivery in claimed.deliveries]
    numbers = iter([0.0, 0.5, 1.0])

    record(
        run.pk,
        results,
        lease=claimed.lease,
        policy=POLICY,
        now=NOW,
        random=lambda: next(numbers),
    )

    due = Delivery.objects.order_by("pk").values_list("next_attempt_at", flat=True)
    assert list(due) == [NOW + timedelta(minutes=minutes) for minutes in (8, 10, 12)]


def test_outcomes_of_all_kinds_are_recorded_together(run: Run) -> None:
    claimed = claim(run.pk, ids(), now=NOW, lease_for=LEASE)
    outcomes = [Accepted(reply_code=250, diagnostic="queued"), NO_TRANSPORT, None]
    results = [
        Result(delivery.id, 1, f"<{delivery.id}@x>", outcome)
        for delivery, outcome in zip(claimed.deliveries, outcomes, strict=True)
    ]

    assert record(run.pk, results, lease=claimed.lease, policy=POLICY, now=NOW) == 3

    first, second, third = Delivery.objects.order_by("pk")
    assert (first.state, first.reply_code, first.diagnostic) == ("sent", 250, "queued")
    assert (second.state, second.attempts, second.diagnostic) == ("retry", 0, "Connection refused")
    assert (third.state, third.attempts, third.message_id) == ("retry", 0, "")
    assert disagreements([run.pk], kept_since=None) == []


def test_what_was_claimed_and_not_attempted_is_due_at_once(run: Run) -> None:
    delivery = attempt(run, None)

    assert (delivery.state, delivery.attempts, delivery.next_attempt_at) == ("retry", 0, NOW)
    assert delivery.message_id == ""


def test_a_result_of_another_lease_changes_nothing(run: Run) -> None:
    [delivery] = claim(run.pk, ids()[:1], now=NOW, lease_for=LEASE).deliveries
    result = Result(delivery.id, 1, "", Accepted(reply_code=250))

    assert record(run.pk, [result], lease=uuid.uuid4(), policy=POLICY, now=NOW) == 0
    assert Delivery.objects.get(pk=delivery.id).state == "sending"


def test_recording_twice_changes_nothing_the_second_time(run: Run) -> None:
    claimed = claim(run.pk, ids()[:1], now=NOW, lease_for=LEASE)
    results = [Result(claimed.deliveries[0].id, 1, "", Accepted(reply_code=250))]

    assert record(run.pk, results, lease=claimed.lease, policy=POLICY, now=NOW) == 1
    assert record(run.pk, results, lease=claimed.lease, policy=POLICY, now=NOW) == 0
    assert disagreements([run.pk], kept_since=None) == []


@pytest.mark.parametrize(("late", "expired"), [(timedelta(), 0), (timedelta(seconds=1), 3)])
def test_a_lease_that_ran_out_leaves_its_deliveries_unconfirmed(
    run: Run, late: timedelta, expired: int
) -> None:
    claim(run.pk, ids(), now=NOW, lease_for=LEASE)

    assert reconcile.expire(run.pk, directory=NOWHERE, now=NOW + LEASE + late) == expired
    assert Delivery.objects.filter(state="unconfirmed").count() == expired
    assert disagreements([run.pk], kept_since=None) == []


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Accepted(reply_code=250), "sent"), (GREYLISTED, "retry"), (InDoubt(), "unconfirmed")],
)
def test_a_worker_that_comes_back_after_its_lease_still_says_what_happened(
    run: Run, outcome: Outcome, state: str
) -> None:
    claimed = claim(run.pk, ids()[:1], now=NOW, lease_for=LEASE)
    reconcile.expire(run.pk, directory=NOWHERE, now=NOW + 2 * LEASE)

    result = Result(claimed.deliveries[0].id, 1, "", outcome)
    record(run.pk, [result], lease=claimed.lease, policy=POLICY, now=NOW + 3 * LEASE)

    assert Delivery.objects.get(pk=claimed.deliveries[0].id).state == state
    assert disagreements([run.pk], kept_since=None) == []


@pytest.mark.parametrize("expired", [False, True])
def test_nothing_is_tried_again_in_a_run_that_was_cancelled(run: Run, expired: bool) -> None:
    claimed = claim(run.pk, ids()[:1], now=NOW, lease_for=LEASE)
    if expired:
        reconcile.expire(run.pk, directory=NOWHERE, now=NOW + 2 * LEASE)
    Run.objects.update(status=RunStatus.CANCELLED)

    result = Result(claimed.deliveries[0].id, 1, "", GREYLISTED)
    record(run.pk, [result], lease=claimed.lease, policy=POLICY, now=NOW + 3 * LEASE)

    delivery = Delivery.objects.get(pk=claimed.deliveries[0].id)
    assert (delivery.state, delivery.diagnostic) == ("cancelled", "Greylisted")


def test_a_completed_run_goes_on_when_a_late_worker_says_that_it_began_nothing(run: Run) -> None:
    claimed = claim(run.pk, ids(), now=NOW, lease_for=LEASE)
    reconcile.expire(run.pk, directory=NOWHERE, now=NOW + 2 * LEASE)
    completed = complete.complete(run.pk, now=NOW)
    quiet = complete.reopen(run.pk)

    untouched = [Result(delivery.id, 1, "", None) for delivery in claimed.deliveries]
    record(run.pk, untouched, lease=claimed.lease, policy=POLICY, now=NOW + 3 * LEASE)
    left_open = disagreements([run.pk], kept_since=None)
    unfinished = Run.objects.unfinished().ids()

    assert (completed, quiet) == (True, False)
    assert "it is completed, and a delivery is retry" in {one.what for one in left_open}
    assert unfinished == [run.pk]
    assert complete.reopen(run.pk)
    assert not complete.complete(run.pk, now=NOW)
    assert len(claim(run.pk, ids(), now=NOW + 3 * LEASE, lease_for=LEASE).deliveries) == 3


def test_what_was_claimed_may_not_be_mailed_any_more_once_its_recipient_left(run: Run) -> None:
    suppressed, left, stays = Delivery.objects.order_by("pk")
    claim(run.pk, ids(), now=NOW, lease_for=LEASE)
    Suppression.objects.create(key=suppressed.key, reason="complaint")
    Subscription.objects.filter(recipient=left.recipient).update(state="unsubscribed")

    allowed = still_allowed(run.pk, ids(), now=NOW)
    Run.objects.update(status=RunStatus.PAUSED)

    assert allowed == {stays.pk}
    assert still_allowed(run.pk, ids(), now=NOW) == set()


def test_a_due_retry_is_dispatched_once_until_its_message_counts_as_lost(run: Run) -> None:
    delivery = attempt(run, GREYLISTED)
    due, lost_after = NOW + timedelta(minutes=10), timedelta(seconds=30)

    early = retries.due([run.pk], now=due - timedelta(seconds=1), lost_after=lost_after)
    first = retries.due([run.pk], now=due, lost_after=lost_after)
    again = retries.due([run.pk], now=due + timedelta(seconds=29), lost_after=lost_after)
    lost = retries.due([run.pk], now=due + timedelta(seconds=30), lost_after=lost_after)

    assert early == again == []
    assert first == lost == [retries.Retries(run.pk, [delivery.pk])]


def test_retries_of_a_paused_run_wait(run: Run) -> None:
    attempt(run, GREYLISTED)
    Run.objects.update(status=RunStatus.PAUSED)

    assert (
        retries.due([run.pk], now=NOW + timedelta(days=1), lost_after=timedelta(seconds=30)) == []
    )
