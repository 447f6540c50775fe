"""A worker whose Redis stands still and goes on: it takes messages again."""

import logging
import signal
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
import redis
from kombu import Connection

from config.celery import app

QUEUE = "standstill"


@pytest.fixture
def channel(broker: redis.Redis) -> Iterator[Any]:
    """A channel that may have one message at a time, and waits a moment for Redis."""
    options = {**app.conf.broker_transport_options, "socket_timeout": 0.2}
    with Connection(app.conf.broker_url, transport_options=options) as connection:
        channel: Any = connection.channel()
        channel.basic_qos(0, 1, False)
        queue = connection.SimpleQueue(QUEUE)
        queue.put("one")
        queue.put("two")
        queue.close()
        yield channel


@pytest.fixture
def stand_still(redis_process: psutil.Process) -> Iterator[Callable[[], None]]:
    yield lambda: redis_process.send_signal(signal.SIGSTOP)
    redis_process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("done", ["ack", "reject", "requeue"])
def test_what_redis_could_not_be_told_of_holds_no_place(
    channel: Any, stand_still: Callable[[], None], done: str
) -> None:
    message = channel.basic_get(QUEUE)
    assert not channel.qos.can_consume()

    stand_still()
    if done == "ack":
        message.ack_log_error(logging.getLogger(), channel.connection_errors)
    else:
        message.reject_log_error(
            logging.getLogger(), channel.connection_errors, requeue=done == "requeue"
        )

    assert channel.qos.can_consume()
