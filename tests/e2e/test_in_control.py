"""A person's word counts while everything is under load: what is urgent, pause, resume, cancel."""

import random
import signal
import threading
from collections import Counter

import psutil
from django.utils import timezone

from campaigns.models import Campaign, Priority, Run, Sender
from campaigns.sending.pages import BEGINNING
from campaigns.services import cancel, pause, resume, schedule
from campaigns.tasks import deliver_chunk, go_on
from config.processes import STOP_SECONDS
from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.factories import make_campaign, make_list, make_recipients
from tests.live import wait_until
from tests.smtp_server import Act, ScriptedSMTP, hold
from tracking.models import Delivery
from tracking.verify import disagreements

PAUSES = 8
ENOUGH = 2_500  # more than both workers send within a second, which a pause may take


def states(campaign: Campaign) -> Counter[str]:
    return Counter(Delivery.objects.filter(run__campaign=campaign).values_list("state", flat=True))


def times_sent(smtp: ScriptedSMTP) -> Counter[str]:
    return Counter(message.recipient for message in smtp.messages)


def send_urgent(recipients: int) -> Campaign:
    codes = make_list("Codes")
    make_recipients(recipients, mailing_list=codes, prefix="u")
    campaign = make_campaign("Codes", lists=[codes], priority=Priority.TRANSACTIONAL)
    now = timezone.now()
    return schedule(campaign, now=now, at=now)


def test_an_urgent_campaign_waits_for_no_big_one(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    release = threading.Event()

    def keep_the_big_one(phase: str, recipient: str) -> Act | None:
        return hold("dot", release) if phase == "dot" and recipient[0] == "r" else None

    smtp.decide = keep_the_big_one
    try:
        with installation(QUEUES="eu") as live:
            big, addresses = send_now(1_000)
            # Both are of this sender: what is urgent goes before a queue of the sender's own.
            Sender.objects.update(queue="eu")
            for queues in ("eu", "transactional"):
                live.worker(queues=queues)
            live.worker(queues="control,maintenance", with_beat=True)
            wait_until(lambda: states(big)["sending"], "the big one is being sent")

            urgent = send_urgent(5)
            wait_for_end(urgent)
            meanwhile = states(big)
            release.set()
            wait_for_end(big)
    finally:
        release.set()

    assert states(urgent) == {"sent": 5}
    assert meanwhile["sent"] == 0
    assert meanwhile["queued"] >= 1_000 - 1_000 // BEGINNING  # a task is with the worker
    assert states(big) == {"sent": 1_000}
    assert set(times_sent(smtp).values()) == {1}
    assert times_sent(smtp).keys() > set(addresses)


def test_pause_resume_and_cancel_again_and_again_lose_nothing_and_repeat_nothing(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    rng = random.Random(13)

    def is_at_rest() -> bool:
        found = states(campaign)
        return not found["sending"] and found["sent"] == len(smtp.messages)

    with installation(SWEEP_SECONDS="1") as live:
        campaign, _ = send_now(5_000)
        live.worker(queues="campaigns")
        live.worker(queues="campaigns")
        live.worker(queues="control,maintenance", with_beat=True)
        smtp.wait_for(1)
        for _ in range(PAUSES):
            pause(campaign)
            # A claim that was under way may be committed just after the pause.
            wait_until(is_at_rest, "what was claimed is recorded")
            arrived = len(smtp.messages)
            if states(campaign)["queued"] + states(campaign)["retry"] < ENOUGH:
                break
            for run_id in resume(campaign, now=timezone.now()):
                go_on(run_id)
            smtp.wait_for(arrived + rng.randint(1, 100))
        cancel(campaign, now=timezone.now())
        wait_until(lambda: not states(campaign)["sending"], "what was claimed is recorded")

    ended = states(campaign)
    assert ended.keys() == {"sent", "cancelled"}
    assert ended.total() == 5_000
    assert len(smtp.messages) == ended["sent"]
    assert set(times_sent(smtp).values()) == {1}
    assert disagreements(Run.objects.ids(), kept_since=None) == []


def test_a_worker_that_is_asked_to_stop_finishes_what_it_holds(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    go = threading.Event()
    with installation(SWEEP_SECONDS="1", REDISPATCH_SECONDS="1") as live:
        campaign, addresses = send_now(500)
        smtp.script(hold("dot", go), recipient=addresses[105])
        stopped = live.worker(queues="campaigns")
        live.worker(queues="control,maintenance", with_beat=True)
        smtp.wait_for_command(f"RCPT TO:<{addresses[105]}>")

        stopped.send_signal(signal.SIGTERM)
        go.set()
        code = stopped.wait(STOP_SECONDS)
        left = states(campaign)
        live.worker(queues="campaigns")
        wait_for_end(campaign)

    assert code == 0
    assert left.keys() == {"sent", "queued"}
    assert states(campaign) == {"sent": 500}
    assert times_sent(smtp) == Counter(addresses)


def test_a_worker_that_is_stopped_under_load_leaves_nothing_in_doubt(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    with installation(SWEEP_SECONDS="1", REDISPATCH_SECONDS="1") as live:
        campaign, addresses = send_now(4_000)
        stopped = live.worker(queues="campaigns")
        live.worker(queues="campaigns")
        live.worker(queues="control,maintenance", with_beat=True)
        smtp.wait_for(500)
        left = states(campaign)

        stopped.send_signal(signal.SIGTERM)
        code = stopped.wait(STOP_SECONDS)
        wait_for_end(campaign)

    assert left["queued"] > 0  # or nothing was under load
    assert code == 0
    assert states(campaign) == {"sent": 4_000}
    assert times_sent(smtp) == Counter(addresses)
    assert disagreements(Run.objects.ids(), kept_since=None) == []


def test_a_child_above_its_memory_is_replaced_when_its_task_is_done(
    installation: Installation,
) -> None:
    with installation(WORKER_MEMORY_MB="1") as live:
        worker = psutil.Process(live.worker(queues="campaigns").pid)
        live.wait_until_ready()
        first = worker.children()
        for _ in range(2):
            deliver_chunk.apply_async((4711, [1]), queue="campaigns")

        wait_until(lambda: live.output().count(" succeeded in ") == 2, "both tasks are done")
        wait_until(lambda: worker.children() not in ([], first), "another child is there")

    assert len(first) == 1
