"""Messages that come twice, get lost or come late, and processes that die: the ledger decides."""

import threading
from collections import Counter
from typing import Any

import redis
from django.core.management import call_command
from django.utils import timezone

from campaigns.models import Campaign, Page, Run
from campaigns.reports import report
from campaigns.tasks import close_page, prepare, tick
from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP, closing, hold
from tracking.models import Delivery
from tracking.verify import disagreements

SENT_ONCE = {1}


def times_sent(smtp: ScriptedSMTP) -> Counter[str]:
    return Counter(message.recipient for message in smtp.messages)


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


def status(campaign: Campaign) -> dict[str, Any]:
    campaign.refresh_from_db()
    return report(campaign, now=timezone.now()).as_dict()


def test_what_is_delivered_twice_happens_once(
    installation: Installation, smtp: ScriptedSMTP, broker: redis.Redis
) -> None:
    with installation() as live:
        campaign, addresses = send_now(100)
        live.worker(queues="control,maintenance")
        live.beat()
        live.beat()
        for _ in range(5):
            tick.delay()
        # Nobody takes the page's tasks yet: each of them, and what led to them, is sent again.
        messages = wait_until(lambda: broker.lrange("campaigns", 0, -1), "a page is open")
        wait_until(lambda: broker.llen("campaigns") >= 50, "all tasks of the page are sent")
        broker.rpush("campaigns", *broker.lrange("campaigns", 0, -1))
        [run] = Run.objects.all()
        prepare.delay(run.pk)
        for page in Page.objects.all():
            close_page.delay(page.pk)
        live.worker(queues="campaigns")
        live.worker(queues="campaigns")
        wait_for_end(campaign)
        wait_until(lambda: not broker.exists("campaigns"), "the repeated messages are taken")

    assert messages
    assert Run.objects.count() == 1
    assert times_sent(smtp) == Counter(addresses)
    assert states() == {"sent": 100}
    assert disagreements([run.pk], kept_since=None) == []


def test_a_run_completes_though_redis_is_emptied_in_its_midst(
    installation: Installation, smtp: ScriptedSMTP, broker: redis.Redis
) -> None:
    go_on = threading.Event()
    with installation(REDISPATCH_SECONDS="1", SWEEP_SECONDS="1") as live:
        campaign, addresses = send_now(200)
        smtp.script(hold("dot", go_on), recipient=addresses[20])
        live.worker()
        live.worker(queues="control,maintenance", with_beat=True)
        wait_until(lambda: smtp.messages_to(addresses[20]), "its content has come")

        broker.flushall()
        go_on.set()
        run = wait_for_end(campaign)

    assert times_sent(smtp) == Counter(addresses)
    assert run.status == "completed"
    assert not Page.objects.exclude(state="closed").exists()
    assert disagreements([run.pk], kept_since=None) == []


def test_pause_resume_and_cancel_act_at_the_next_claim(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    first, second = threading.Event(), threading.Event()
    with installation(SWEEP_SECONDS="1") as live:
        campaign, addresses = send_now(200)
        smtp.script(hold("dot", first), recipient=addresses[20])
        smtp.script(hold("dot", second), recipient=addresses[100])
        live.worker(queues="campaigns")
        live.worker(queues="control,maintenance", with_beat=True)
        wait_until(lambda: smtp.messages_to(addresses[20]), "its content has come")

        call_command("pause_campaign", campaign.pk)
        first.set()
        wait_until(lambda: not states()["sending"], "the claimed chunk is recorded")
        paused = status(campaign)
        sent_when_paused = len(smtp.messages)
        call_command("resume_campaign", campaign.pk)
        wait_until(lambda: smtp.messages_to(addresses[100]), "its content has come")
        call_command("cancel_campaign", campaign.pk)
        second.set()
        wait_until(lambda: not states()["sending"], "the claimed chunk is recorded")
        cancelled = status(campaign)

    assert paused["run_status"] == "paused"
    assert 20 < paused["counts"]["sent"] == sent_when_paused < 30
    assert (cancelled["status"], cancelled["run_status"]) == ("cancelled", "cancelled")
    sent, left = cancelled["counts"]["sent"], cancelled["counts"]["cancelled"]
    assert sent_when_paused < sent < 200
    assert sent + left == 200
    assert set(times_sent(smtp).values()) == SENT_ONCE
    assert len(smtp.messages) == sent
    assert disagreements(campaign.runs.all().ids(), kept_since=None) == []


def test_nothing_fails_while_the_server_is_not_there(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    smtp.script(closing("connect", "421 4.3.2 Not now"), times=2)
    with installation(TRANSPORT_WAIT_SECONDS="1", SWEEP_SECONDS="1", RETRY_SCHEDULE="60") as live:
        campaign, addresses = send_now(20)
        live.worker(with_beat=True)
        run = wait_for_end(campaign)

    assert times_sent(smtp) == Counter(addresses)
    assert states() == {"sent": 20}
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}
    assert disagreements([run.pk], kept_since=None) == []


def test_a_killed_worker_leaves_one_message_in_doubt_and_mails_nobody_twice(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    never = threading.Event()
    # By one connection: else others of the chunk may be in doubt, too, at the moment of the kill.
    email_url = f"{smtp.url}?connections=1"
    with installation(EMAIL_URL=email_url, REDISPATCH_SECONDS="1", SWEEP_SECONDS="1") as live:
        campaign, addresses = send_now(500)
        # The sixth of a chunk of ten: five are answered and not recorded, four are not begun.
        smtp.script(hold("dot", never), recipient=addresses[25])
        doomed = live.worker(queues="campaigns")
        live.worker(queues="control,maintenance", with_beat=True)
        wait_until(lambda: smtp.messages_to(addresses[25]), "its content has come")

        live.kill(doomed)
        never.set()
        live.worker(queues="campaigns")
        run = wait_for_end(campaign)

    # Whether that one arrived is what nobody knows; all the others did, once.
    assert times_sent(smtp) | Counter([addresses[25]]) == Counter(addresses)
    assert states() == {"sent": 499, "unconfirmed": 1}
    assert Delivery.objects.get(state="unconfirmed").address == addresses[25]
    assert disagreements([run.pk], kept_since=None) == []
