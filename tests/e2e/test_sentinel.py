"""Redis with a replica and three Sentinels: the master is killed in the midst of a run."""

import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded.redis_server import find_program
from templates_app.redis_servers import connect
from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP, hold
from tracking.models import Delivery
from tracking.verify import disagreements

LOOPBACK = "127.0.0.1"
SENTINEL = """\
sentinel monitor news {host} {port} 2
sentinel down-after-milliseconds news 1000
sentinel failover-timeout news 10000
"""


class Watched:
    """A master with one replica, watched by three Sentinels."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._program, self._running = folder, find_program(), ExitStack()
        self.ports = _free_ports(5)
        self.master, self.replica = self.ports[:2]
        hosts = (f"sentinel://{LOOPBACK}:{port}" for port in self.ports[2:])
        self.url = ";".join(hosts) + "/0?master=news"

    def __enter__(self) -> "Watched":
        self._dying = self._start(self.master)
        self._start(self.replica, "--replicaof", LOOPBACK, str(self.master))
        for port in self.ports[2:]:
            file = self._folder / f"{port}.conf"
            file.write_text(SENTINEL.format(host=LOOPBACK, port=self.master))
            self._start(port, "--sentinel", file=file)
        for port in self.ports[2:]:
            wait_until(partial(_is_ready, port), "a Sentinel knows the others")
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def kill_the_master(self) -> None:
        self._dying.send_signal(signal.SIGKILL)
        self._dying.wait()

    def _start(
        self, port: int, *options: str, file: Path | None = None
    ) -> "subprocess.Popen[bytes]":
        command = [self._program, *([str(file)] if file else []), "--port", str(port)]
        command += ["--bind", LOOPBACK, "--dir", str(self._folder), "--save", "", *options]
        output = self._running.enter_context((self._folder / f"{port}.log").open("wb"))
        process = subprocess.Popen(command, stdout=output, stderr=output)
        self._running.callback(process.wait)
        self._running.callback(process.kill)
        wait_until(lambda: _answers(port), "the server answers")
        return process


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        found = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in found]


def _client(port: int) -> redis.Redis:
    return redis.Redis(LOOPBACK, port, socket_timeout=5, retry=Retry(NoBackoff(), 0))


def _answers(port: int) -> bool:
    with _client(port) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def _is_ready(port: int) -> bool:
    with _client(port) as client:
        found = client.sentinel_masters()["news"]
    return (found["num-slaves"], found["num-other-sentinels"]) == (1, 2)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with Watched(folder) as servers:
        yield servers


def test_a_run_goes_on_by_itself_when_sentinels_make_the_replica_the_master(
    installation: Installation, smtp: ScriptedSMTP, watched: Watched
) -> None:
    go_on = threading.Event()
    servers = {"REDIS_URL": watched.url, "REDISPATCH_SECONDS": "1", "SWEEP_SECONDS": "1"}
    with installation(**servers) as live, connect(watched.url) as client:
        campaign, addresses = send_now(200)
        smtp.script(hold("dot", go_on), recipient=addresses[20])
        live.worker()
        live.beat()
        wait_until(lambda: smtp.messages_to(addresses[20]), "its content has come")
        before = client.connection_pool.get_master_address()

        watched.kill_the_master()
        go_on.set()
        run = wait_for_end(campaign)
        after = client.connection_pool.get_master_address()

    assert (before[1], after[1]) == (watched.master, watched.replica)
    assert Counter(message.recipient for message in smtp.messages) == Counter(addresses)
    assert run.status == "completed"
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
    assert disagreements([run.pk], kept_since=None) == []
