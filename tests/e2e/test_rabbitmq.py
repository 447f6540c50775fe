"""RabbitMQ as the broker: the same code, another BROKER_URL."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from kombu import Connection

from campaigns.models import Campaign, Page
from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP, defer
from tracking.models import Delivery
from tracking.verify import disagreements

URL = os.environ.get("TEST_RABBITMQ_URL", "")

pytestmark = pytest.mark.skipif(
    not URL,
    reason="no RabbitMQ: install rabbitmq-server (Debian), or start the image rabbitmq:3, and set"
    " TEST_RABBITMQ_URL=amqp://guest:guest@127.0.0.1:5672/; the queues in it are deleted",
)


@pytest.fixture
def rabbitmq() -> Iterator[str]:
    """The URL of a RabbitMQ that has none of our queues before and after."""
    _delete_queues()
    yield URL
    _delete_queues()


def _delete_queues() -> None:
    with Connection(URL) as connection:
        for queue in settings.CELERY_TASK_QUEUES:
            queue.bind(connection.default_channel).delete()


def test_a_run_completes_with_rabbitmq_as_the_broker(
    installation: Installation, smtp: ScriptedSMTP, broker: redis.Redis, rabbitmq: str
) -> None:
    with installation(BROKER_URL=rabbitmq, SWEEP_SECONDS="1", RETRY_SCHEDULE="1") as live:
        campaign, addresses = send_now(1_000)
        smtp.script(defer(), recipient=addresses[500])
        live.worker(queues="transactional,campaigns")
        live.worker(queues="transactional,campaigns")
        live.worker(queues="control,maintenance")
        live.beat()
        run = wait_for_end(campaign)
        # Its body is the last message of the page's chord.
        wait_until(lambda: not Page.objects.exclude(state="closed").exists(), "the page is closed")

    # What is our own is there; no message between processes.
    assert [key for key in broker.scan_iter() if not key.startswith(b"godwit:")] == []
    assert Counter(message.recipient for message in smtp.messages) == Counter(addresses)
    assert run.status == "completed"
    assert Campaign.objects.get().status == "finished"
    assert Counter(Delivery.objects.values_list("state", flat=True)) == {"sent": 1_000}
    assert Delivery.objects.filter(attempts=2).count() == 1
    assert disagreements([run.pk], kept_since=None) == []
