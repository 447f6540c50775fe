from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from campaigns.models import Campaign, Run, RunStatus
from campaigns.sending import pages, snapshot
from campaigns.sending.claim import claim
from campaigns.sending.deliver import deliver
from campaigns.sending.hopeless import Failures, hold_if_hopeless, kind
from campaigns.sending.outcomes import (
    Accepted,
    Cause,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
    SpeaksOf,
)
from campaigns.sending.record import Result, record
from campaigns.sending.retry_policy import RetryPolicy
from campaigns.services import cancel, resume
from recipients.models import Recipient
from tests.factories import make_campaign, make_list, make_recipients, make_run, make_template
from tests.smtp_server import ScriptedSMTP
from tracking.models import Delivery
from tracking.verify import disagreements

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
POLICY = RetryPolicy(schedule=[timedelta(minutes=10)], transport_wait=timedelta(seconds=30))
UNRENDERED = Rejected(diagnostic="'first_name' has no value")
NO_SUCH_USER = Rejected(
    reply_code=550, diagnostic="5.1.1 No such user", speaks_of=SpeaksOf.RECIPIENT
)


def blocked(number: int) -> Rejected:
    """Return what a host says of our domain, with an id that differs from message to message."""
    text = f"5.7.26 This mail has been blocked, a{number}-20020a5d - gsmtp"
    return Rejected(reply_code=550, diagnostic=text, speaks_of=SpeaksOf.SENDER)


# --- within a chunk ---------------------------------------------------------------------------


def noted(outcomes: list[Outcome]) -> list[bool]:
    failures = Failures()
    return [failures.note(outcome) for outcome in outcomes]


def test_the_tenth_failure_of_one_kind_in_a_row_stops_a_chunk() -> None:
    assert noted([blocked(n) for n in range(10)]) == [False] * 9 + [True]


@pytest.mark.parametrize("hope", [Accepted(reply_code=250), InDoubt()])
def test_a_chunk_in_which_one_message_went_out_is_not_stopped(hope: Outcome) -> None:
    assert not any(noted([hope, *[UNRENDERED] * 20]))


def test_the_tenth_message_in_doubt_since_one_was_accepted_stops_a_chunk() -> None:
    doubts: list[Outcome] = [InDoubt()] * 9

    assert not any(noted([*doubts, Accepted(reply_code=250), *doubts]))
    assert noted([Accepted(reply_code=250), *doubts, InDoubt()])[9:] == [False, True]


def test_failures_of_different_kinds_or_of_recipients_do_not_stop_a_chunk() -> None:
    assert not any(noted([UNRENDERED, blocked(1)] * 10))
    assert not any(noted([NO_SUCH_USER] * 20))


def test_deferrals_and_refused_recipients_in_between_are_passed_over() -> None:
    deferred = Deferred(scope=Scope.RECIPIENT, cause=Cause.GREYLISTED)
    outcomes: list[Outcome] = [UNRENDERED, NO_SUCH_USER, deferred] * 10

    assert noted(outcomes)[27:] == [True, True, True]


def test_the_reason_is_what_was_said_last_of_us() -> None:
    failures = Failures()
    before = failures.reason

    failures.note(NO_SUCH_USER)
    of_recipient = failures.reason
    failures.note(UNRENDERED)

    assert (before, of_recipient) == (None, None)
    assert failures.reason == UNRENDERED.diagnostic


def test_what_differs_from_message_to_message_makes_no_other_kind() -> None:
    assert kind("554 blocked: ann@example.org [192.0.2.7] id 4dB5cK2") == "blocked: id"
    assert kind("'first_name' has no value") != kind("'last_name' has no value")


# --- the run ----------------------------------------------------------------------------------


@pytest.fixture
def run(db: None) -> Run:
    readers = make_list()
    make_recipients(24, mailing_list=readers)
    template = make_template(html="{{ first_name }} <a href='{{ unsubscribe_url }}'>Leave</a>")
    return make_run(make_campaign(lists=[readers], template=template), now=NOW)


def attempt(run: Run, *outcomes: Outcome, now: datetime = NOW) -> None:
    """Have the next queued deliveries end so, as a worker would."""
    queued = Delivery.objects.filter(state="queued").order_by("pk").values_list("pk", flat=True)
    claimed = claim(run.pk, list(queued[: len(outcomes)]), now=now, lease_for=timedelta(minutes=5))
    results = [
        Result(delivery.id, 1, "", outcome)
        for delivery, outcome in zip(claimed.deliveries, outcomes, strict=True)
    ]
    record(run.pk, results, lease=claimed.lease, policy=POLICY, now=now)


@pytest.mark.parametrize(("failures", "held"), [(9, False), (10, True)])
def test_a_run_is_held_when_its_first_ten_messages_fail_alike(
    run: Run, failures: int, held: bool
) -> None:
    attempt(run, *[UNRENDERED] * failures)

    assert hold_if_hopeless(run.pk, UNRENDERED.diagnostic) == held

    run.refresh_from_db()
    assert (run.status == RunStatus.HELD) == held
    said = "nothing was sent, and 10 messages failed alike: 'first_name' has no value"
    assert run.held_reason == (said if held else "")
    assert Delivery.objects.filter(state="queued").count() == 24 - failures


def test_failures_that_differ_in_their_ids_are_alike(run: Run) -> None:
    attempt(run, *map(blocked, range(10)))

    assert hold_if_hopeless(run.pk, blocked(99).diagnostic)


@pytest.mark.parametrize("hope", [Accepted(reply_code=250), InDoubt()])
def test_a_run_of_which_something_went_out_is_not_held(run: Run, hope: Outcome) -> None:
    attempt(run, hope, *[UNRENDERED] * 15)

    assert not hold_if_hopeless(run.pk, UNRENDERED.diagnostic)


def test_refused_recipients_do_not_hold_a_run(run: Run) -> None:
    attempt(run, *[NO_SUCH_USER] * 15, UNRENDERED)

    assert not hold_if_hopeless(run.pk, UNRENDERED.diagnostic)


@pytest.mark.parametrize("status", [RunStatus.PAUSED, RunStatus.CANCELLED])
def test_a_run_that_is_not_being_sent_is_not_held(run: Run, status: RunStatus) -> None:
    attempt(run, *[UNRENDERED] * 10)
    Run.objects.update(status=status)

    assert not hold_if_hopeless(run.pk, UNRENDERED.diagnostic)

    run.refresh_from_db()
    assert (run.status, run.held_reason) == (status, "")


def test_a_long_reason_is_cut(run: Run) -> None:
    assert Run.objects.filter(pk=run.pk).hold("x" * 500)

    run.refresh_from_db()
    assert run.held_reason == "x" * 200


def campaign_of(run: Run) -> Campaign:
    return Campaign.objects.get(pk=run.campaign_id)


def test_a_run_held_in_its_midst_goes_on_where_it_was(run: Run) -> None:
    pages.open_next(run.pk, now=NOW)
    attempt(run, *[UNRENDERED] * 10)
    hold_if_hopeless(run.pk, UNRENDERED.diagnostic)

    resumed = resume(campaign_of(run), now=NOW + timedelta(days=2))
    prepared = snapshot.take_slice(run.pk, now=NOW + timedelta(days=2))
    [page] = pages.open_next(run.pk, now=NOW + timedelta(days=2))

    run.refresh_from_db()
    assert resumed == [run.pk]
    assert prepared.finished
    assert (run.status, run.held_reason, run.started_at) == (RunStatus.SENDING, "", NOW)
    assert sum(map(len, page.chunks)) == 14


def test_after_a_person_said_go_only_new_failures_count(run: Run) -> None:
    attempt(run, *[UNRENDERED] * 10)
    hold_if_hopeless(run.pk, UNRENDERED.diagnostic)
    resume(campaign_of(run), now=NOW)
    later = NOW + timedelta(minutes=1)

    attempt(run, *[UNRENDERED] * 9, now=later)
    after_nine = hold_if_hopeless(run.pk, UNRENDERED.diagnostic)
    attempt(run, UNRENDERED, now=later)
    after_ten = hold_if_hopeless(run.pk, UNRENDERED.diagnostic)

    assert (after_nine, after_ten) == (False, True)


def test_a_held_run_can_be_cancelled(run: Run) -> None:
    attempt(run, *[UNRENDERED] * 10)
    hold_if_hopeless(run.pk, UNRENDERED.diagnostic)

    assert cancel(campaign_of(run), now=NOW) == 14
    assert disagreements([run.pk], kept_since=None) == []


def test_a_chunk_stops_when_nobodys_message_can_be_rendered_and_the_run_waits(
    run: Run, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    Recipient.objects.update(fields={})
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))

    deliver(run.pk, ids, clock=lambda: NOW)

    run.refresh_from_db()
    assert run.status == RunStatus.HELD
    assert "10 messages failed alike" in run.held_reason
    assert "'first_name' has no value" in run.held_reason
    open_deliveries = Delivery.objects.open().values_list("state", "attempts")
    assert set(open_deliveries) <= {("queued", 0), ("retry", 0)}
    assert len(open_deliveries) == 14
    assert smtp.messages == []


def test_recipients_without_a_field_do_not_keep_their_neighbours_from_their_messages(
    run: Run, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    Recipient.objects.filter(delivery__in=ids[1::2]).update(fields={})

    counts = deliver(run.pk, ids, clock=lambda: NOW)

    run.refresh_from_db()
    assert run.status == RunStatus.SENDING
    assert counts == {"accepted": 12, "rejected": 12}
