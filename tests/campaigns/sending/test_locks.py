"""Who waits for whom: workers and people who meet at the same rows."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from campaigns.models import Run
from campaigns.sending import snapshot
from campaigns.sending.claim import claim
from campaigns.services import cancel
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tests.live import wait_until
from tracking.models import Delivery, RunCounters

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def in_a_connection_of_its_own(act: Callable[[], object]) -> None:
    try:
        act()
    finally:
        connection.close()


def waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


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
    done: list[Future[None]] = []

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
