"""Outgoing webhooks, whatever dies between what happens and the program that is to know of it."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
import redis
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.campaigns.webhooks.steps import id_of, make_call, make_endpoint
from tests.e2e.steps import Installation
from tests.http_server import Answer, Request, ScriptedHTTP
from tests.live import wait_until
from tracking.models import Call


@pytest.fixture
def never() -> Iterator[threading.Event]:
    held = threading.Event()
    yield held
    held.set()


def test_a_call_comes_again_with_its_id_though_its_worker_was_killed_and_redis_emptied(
    installation: Installation, broker: redis.Redis, never: threading.Event, settings: Settings
) -> None:
    settings.WEBHOOK_NETWORKS = ("127.0.0.0/8",)
    came: list[str] = []

    def answer(request: Request) -> Answer:
        came.append(id_of(request))
        return Answer(hold=never) if came == [first.webhook_id] else Answer()

    with (
        ScriptedHTTP(Answer(), choose=answer) as receiver,
        installation(WEBHOOK_NETWORKS="127.0.0.0/8") as live,
    ):
        endpoint = make_endpoint(receiver.url)
        first, *others = [make_call(endpoint, lane=1, at=timezone.now()) for _ in range(3)]
        doomed = live.worker(queues="webhooks", with_beat=True)
        wait_until(lambda: came, "the first call has come")

        live.kill(doomed)
        broker.flushall()
        Call.objects.update(leased_until=None)  # as when its time is over
        live.worker(queues="webhooks", with_beat=True)
        wait_until(lambda: not Call.objects.waiting().exists(), "all calls are taken")

    assert Counter(came) == {first.webhook_id: 2, **{one.webhook_id: 1 for one in others}}
    assert came[2:] == [one.webhook_id for one in others]
