"""A consumer that is killed, kill -9, whenever a hit could get lost or be doubled."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from recipients import locks
from tests.live import ROOT, TIMEOUT, _servers, wait_until
from tests.tracking.arrivals import arrival, delivery_to, make_measured_run
from tracking.consuming import Stored, consume
from tracking.hits.stream import Entry, Stream
from tracking.models import Hit, RunTally

# It dies of kill -9 when it has committed, before what it read is taken out of the stream.
CONSUMER = """
import os, signal, django
django.setup()
from django.utils import timezone
from tests.tracking.test_consumer_killed import Impatient, connected
from tracking.consuming import consume

class Killed(Impatient):
    def settle(self, entries):
        os.kill(os.getpid(), signal.SIGKILL)

consume(Killed(connected()), clock=timezone.now, seconds=30)
"""


class Impatient(Stream):
    """Claims at once what another consumer has read: that one is dead."""

    def read(self, **options: Any) -> list[Entry]:
        return super().read(**options | {"claim_after_ms": 0})


def connected() -> redis.Redis:
    client: redis.Redis = redis.Redis.from_url(settings.REDIS_URL)
    return client


@contextmanager
def consumer() -> Iterator[subprocess.Popen[bytes]]:
    """Run a consumer; it is killed at the end at the latest."""
    environ = {**os.environ, **_servers(), "DJANGO_SETTINGS_MODULE": "config.settings"}
    process = subprocess.Popen([sys.executable, "-c", CONSUMER], cwd=ROOT, env=environ)
    try:
        yield process
    finally:
        process.kill()
        process.wait(TIMEOUT)


def is_about_to_write() -> bool:
    """Whether the consumer is in its transaction, and waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON oid = database"
            " WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted)"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_what_killed_consumers_had_read_and_written_is_counted_once(broker: redis.Redis) -> None:
    run = make_measured_run("ada")
    ada = delivery_to("ada", run)
    stream = Impatient(connected())
    stream.write([arrival(run, ada), arrival(run, ada, 1)])

    with transaction.atomic():
        locks.erase_addresses()
        with consumer():
            wait_until(is_about_to_write, "a consumer is about to write")
    before_commit = (Hit.objects.count(), stream.length())
    with consumer() as killed:
        killed.wait(TIMEOUT)
    after_commit = (Hit.objects.count(), stream.length())
    last = consume(stream, clock=timezone.now, seconds=TIMEOUT)

    assert killed.returncode == -signal.SIGKILL
    assert (before_commit, after_commit, stream.length()) == ((0, 1), (2, 1), 0)
    assert last == Stored(read=2, new=0)
    assert RunTally.objects.values_list("opens_total", "clicks_total").get() == (1, 1)
