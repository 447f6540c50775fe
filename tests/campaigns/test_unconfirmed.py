"""What may have arrived or not: by evidence, by a person, by the campaign's policy."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, Run
from campaigns.sending import complete, time_to_live
from campaigns.sending.claim import claim
from campaigns.sending.outcomes import Accepted, InDoubt
from campaigns.sending.record import Result, policy_of_installation, record
from tests.console import messages, staff, superuser, text
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tracking import links, unconfirmed
from tracking.models import Delivery
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
WAIT = timedelta(minutes=15)
LEASE = timedelta(minutes=5)


@pytest.fixture
def run() -> Run:
    """A completed run of three recipients: the second one is in doubt."""
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]), now=NOW)
    send(run, second=InDoubt(diagnostic="cut off"))
    assert complete.complete(run.pk, now=NOW)
    return run


def send(run: Run, *, second: Accepted | InDoubt, now: datetime = NOW) -> None:
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    claimed = claim(run.pk, ids, now=now, lease_for=LEASE)
    results = [
        Result(one.id, 1, f"<{one.id}@x>", second if one.id == ids[1] else Accepted())
        for one in claimed.deliveries
    ]
    record(run.pk, results, lease=claimed.lease, policy=policy_of_installation(), now=now)


def doubtful() -> Delivery:
    return Delivery.objects.order_by("pk")[1]


def resend_by_policy(run: Run, *, now: datetime) -> int:
    return unconfirmed.resend_old(run.pk, before=now - WAIT, now=now)


def test_evidence_moves_it_to_sent_once(run: Run) -> None:
    first = unconfirmed.confirm(doubtful().pk, evidence="opened", now=NOW)
    again = unconfirmed.confirm(doubtful().pk, evidence="opened", now=NOW)

    assert (first, again) == (True, False)
    assert (doubtful().state, doubtful().diagnostic) == (
        "sent",
        "arrived: opened; before: cut off",
    )
    assert disagreements([run.pk], kept_since=None) == []


def test_evidence_changes_nothing_of_what_is_not_in_doubt(run: Run) -> None:
    sent = Delivery.objects.order_by("pk")[0]

    assert not unconfirmed.confirm(sent.pk, evidence="opened", now=NOW)


def test_whoever_follows_the_unsubscribe_link_has_the_message(run: Run, client: Client) -> None:
    client.get(links.unsubscribe_url(doubtful().pk))

    assert doubtful().state == "sent"
    assert "unsubscribe link" in doubtful().diagnostic


def test_what_is_sent_again_is_due_at_once_and_its_run_goes_on(run: Run) -> None:
    assert unconfirmed.resend([doubtful().pk], now=NOW) == 1

    assert Run.objects.unfinished().ids() == [run.pk]
    assert complete.reopen(run.pk)
    assert (doubtful().state, doubtful().next_attempt_at) == ("retry", NOW)
    send(run, second=Accepted())
    assert doubtful().state == "sent"
    assert disagreements([run.pk], kept_since=None) == []


def test_what_a_cancelled_run_sent_stays_in_doubt(run: Run) -> None:
    Run.objects.update(status="cancelled")

    again, arrived = (
        unconfirmed.resend([doubtful().pk], now=NOW),
        unconfirmed.mark_sent([doubtful().pk], reason="seen", now=NOW),
    )

    assert (again, arrived, doubtful().state) == (0, 1, "sent")


def test_what_is_sent_again_has_a_time_to_live_of_its_own(run: Run) -> None:
    late = NOW + timedelta(days=30)
    unconfirmed.resend([doubtful().pk], now=late)
    complete.reopen(run.pk)

    in_time = time_to_live.expire_old(run.pk, now=late + timedelta(hours=72))
    too_late = time_to_live.expire_old(run.pk, now=late + timedelta(hours=72, seconds=1))

    assert (in_time, too_late, doubtful().state) == (0, 1, "failed")


def test_a_worker_that_comes_back_late_has_no_say_in_what_is_sent_again(run: Run) -> None:
    lease = doubtful().lease
    assert lease
    unconfirmed.resend([doubtful().pk], now=NOW)

    late = [Result(doubtful().pk, 1, "<x@x>", Accepted())]
    moved = record(run.pk, late, lease=lease, policy=policy_of_installation(), now=NOW)

    assert moved == 0
    assert doubtful().state == "retry"


@pytest.mark.parametrize(("waited", "count"), [(WAIT - timedelta(seconds=1), 0), (WAIT, 1)])
def test_the_policy_waits_before_it_sends_again(run: Run, waited: timedelta, count: int) -> None:
    assert resend_by_policy(run, now=NOW + waited) == count


def test_the_policy_sends_again_once(run: Run) -> None:
    later = NOW + WAIT
    resend_by_policy(run, now=later)
    complete.reopen(run.pk)
    send(run, second=InDoubt(diagnostic="cut off again"), now=later)

    assert resend_by_policy(run, now=later + WAIT) == 0
    assert doubtful().state == "unconfirmed"


@pytest.mark.parametrize(("policy", "found"), [("hold", 0), ("resend", 1)])
def test_a_completed_run_is_looked_after_where_its_campaign_sends_again(
    run: Run, policy: str, found: int
) -> None:
    Campaign.objects.update(unconfirmed_policy=policy)

    assert len(Run.objects.unfinished().ids()) == found


def test_the_policies_are_those_that_the_table_knows() -> None:
    make_campaign()

    with (
        pytest.raises(IntegrityError, match="campaign_unconfirmed_policy_known"),
        transaction.atomic(),
    ):
        Campaign.objects.update(unconfirmed_policy="shrug")


# --- the command ------------------------------------------------------------------------------


def command(run: Run, *arguments: str) -> str:
    output = io.StringIO()
    call_command("unconfirmed", str(run.campaign_id), *arguments, stdout=output)
    return output.getvalue()


def test_the_command_lists_them_with_their_message_ids(run: Run) -> None:
    assert command(run) == f"r0002@example.org  2026-03-01 09:00:00 UTC  <{doubtful().pk}@x>\n"


@pytest.mark.parametrize(
    ("option", "state", "said"),
    [
        ("--mark-sent", "sent", "1 marked as sent\n"),
        ("--resend", "retry", "1 will be sent once more\n"),
    ],
)
def test_the_command_settles_them(run: Run, option: str, state: str, said: str) -> None:
    assert command(run, option, "--address", "r0002@example.org") == said
    assert doubtful().state == state


def test_the_command_refuses_an_address_that_is_not_in_doubt(run: Run) -> None:
    with pytest.raises(CommandError, match="not in doubt in campaign"):
        command(run, "--resend", "--address", "r0001@example.org")

    assert doubtful().state == "unconfirmed"


# --- the console ------------------------------------------------------------------------------

# --- the page ---------------------------------------------------------------------------------


def page(run: Run) -> str:
    return reverse("campaigns:run_doubts", args=[run.pk])


def settle(client: Client, run: Run, **answers: Any) -> Any:
    asked = {"whose": "chosen", "chosen": doubtful().pk, "expected": 1, **answers}
    return client.post(page(run), asked, follow=True)


@pytest.mark.parametrize("whose", ["chosen", "all"])
@pytest.mark.parametrize(
    ("verdict", "state", "said"),
    [
        ("arrived", "sent", "1 is counted as sent now."),
        ("again", "retry", "1 is sent once more."),
    ],
)
def test_a_person_settles_those_that_are_in_doubt(
    run: Run, whose: str, verdict: str, state: str, said: str
) -> None:
    answer = settle(superuser(), run, verdict=verdict, whose=whose)

    assert messages(answer) == [said]
    assert sorted(Delivery.objects.values_list("state", flat=True)) == sorted(
        ["sent", "sent", state]
    )


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ({"verdict": "arrived", "chosen": []}, 422, "No message is ticked."),
        ({}, 422, "This field is required."),
        ({"verdict": "again", "whose": "all", "expected": 7}, 409, "Look once more."),
        ({"verdict": "again", "chosen": 0}, 422, "Select a valid choice."),
    ],
)
def test_what_is_not_clear_settles_nothing(
    run: Run, answers: dict[str, Any], status: int, said: str
) -> None:
    answer = settle(superuser(), run, **answers)

    assert (answer.status_code, doubtful().state) == (status, "unconfirmed")
    assert said in text(answer)


def test_of_a_stopped_run_nothing_is_offered_to_be_sent_again(run: Run) -> None:
    Run.objects.update(status="cancelled")

    answer = settle(superuser(), run, verdict="again")

    assert (answer.status_code, doubtful().state) == (422, "unconfirmed")


def test_who_may_only_look_settles_nothing(run: Run) -> None:
    client = staff("tracking.view_delivery")

    answer = settle(client, run, verdict="arrived")

    assert (answer.status_code, doubtful().state) == (403, "unconfirmed")
    assert "Settle it" not in text(client.get(page(run)))
    assert "r0002@example.org" in text(client.get(page(run)))
