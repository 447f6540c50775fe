"""By which queue what reaches whom."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import current_app
from django.conf import settings as django_settings
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import Settings

from campaigns import queues, tasks
from campaigns.forms.ways_out import SenderForm
from campaigns.models import Campaign, Page, Priority, Run, Sender
from campaigns.sending import lanes, waiting
from config import env
from config.processes import WORKERS, Ports, commands
from tests import settings_variables
from tests.factories import make_campaign, make_list, make_recipients, make_run, make_sender
from tracking.models import Delivery

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def run(settings: Settings) -> Run:
    """Three recipients, whose sender has a queue of its own."""
    settings.QUEUES = ("eu", "us")
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]))
    Sender.objects.update(queue="eu")
    return run


def test_the_queues_of_the_settings_are_those_of_the_engine() -> None:
    ours = set(queues.OUR_OWN)

    assert ours == set(env.OWN_QUEUES)
    assert ours == {queue.name for queue in django_settings.CELERY_TASK_QUEUES}
    assert ours == {queue for worker in WORKERS.values() for queue in worker.queues}


def test_what_comes_back_has_a_queue_of_its_own() -> None:
    tasks = {"tracking.handle_inbound", "tracking.handle_webhooks", "tracking.consume"}

    assert {queue_of(name) for name in tasks} == {queues.TRACKING}


def test_a_mailbox_whose_server_hangs_keeps_no_tick_waiting() -> None:
    queue = queue_of("tracking.poll_mailbox")

    [served] = [worker.queues for worker in WORKERS.values() if queue in worker.queues]
    assert queue_of("campaigns.tick") not in served


def queue_of(task: str) -> str:
    return str(current_app.amqp.Router().route({}, task)["queue"].name)


def test_one_machine_serves_the_queues_of_its_senders_too() -> None:
    campaigns = commands(Ports(), catcher=True, further_queues=("eu", "us"))["campaigns"]

    assert campaigns[campaigns.index("-Q") + 1] == "campaigns,eu,us"


@pytest.mark.parametrize(
    ("priority", "own_queue", "lane"),
    [
        (Priority.CAMPAIGN, "", lanes.Lane("campaigns", "maintenance")),
        (Priority.CAMPAIGN, "eu", lanes.Lane("eu", "maintenance")),
        (Priority.TRANSACTIONAL, "", lanes.Lane("transactional", "transactional")),
        (Priority.TRANSACTIONAL, "eu", lanes.Lane("transactional", "transactional")),
    ],
)
def test_what_is_urgent_goes_before_the_senders_own_queue(
    run: Run, priority: Priority, own_queue: str, lane: lanes.Lane
) -> None:
    Sender.objects.update(queue=own_queue)
    Campaign.objects.update(priority=priority)

    assert lanes.lane_of(run.pk) == lane
    assert lanes.sending_by_queue() == {lane.deliveries: [run.pk]}


@pytest.mark.parametrize(
    ("named", "queue", "error"),
    [
        (("eu", "us"), "eu", ""),
        (("eu", "us"), "", ""),
        (("eu", "us"), "asia", "There is no queue 'asia': QUEUES names eu, us."),
        ((), "eu", "There is no queue 'eu': QUEUES names no queue."),
        (("eu",), "campaigns", "There is no queue 'campaigns': QUEUES names eu."),
    ],
)
def test_a_sender_is_refused_a_queue_that_is_not_there(
    settings: Settings, named: tuple[str, ...], queue: str, error: str
) -> None:
    settings.QUEUES = named

    form = SenderForm({"address": "news@example.org", "queue": queue})

    assert form.errors.get("queue", []) == ([error] if error else [])


def test_a_run_whose_queue_is_gone_waits_says_why_and_goes_on_by_another(
    run: Run, broker: redis.Redis, settings: Settings
) -> None:
    settings.QUEUES = ("us",)
    tasks.advance(run.pk)
    tasks.heal(run.pk)
    tasks.retry()
    before = (
        list(Page.objects.values_list("state", flat=True)),
        waiting.why(run, now=run.occurrence),
    )

    Sender.objects.update(queue="")
    tasks.heal(run.pk)

    sentence = "Waiting: its sender's queue is eu, which QUEUES does not name."
    assert before == (["waiting"], sentence)
    assert lanes.sending_by_queue() == {"campaigns": [run.pk]}
    assert waiting.why(run, now=run.occurrence) == ""
    assert broker.llen("campaigns") == 3


def test_urgent_retries_do_not_wait_for_a_full_queue_of_campaigns(
    run: Run, broker: redis.Redis
) -> None:
    Sender.objects.update(queue="")
    others = make_list("Others")
    make_recipients(2, mailing_list=others, prefix="u")
    urgent = make_run(make_campaign("Codes", lists=[others], priority=Priority.TRANSACTIONAL))
    past = timezone.now() - MINUTE
    Delivery.objects.update(state="retry", next_attempt_at=past)
    broker.rpush("campaigns", *["x"] * tasks.ENOUGH_QUEUED)

    tasks.retry()

    assert broker.llen("campaigns") == tasks.ENOUGH_QUEUED
    assert broker.llen("transactional") == 1
    dispatched = Delivery.objects.filter(dispatched_at__isnull=False)
    assert set(dispatched.values_list("run_id", flat=True)) == {urgent.pk}


def test_what_leads_to_an_urgent_campaign_does_not_wait_behind_others(
    broker: redis.Redis,
) -> None:
    make_recipients(1, mailing_list=make_list())
    campaign = make_campaign(priority=Priority.TRANSACTIONAL)
    run = make_run(campaign, snapshot_taken=False)

    tasks.go_on(run.pk)
    tasks.prepare(run.pk)

    assert broker.llen("transactional") == 2  # the snapshot, and the message to one recipient
    assert broker.llen("maintenance") == 0


# --- what the broker is told --------------------------------------------------------------------


def loaded(tmp_path: Path, **environ: str) -> dict[str, Any]:
    names, _ = settings_variables.load(environ, tmp_path)
    assert names["ENV_PROBLEMS"] == []
    return names


def test_rabbitmq_is_told_nothing_that_only_redis_knows(tmp_path: Path) -> None:
    url = "amqps://godwit:s%2Fcret@mq.example.org:5671/news"

    names = loaded(tmp_path, BROKER_URL=url, REDIS_URL="redis://redis.example.org")

    options = names["CELERY_BROKER_TRANSPORT_OPTIONS"]
    assert names["CELERY_BROKER_URL"] == url
    assert options["confirm_publish"] is True
    assert not options.keys() & {"visibility_timeout", "queue_order_strategy", "socket_timeout"}
    assert names["CELERY_BROKER_HEARTBEAT"] > 0


def test_without_a_url_of_its_own_the_broker_is_redis(tmp_path: Path) -> None:
    names = loaded(tmp_path, REDIS_URL="unix:///run/redis.sock?db=1")

    assert names["CELERY_BROKER_URL"] == "redis+socket:///run/redis.sock?virtual_host=1"
    assert names["CELERY_BROKER_TRANSPORT_OPTIONS"]["queue_order_strategy"] == "priority"


def test_a_child_is_killed_only_long_after_its_lease(tmp_path: Path) -> None:
    names = loaded(tmp_path, LEASE_SECONDS="900", WORKER_MEMORY_MB="256", QUEUES="eu, us")

    # A reply to the final dot may take ten minutes (RFC 5321 4.5.3.2.6).
    assert names["CELERY_TASK_TIME_LIMIT"] > 900 + 600
    assert names["CELERY_WORKER_MAX_MEMORY_PER_CHILD"] == 256 * 1024
    assert [queue.name for queue in names["CELERY_TASK_QUEUES"]][-2:] == ["eu", "us"]


def test_a_sender_has_no_line_in_our_own_queues() -> None:
    make_sender()

    with pytest.raises(IntegrityError, match="sender_queue_not_our_own"):
        Sender.objects.update(queue="maintenance")
