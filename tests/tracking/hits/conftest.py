import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded import Home
from config.embedded.redis_server import Redis
from config.embedded.services import Services


class MortalRedis:
    """A Redis of one's own, to which anything may happen."""

    def __init__(self, home: Home) -> None:
        self._services = Services(home, {"DATABASE_URL": "elsewhere"})
        self._server = Redis(home)
        self.url = f"unix://{home.redis_socket}?db=0"
        self.client = redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 1))

    def up(self) -> None:
        self._services.up()

    def down(self) -> None:
        self._services.down()

    def kill(self) -> None:
        # A sync of its file that takes long holds back what follows for up to two seconds, and what
        # the tests before have left would come back.
        self.client.config_set("appendfsync", "always")
        for process in self._server.processes():
            process.kill()
            process.wait()

    def hang(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._server.processes():
            os.kill(process.pid, number)

    def destroy(self) -> None:
        self.client.close()
        self._services.destroy()


@pytest.fixture(scope="module")
def its_redis() -> Iterator[MortalRedis]:
    """A Redis for the tests of a module, up at its beginning."""
    # Short: a socket's path has some hundred characters.
    directory = Path(tempfile.mkdtemp(prefix="godwit-hits-"))
    server = MortalRedis(Home(directory.resolve()))
    try:
        server.up()
        yield server
    finally:
        server.go_on()
        server.destroy()
        shutil.rmtree(directory, ignore_errors=True)
