"""The web process as it runs: the command of `manage.py run`, its own Redis, no PostgreSQL."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
import redis
from django.conf import settings

from config.processes import Ports, commands
from tests.live import TIMEOUT, wait_until
from tests.tracking.hits.conftest import MortalRedis
from tracking.hits.stream import Arrival, Stream
from tracking.hits.targets import store
from tracking.links import click_url, open_url
from tracking.registry import PERSONAL

pytestmark = pytest.mark.xdist_group("hits")  # one web process serves most of them

RUN = 7
TARGET = "https://example.org/a?x=1&y=2"
NOWHERE = "postgres://godwit@127.0.0.1:1/godwit"


def path_of(url: str) -> str:
    return url.removeprefix(settings.SITE_URL)


def click(delivery: int) -> str:
    return path_of(click_url(delivery, RUN)) + "0"


def free_port() -> int:
    """Return a port that nobody else is about to take: several servers may share one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Web:
    """A web process, and what may be done to it."""

    def __init__(self, its_redis: MortalRedis, log: Path) -> None:
        ports = Ports(web=free_port())
        self.port = ports.web
        environ = {**os.environ, "REDIS_URL": its_redis.url, "DATABASE_URL": NOWHERE}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *commands(ports, catcher=False)["web"]],
                cwd=settings.BASE_DIR,
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._answers, "the web process answers")

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.ask("/healthz") == 200
        return False

    def ask(self, path: str, method: str = "GET") -> int:
        return self.answer(path, method)[0]

    def answer(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)) as client:
            client.request(method, path, headers={"User-Agent": "caf\xe9\t(X11)"})
            answer = client.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read()

    def say(self, request: bytes) -> bytes:
        """Send bytes as they are; return the first line of what comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT) as client:
            client.sendall(request)
            return client.recv(65_536).split(b"\r\n")[0]

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(TIMEOUT)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(TIMEOUT)


@pytest.fixture(scope="module")
def start(
    its_redis: MortalRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Web]]:
    started: list[Web] = []

    def web() -> Web:
        started.append(Web(its_redis, tmp_path_factory.mktemp("web") / "log"))
        return started[-1]

    yield web
    for one in started:
        if one.process.poll() is None:
            one.stop()


@pytest.fixture(scope="module")
def running(start: Callable[[], Web]) -> Web:
    return start()


@pytest.fixture
def stored(its_redis: MortalRedis) -> redis.Redis:
    its_redis.up()
    its_redis.client.flushall()
    store(RUN, [TARGET, PERSONAL], client=its_redis.client)
    return its_redis.client


def hits(client: redis.Redis) -> list[Arrival]:
    entries = Stream(client).read(consumer="test", most=10_000, claim_after_ms=0)
    return [hit for entry in entries for hit in entry.hits.values()]


def test_what_a_browser_sees_of_pixel_link_and_page(running: Web, stored: redis.Redis) -> None:
    pixel = running.answer(path_of(open_url(1, RUN)))
    link = running.answer(click(2))
    head = running.answer(click(3), "HEAD")
    unknown = running.answer("/c/forged/1")
    page = running.answer("/healthz")

    assert (pixel[0], pixel[1]["content-type"], len(pixel[2])) == (200, "image/gif", 43)
    assert (link[0], link[1]["location"], link[2]) == (302, TARGET, b"")
    assert (head[0], head[1]["location"], head[2]) == (302, TARGET, b"")
    assert not {"set-cookie", "x-frame-options"} & {*pixel[1], *link[1]}
    assert (unknown[0], b"<h1>" in unknown[2]) == (404, True)
    assert (page[0], page[1]["x-frame-options"], page[2]) == (200, "DENY", b"ok\n")
    assert [(hit.delivery_id, hit.is_head) for hit in hits(stored)] == [
        (1, False),
        (2, False),
        (3, True),
    ]


@pytest.mark.parametrize(
    "target",
    [
        b"/c/%00/%ff",
        b"/c/%E2%80%AE/1",
        b"/o/" + b"%" * 50,
        b"/c/" + b"a" * 8_000 + b"/1",
        b"//evil.example/c/x/1",
        b"/c/x/1?" + b"u=http://evil.example/&" * 100,
        b"/c//https://evil.example/",
        b"http://evil.example/c/x/1",
    ],
)
def test_no_request_is_an_error_of_ours(running: Web, stored: redis.Redis, target: bytes) -> None:
    headers = b"Host: \xff\r\nUser-Agent: \x01\xff\xfe\r\nCookie: \xe9=;;\r\nX-Forwarded-For: \xff"

    line = running.say(b"GET " + target + b" HTTP/1.1\r\n" + headers + b"\r\n\r\n")

    # 400 is the server's own, of what is no HTTP.
    assert line.split(b" ")[1] in {b"200", b"400", b"404", b"414", b"431"}
    assert hits(stored) == []


def test_each_answer_on_sixteen_connections_is_a_hit_in_the_stream(
    running: Web, stored: redis.Redis
) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(running.ask, map(click, range(1, 401))))

    assert answers == [302] * 400
    assert sorted(hit.delivery_id for hit in hits(stored)) == list(range(1, 401))


def test_links_lead_on_while_redis_is_down_and_the_hits_come_later(
    running: Web, stored: redis.Redis, its_redis: MortalRedis
) -> None:
    running.ask(click(1))
    its_redis.kill()

    answers = [running.ask(click(number)) for number in (2, 3)]
    its_redis.up()

    assert answers == [302, 302]
    wait_until(lambda: Stream(stored).length() >= 2, "the hits are written")
    assert sorted({hit.delivery_id for hit in hits(stored)} - {1}) == [2, 3]


@pytest.mark.parametrize(("run", "number"), [(RUN + 1, 0), (RUN, 1)], ids=["unknown", "personal"])
def test_a_link_for_which_the_database_is_needed_while_it_is_down_is_for_later(
    running: Web, stored: redis.Redis, run: int, number: int
) -> None:
    status, headers, page = running.answer(path_of(click_url(1, run)) + str(number))

    assert (status, headers["retry-after"]) == (503, "30")
    assert b"Follow it again in a minute" in page


def test_a_hit_survives_the_process_that_answered_it(
    start: Callable[[], Web], stored: redis.Redis
) -> None:
    web = start()

    status = web.ask(click(9))
    web.kill()

    assert status == 302
    assert [hit.delivery_id for hit in hits(stored)] == [9]


def test_a_process_that_is_stopped_tries_once_more_to_write_what_waits(
    start: Callable[[], Web], stored: redis.Redis, its_redis: MortalRedis
) -> None:
    web = start()
    web.ask(click(1))
    its_redis.hang()
    web.ask(click(2))

    web.process.terminate()
    its_redis.go_on()
    web.process.wait(TIMEOUT)

    assert {hit.delivery_id for hit in hits(stored)} == {1, 2}
