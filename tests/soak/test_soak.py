"""Faults that take minutes by their nature: `make soak`."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import quantiles

import psutil
import pytest
import redis
from django.db import connection
from django.utils import timezone

from campaigns.models import Run, Sender
from campaigns.retention import delete_old_results
from campaigns.sending import journal
from campaigns.sending.claim import claim
from campaigns.services import schedule
from tests.e2e.apart import PEOPLE, create_campaign, installation_on, kill, own_services
from tests.e2e.apart import wait_for_end as wait_for_end_of
from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.factories import make_campaign, make_list, make_recipients, make_run, make_sender
from tests.live import wait_until
from tests.smtp_server import Act, ScriptedSMTP, defer, hold
from tracking.models import Delivery, RunCounters
from tracking.verify import disagreements

pytestmark = [pytest.mark.soak, pytest.mark.django_db(transaction=True)]

MIB = 1024 * 1024
LONG = 900.0  # seconds
POISONED = "r0020@example.org"


def once_deferred() -> Callable[[str, str], Act | None]:
    """Return what a next hop does that greylists everybody: 450 to the first RCPT of each."""
    known: set[str] = set()

    def decide(phase: str, recipient: str) -> Act | None:
        if phase != "rcpt" or recipient in known:
            return None
        known.add(recipient)
        return defer()

    return decide


def memory(pid: int) -> int:
    """Return the largest resident memory, in bytes, of a worker's children."""
    children = psutil.Process(pid).children(recursive=True)
    return max(int(child.memory_info().rss) for child in children)


def test_a_hundred_thousand_deferred_recipients_take_no_memory(
    installation: Installation, smtp: ScriptedSMTP, broker: redis.Redis
) -> None:
    smtp.decide = once_deferred()
    with installation(RETRY_SCHEDULE="30,30,30", SWEEP_SECONDS="1") as live:
        campaign, _ = send_now(100_000)
        worker = live.worker(queues="campaigns")
        live.worker(queues="control,maintenance")
        live.beat()
        live.beat()
        counters = RunCounters.objects.filter(run__campaign=campaign)
        wait_until(lambda: counters.filter(retry__gt=10_000).exists(), "some wait", timeout=LONG)
        early = memory(worker.pid)
        wait_until(lambda: counters.filter(sent__gt=90_000).exists(), "most are sent", timeout=LONG)
        late, in_redis = memory(worker.pid), int(broker.info("memory")["used_memory"])
        wait_until(Run.objects.filter(finished_at__isnull=False).exists, "the end", timeout=LONG)

    print(f"worker {early / MIB:.0f} MiB, then {late / MIB:.0f}; Redis {in_redis / MIB:.1f} MiB")
    assert late < early + 20 * MIB
    assert in_redis < 20 * MIB
    assert len(smtp.messages) == len({message.recipient for message in smtp.messages}) == 100_000
    assert set(Delivery.objects.values_list("state", "attempts")) == {("sent", 2)}


OLD_RESULTS = """
    INSERT INTO django_celery_results_taskresult
           (task_id, task_name, status, content_type, content_encoding, result, meta,
            date_created, date_done)
    SELECT gen_random_uuid()::text, 'campaigns.deliver', 'SUCCESS', 'application/json', 'utf-8',
           '{"delivery": -' || number || '}', '{}',
           now() - interval '100 days', now() - interval '100 days'
      FROM generate_series(1, 1000000) AS number
"""


def slowest_percent(run: Run, ids: list[int]) -> float:
    """Claim these one by one; return the 99th percentile of the time that took, in ms."""
    times = []
    for one in ids:
        begun = time.perf_counter()
        claim(run.pk, [one], now=timezone.now(), lease_for=timedelta(minutes=5))
        times.append(1000 * (time.perf_counter() - begun))
    return quantiles(times, n=100)[-1]


def test_deleting_a_million_old_results_stops_nobody(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(OLD_RESULTS)
    readers = make_list("Claimed")
    make_recipients(1_000, mailing_list=readers, prefix="c")
    # Claimed by this test alone: no worker serves the queue of its sender.
    sender = make_sender("Europe <europe@example.org>")
    Sender.objects.filter(pk=sender.pk).update(queue="eu")
    claimed = make_run(make_campaign("Claimed", lists=[readers], sender=sender))
    ids = list(Delivery.objects.values_list("pk", flat=True))
    deleted: list[int] = []

    def delete() -> None:
        try:
            deleted.append(delete_old_results(now=timezone.now(), older_than=timedelta(days=90)))
        finally:
            connection.close()

    with installation(QUEUES="eu") as live:
        live.worker(queues="campaigns")
        live.worker(queues="control,maintenance")
        live.beat()
        campaign, addresses = send_now(20_000)
        smtp.wait_for(500)
        alone = slowest_percent(claimed, ids[:500])
        deleting = threading.Thread(target=delete)
        deleting.start()
        sent_before = len(smtp.messages)
        beside = slowest_percent(claimed, ids[500:])
        deleting.join()
        sent_meanwhile = len(smtp.messages) - sent_before
        run = wait_for_end(campaign)

    print(f"99th percentile of a claim: {alone:.1f} ms, {beside:.1f} ms while rows are deleted")
    print(f"{sent_meanwhile} messages were sent meanwhile")
    assert deleted == [1_000_000]
    assert sent_meanwhile > 0
    assert Counter(message.recipient for message in smtp.messages) == Counter(addresses)
    assert disagreements([run.pk], kept_since=None) == []


def test_redis_that_stands_still_for_a_minute_and_a_half_is_waited_for(
    installation: Installation, smtp: ScriptedSMTP, redis_process: psutil.Process
) -> None:
    with installation(REDISPATCH_SECONDS="2", SWEEP_SECONDS="1") as live:
        campaign, addresses = send_now(3_000)
        live.worker(queues="campaigns")
        live.worker(queues="control,maintenance")
        live.beat()
        wait_until(lambda: len(smtp.messages) > 200, "the run is under way")
        redis_process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(90)  # the fault itself
        finally:
            redis_process.send_signal(signal.SIGCONT)
        wait_until(Run.objects.filter(finished_at__isnull=False).exists, "the end", timeout=LONG)

    assert Counter(message.recipient for message in smtp.messages) == Counter(addresses)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
    assert Run.objects.get().campaign_id == campaign.pk


def test_a_minute_without_postgresql_and_the_worker_of_then_loses_no_outcome(
    smtp: ScriptedSMTP, tmp_path: Path
) -> None:
    held = threading.Event()
    smtp.script(hold("dot", held), recipient=PEOPLE[40])

    # Its lease is over long before PostgreSQL is back.
    fast = {"LEASE_SECONDS": "10", "REDISPATCH_SECONDS": "1", "SWEEP_SECONDS": "1"}
    with (
        own_services() as services,
        installation_on(services, tmp_path, EMAIL_URL=smtp.url, **fast) as live,
    ):
        campaign = create_campaign(live, "Spring")
        worker = live.worker(queues="campaigns")
        live.worker(queues="control,maintenance")
        live.beat()
        wait_until(lambda: smtp.messages_to(PEOPLE[40]), "its content has come")
        kill(services, "postgresql")
        held.set()
        time.sleep(60)  # the fault itself
        [path] = journal.journals(services.home.path / "journal")
        known = journal._read(path.read_bytes())
        live.kill(worker)
        services.up()
        live.worker(queues="campaigns")
        ended = wait_for_end_of(live, campaign)
        live.manage("verify_ledger", campaign)

    assert known.begun
    assert known.begun.keys() == known.answered.keys()
    assert Counter(message.recipient for message in smtp.messages) == Counter(PEOPLE)
    assert ended["counts"]["sent"] == 200


def test_a_recipient_whose_message_kills_its_worker_fails_alone(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    waits = {"RETRY_SCHEDULE": "1,1,1", "REDISPATCH_SECONDS": "1", "SWEEP_SECONDS": "1"}
    with installation(POISONED_ADDRESS=POISONED, **waits) as live:
        campaign, addresses = send_now(60)
        for _ in range(2):
            live.worker(queues="campaigns", include="tests.soak.poison")
        live.worker(queues="control,maintenance")
        live.beat()
        run = wait_for_end(campaign)

    sent = Counter(message.recipient for message in smtp.messages)
    assert sent == Counter(addresses) - Counter([POISONED])
    failed = Delivery.objects.exclude(state="sent").get()
    assert (failed.address, failed.state, failed.attempts) == (POISONED, "failed", 3)
    assert failed.diagnostic == "the worker was lost while it composed the message, 3 times"
    assert disagreements([run.pk], kept_since=None) == []


def test_beat_that_dies_right_after_it_fired_fires_once(installation: Installation) -> None:
    readers = make_list()
    make_recipients(5, mailing_list=readers)
    with installation() as live:
        live.worker()
        for number in range(1, 21):
            beat = live.beat()
            now = timezone.now()
            campaign = make_campaign(f"Campaign {number}", lists=[readers])
            schedule(campaign, now=now, at=now)
            wait_until(Run.objects.filter(campaign=campaign).exists, "it has fired")
            os.killpg(beat.pid, signal.SIGKILL)
            beat.wait()
        live.beat()
        done = Run.objects.filter(finished_at__isnull=False)
        wait_until(lambda: done.count() == 20, "all have ended", timeout=LONG)

    assert Run.objects.count() == 20
    assert set(Delivery.objects.values_list("state", "attempts")) == {("sent", 1)}
    assert disagreements(Run.objects.all().ids(), kept_since=None) == []
