from datetime import UTC, datetime, timedelta

import pytest

from campaigns.models import Campaign, Run, RunStatus
from campaigns.sending import time_to_live
from campaigns.sending.claim import claim
from campaigns.sending.complete import complete
from campaigns.sending.outcomes import Cause, Deferred, Outcome, Scope
from campaigns.sending.record import Result, record
from campaigns.sending.retry_policy import RetryPolicy
from campaigns.sending.time_to_live import expire_old
from campaigns.services import pause, resume
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tracking.models import Delivery
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
TIME_TO_LIVE = timedelta(hours=72)
SECOND = timedelta(seconds=1)
WAIT = timedelta(minutes=10)
POLICY = RetryPolicy(schedule=[WAIT], transport_wait=WAIT)


def deferred(scope: Scope, cause: Cause) -> Deferred:
    return Deferred(
        scope=scope, cause=cause, reply_code=451, enhanced_status_code="4.7.1", diagnostic="Later"
    )


GREYLISTED = deferred(Scope.RECIPIENT, Cause.GREYLISTED)
LIMITED = deferred(Scope.DOMAIN, Cause.RATE_LIMITED)
NOT_THERE = deferred(Scope.TRANSPORT, Cause.CONNECTION)


@pytest.fixture
def run() -> Run:
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    return make_run(make_campaign(lists=[readers]), now=NOW)


def attempt(run: Run, outcome: Outcome | None, *, now: datetime) -> Delivery:
    first = Delivery.objects.order_by("pk")[0]
    claimed = claim(run.pk, [first.pk], now=now, lease_for=timedelta(minutes=5))
    record(
        run.pk,
        [Result(first.pk, claimed.deliveries[0].attempts, "", outcome)],
        lease=claimed.lease,
        policy=POLICY,
        now=now,
        random=lambda: 0.5,
    )
    assert disagreements([run.pk], kept_since=None) == []
    return Delivery.objects.get(pk=first.pk)


def test_a_campaign_has_three_days_unless_it_says_otherwise() -> None:
    assert make_campaign().time_to_live == TIME_TO_LIVE


@pytest.mark.parametrize("outcome", [GREYLISTED, LIMITED, NOT_THERE])
def test_an_attempt_that_would_come_too_late_is_not_waited_for(run: Run, outcome: Deferred) -> None:
    last = attempt(run, outcome, now=NOW + TIME_TO_LIVE - WAIT + SECOND)

    assert (last.state, last.next_attempt_at) == ("failed", None)
    assert last.attempts == int(outcome.scope is Scope.RECIPIENT)
    assert last.diagnostic == "not delivered within 72 hours; last: Later"
    assert (last.reply_code, last.enhanced_status_code) == (451, "4.7.1")


@pytest.mark.parametrize("outcome", [GREYLISTED, LIMITED, NOT_THERE])
def test_an_attempt_that_comes_just_in_time_is_waited_for(run: Run, outcome: Deferred) -> None:
    waits = attempt(run, outcome, now=NOW + TIME_TO_LIVE - WAIT)

    assert (waits.state, waits.next_attempt_at) == ("retry", NOW + TIME_TO_LIVE)


@pytest.mark.parametrize(("late", "failed"), [(timedelta(), 0), (SECOND, 3)])
def test_what_is_open_when_the_time_is_over_has_failed(
    run: Run, late: timedelta, failed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_to_live, "SLICE", 2)
    attempt(run, NOT_THERE, now=NOW)

    assert expire_old(run.pk, now=NOW + TIME_TO_LIVE + late) == failed

    assert Delivery.objects.filter(state="failed").count() == failed
    assert disagreements([run.pk], kept_since=None) == []
    assert complete(run.pk, now=NOW + TIME_TO_LIVE + late) == bool(failed)


def test_what_has_failed_for_its_age_says_what_the_last_answer_was(run: Run) -> None:
    attempt(run, NOT_THERE, now=NOW)

    expire_old(run.pk, now=NOW + TIME_TO_LIVE + SECOND)

    attempted, *queued = Delivery.objects.order_by("pk")
    assert attempted.diagnostic == "not delivered within 72 hours; last: Later"
    assert (attempted.reply_code, attempted.next_attempt_at) == (451, None)
    assert {delivery.diagnostic for delivery in queued} == {"not delivered within 72 hours"}


def test_what_a_worker_holds_is_left_to_it(run: Run) -> None:
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    claim(run.pk, ids[:1], now=NOW, lease_for=timedelta(days=9))

    assert expire_old(run.pk, now=NOW + TIME_TO_LIVE + SECOND) == 2
    assert Delivery.objects.get(pk=ids[0]).state == "sending"


@pytest.mark.parametrize("status", sorted(set(RunStatus) - {RunStatus.SENDING}))
def test_only_a_run_that_is_being_sent_grows_old(run: Run, status: RunStatus) -> None:
    Run.objects.update(status=status)

    assert expire_old(run.pk, now=NOW + 2 * TIME_TO_LIVE) == 0


def test_a_person_who_says_go_gives_a_run_a_new_time_to_live(run: Run) -> None:
    campaign = Campaign.objects.get(pk=run.campaign_id)
    pause(campaign)
    go = NOW + timedelta(days=30)
    resume(campaign, now=go)

    in_time = expire_old(run.pk, now=go + TIME_TO_LIVE)
    too_late = expire_old(run.pk, now=go + TIME_TO_LIVE + SECOND)

    assert (in_time, too_late) == (0, 3)


def test_a_new_time_to_live_holds_for_a_run_that_is_under_way(run: Run) -> None:
    Campaign.objects.update(time_to_live=timedelta(minutes=90))

    assert expire_old(run.pk, now=NOW + timedelta(hours=2)) == 3
    assert Delivery.objects.all()[0].diagnostic == "not delivered within 90 minutes"
