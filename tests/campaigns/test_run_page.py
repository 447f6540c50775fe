"""The page of a run: how it stands, where everybody is, what keeps it back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaigns.models import DomainLimit, Gate, Run, RunStatus
from campaigns.sending.claim import claim
from campaigns.sending.outcomes import Accepted, Outcome, Rejected
from campaigns.sending.record import Result, policy_of_installation, record
from tests.console import staff, superuser, text
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tracking.models import Delivery, DomainTally, RunCounters

pytestmark = pytest.mark.django_db

LEASE = timedelta(minutes=5)


@pytest.fixture
def run() -> Run:
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    return make_run(make_campaign("Spring", lists=[readers]))


def send(run: Run, *outcomes: Outcome, at: datetime | None = None) -> None:
    at = at or timezone.now()
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True)[: len(outcomes)])
    claimed = claim(run.pk, ids, now=at, lease_for=LEASE)
    results = [
        Result(one.id, 1, f"<{one.id}@x>", outcome)
        for one, outcome in zip(claimed.deliveries, outcomes, strict=True)
    ]
    record(run.pk, results, lease=claimed.lease, policy=policy_of_installation(), now=at)


def url(run: Run, page: str = "detail") -> str:
    return reverse(f"campaigns:run_{page}", args=[run.pk])


def part(client: Client, run: Run, **headers: Any) -> Any:
    return client.get(url(run, "now"), headers={"HX-Request": "true", **headers})


def test_the_states_of_a_run_add_up_and_lead_to_those_who_are_in_them(run: Run) -> None:
    send(run, Accepted(), Rejected(reply_code=550, diagnostic="no such user"))

    answer = superuser().get(url(run))

    page = text(answer)
    assert "Sending 2 of 3 have an outcome." in page
    assert "Planned 3" in page
    assert sum(count for *_, count in answer.context["sums"]) == 3
    assert f"/ledger/?run={run.pk}&amp;state=failed" in answer.content.decode()
    assert "r0002@example.org no such user" in page


def test_who_may_not_see_the_ledger_reads_no_address(run: Run) -> None:
    send(run, Accepted(), Rejected(reply_code=550, diagnostic="no such user"))

    page = text(staff("campaigns.view_run").get(url(run)))

    assert "Planned 3" in page
    assert "r0002@" not in page
    assert "no such user" not in page
    assert "Pause" not in page


def test_what_keeps_a_run_back_is_named(run: Run) -> None:
    later = timezone.now() + timedelta(minutes=4)
    Gate.objects.create(shut_until=later, cause="connection", answer="Connection refused")
    DomainLimit.objects.create(group="google", per_hour=50)

    page = text(superuser().get(url(run)))

    assert "The server of EMAIL_URL Shut" in page
    assert "cannot be reached (Connection refused)" in page
    assert "Google Limited 50 messages an hour" in page


def test_the_largest_domains_have_bars(run: Run) -> None:
    DomainTally.objects.create(run=run, domain="example.org", sent=9, failed=1, bounced_soft=3)

    answer = superuser().get(url(run))

    assert "example.org 9 3 1" in text(answer)
    assert '<rect class="failed" x="90.00" width="10.00"' in answer.content.decode()


def test_a_part_of_the_page_is_asked_for_while_it_can_change(run: Run) -> None:
    client = superuser()

    every = {}
    for status in RunStatus:
        Run.objects.update(status=status)
        found = part(client, run).content.decode()
        every[status.value] = found.partition('hx-trigger="every ')[2].partition("s")[0]

    # What is open of a cancelled run is cancelled by the sweep.
    assert every == {
        "preparing": "3",
        "sending": "3",
        "paused": "10",
        "held": "10",
        "completed": "",
        "cancelled": "10",
    }


def test_what_the_browser_has_already_is_not_sent_again(run: Run) -> None:
    client = superuser()
    Run.objects.update(status=RunStatus.PAUSED)

    first = part(client, run)
    again = part(client, run, **{"HX-PTag": first["HX-PTag"]})

    assert again.status_code == 304
    assert client.get(url(run, "now"))["Location"] == url(run)


def test_a_run_is_answered_from_its_counters(
    run: Run, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = superuser()
    RunCounters.objects.update(sent=10_000_000)

    with django_assert_max_num_queries(22) as asked:
        page = text(part(client, run))

    assert "10,000,000 of 10,000,003" in page
    assert not [each for each in asked.captured_queries if "COUNT(" in each["sql"]]


def test_the_counters_know_when_a_message_left_and_how_many_in_that_minute(run: Run) -> None:
    first = datetime(2026, 3, 1, 9, 0, 50, tzinfo=UTC)
    send(run, Accepted(), at=first)
    one = RunCounters.objects.get()
    ids = [Delivery.objects.latest("pk").pk]
    claimed = claim(run.pk, ids, now=first + timedelta(seconds=20), lease_for=LEASE)

    claimed_only = RunCounters.objects.get()
    result = Result(ids[0], 1, "<x@x>", Accepted())
    now = first + timedelta(seconds=30)
    record(run.pk, [result], lease=claimed.lease, policy=policy_of_installation(), now=now)
    two = RunCounters.objects.get()

    assert (one.sent_at, one.minute_sent, one.minute_before) == (first, 1, 0)
    assert claimed_only.sent_at == first
    assert (two.sent_at, two.minute_sent, two.minute_before) == (now, 1, 1)
