"""Who waits for whom: workers and people who meet at the same rows."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from campaigns.models import Page, Run
from campaigns.sending import gates, reconcile, retries, snapshot
from campaigns.sending.claim import claim
from campaigns.sending.deliver import deliver
from campaigns.sending.outcomes import Accepted
from campaigns.sending.record import Result, record
from campaigns.sending.retry_policy import RetryPolicy
from campaigns.services import cancel
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP, hold
from tests.threads import in_a_connection_of_its_own, waiting_for_locks
from tracking.models import Delivery, Lease, RunCounters
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
POLICY = RetryPolicy(schedule=[timedelta(minutes=10)], transport_wait=timedelta(seconds=30))


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda run: snapshot.take_slice(run.pk, now=NOW, size=3),
        lambda run: cancel(run.campaign, now=NOW),
    ],
    ids=["a slice of the snapshot", "a cancellation"],
)
def test_a_claim_does_not_wait_for_whoever_holds_its_run(
    meanwhile: Callable[[Run], object],
) -> None:
    readers = make_list()
    make_recipients(6, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]), now=NOW, snapshot_taken=False)
    snapshot.take_slice(run.pk, now=NOW, size=3)
    ids = list(Delivery.objects.values_list("id", flat=True))
    lease_for = timedelta(minutes=5)
    done: list[Future[object]] = []

    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            # The claim stops in its midst, with its deliveries in hand; the other one comes then.
            RunCounters.objects.select_for_update().get(run=run)
            acts: list[Callable[[], object]] = [
                lambda: claim(run.pk, ids, now=NOW, lease_for=lease_for),
                lambda: meanwhile(run),
            ]
            for act in acts:
                done.append(threads.submit(in_a_connection_of_its_own, act))
                wait_until(lambda: waiting_for_locks() == len(done), "it waits", timeout=10)
        for future in done:
            future.result()

    assert Delivery.objects.filter(state="sending").count() == 3


def test_an_outcome_whose_transaction_died_of_a_deadlock_is_recorded_in_another_one(
    settings: Settings, smtp: ScriptedSMTP
) -> None:
    settings.EMAIL_URL = smtp.url
    readers = make_list()
    make_recipients(1, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]), now=NOW)
    delivery = Delivery.objects.get()
    answer = threading.Event()
    smtp.script(hold("dot", answer))

    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(
            in_a_connection_of_its_own,
            lambda: deliver(run.pk, [delivery.pk], clock=lambda: NOW),
        )
        smtp.wait_for(1)
        with transaction.atomic():
            # In the wrong order: who records takes the delivery first, then the counters.
            RunCounters.objects.select_for_update().get(run=run)
            answer.set()
            wait_until(lambda: waiting_for_locks() == 1, "it waits", timeout=10)
            Delivery.objects.select_for_update().get(pk=delivery.pk)
        done.result()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("sent", 1)
    assert len(smtp.messages) == 1
    assert disagreements([run.pk], kept_since=None) == []


def test_a_claim_that_ran_out_while_a_row_of_it_was_held_is_found_by_the_next_sweep(
    tmp_path: Path,
) -> None:
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]), now=NOW)
    ids = list(Delivery.objects.order_by("id").values_list("id", flat=True))
    claim(run.pk, ids, now=NOW, lease_for=timedelta(minutes=5))
    over = NOW + timedelta(minutes=6)

    def expire() -> int:
        return reconcile.expire(run.pk, directory=tmp_path, now=over)

    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        Delivery.objects.select_for_update().get(pk=ids[0])  # as who deletes its recipient
        threads.submit(in_a_connection_of_its_own, expire).result()
    left = Delivery.objects.filter(state="sending").values_list("pk", flat=True)

    assert list(left) == ids[:1]
    assert (expire(), expire()) == (1, 0)
    assert not Lease.objects.exists()


@pytest.mark.parametrize("held", [Delivery, Page])
def test_nobody_waits_for_rows_that_are_only_to_be_looked_at_again(
    held: type[Delivery | Page],
) -> None:
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]), now=NOW)
    Page.objects.create(run=run, number=2, first_delivery=1, last_delivery=1)
    Page.objects.update(resume_at=NOW + timedelta(hours=1))
    Delivery.objects.update(state="retry", next_attempt_at=NOW, dispatched_at=NOW)
    ids = list(Delivery.objects.values_list("pk", flat=True))

    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        # Who takes one row after the other and waited for the next would wait for ever.
        held.objects.select_for_update().order_by("pk").first()
        for act in (lambda: gates.wake(now=NOW), lambda: retries.put_back(ids)):
            threads.submit(in_a_connection_of_its_own, act).result(timeout=10)

    woken = Page.objects.filter(resume_at=NOW).count()
    found = Delivery.objects.filter(dispatched_at=None).count()
    assert (woken, found) == ((2, 1) if held is Delivery else (1, 2))


def test_leases_that_ran_out_and_an_answer_that_comes_late_do_not_block_each_other() -> None:
    readers = make_list()
    make_recipients(6, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]), now=NOW)
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    for claimed in (ids[:3], ids[3:]):
        late = claim(run.pk, claimed, now=NOW, lease_for=timedelta(minutes=5))
    over = NOW + timedelta(minutes=6)
    results = [
        Result(one.id, one.attempts, "", Accepted(reply_code=250)) for one in late.deliveries
    ]
    acts: list[Callable[[], object]] = [
        lambda: record(run.pk, results, lease=late.lease, policy=POLICY, now=over),
        lambda: reconcile.expire(run.pk, directory=Path("/nonexistent"), now=over),
    ]
    done: list[Future[object]] = []

    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            RunCounters.objects.select_for_update().get(run=run)
            for act in acts:
                done.append(threads.submit(in_a_connection_of_its_own, act))
                wait_until(lambda: waiting_for_locks() == len(done), "it waits", timeout=10)
        for future in done:
            future.result()

    states = list(Delivery.objects.order_by("pk").values_list("state", flat=True))
    assert states == ["unconfirmed"] * 3 + ["sent"] * 3
    assert not Lease.objects.exists()
