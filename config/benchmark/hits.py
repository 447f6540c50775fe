"""The question of `benchmark_tracking`: how many opens and clicks a second, and how late."""

import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import redis
from django.conf import settings

from config.benchmark import machine, report, storing, usage
from config.benchmark.installation import servers
from config.embedded.services import Services
from config.processes import LOOPBACK, Ports, commands, environment
from config.rig.place import BenchmarkError
from config.rig.processes import Processes
from tracking.hits import targets
from tracking.hits.stream import FIELD, KEY
from tracking.links import click_url, open_url

PATIENCE_SECONDS = 60
POLL_SECONDS = 0.1
RUN, DELIVERY = 7, 123

_TARGETS = [f"https://shore.example/tide-tables/{n}?utm_source=newsletter" for n in range(6)]
_BARE = "config.benchmark.bare_wsgi:application"
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}
_MICRO = 1e6

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the load generator says, in milliseconds, and what is in the stream afterwards."""

    case: str
    answers: int
    rate: float
    p50: float
    p99: float
    hits: int | None
    """In the stream; None: nothing was to be stored."""
    entries: int
    cpu: Mapping[str, float]
    """Microseconds for each answer, by process."""


def find_wrk() -> str:
    """Return the load generator.

    :raises BenchmarkError: it is not there
    """
    if found := shutil.which("wrk"):
        return found
    raise BenchmarkError(
        "the load comes from wrk, which is not on the PATH: install it (apt install wrk,"
        " brew install wrk, or from https://github.com/wg/wrk)"
    )


def measure(
    *, seconds: int, connections: int, stored: int, keep: bool, say: Say
) -> list[Measured | storing.Measured]:
    """Ask a web process for pixels and links, also while PostgreSQL is down; and store hits.

    :param stored: how many, twice
    :raises BenchmarkError: a hit is missing, a sum is wrong, or an answer was another one
    """
    opened, clicked = _path(open_url(DELIVERY, RUN)), _path(click_url(DELIVERY, RUN)) + "1"
    with servers(keep=keep) as services:
        wrk = [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
        load = f"{' '.join(['wrk', *wrk[1:]])}, for one process with the command of manage.py run"
        for line in report.named({**machine.describe(), "load": load}):
            say(line)
        postgres = [one.pid for one in services.status() if one.pid and one.server != "redis"]
        worked_off = storing.measure(stored, postgres=postgres)
        for line in ("", *storing.table(worked_off), ""):
            say(line)
        targets.store(RUN, _TARGETS)
        found = [
            _case("bare WSGI callable", services, [*wrk], clicked, bare=True),
            _case("pixel", services, [*wrk], opened),
            _case("redirect", services, [*wrk], clicked),
        ]
        services.down(["postgresql"])
        found.append(_case("redirect, no PostgreSQL", services, [*wrk], clicked))
    for line in ("", *report.table([_HEAD, *map(_cells, found)])):
        say(line)
    _check(found, connections)
    return [*found, *worked_off]


def as_dicts(found: list[Measured | storing.Measured]) -> list[dict[str, Any]]:
    return [asdict(each) for each in found]


def _case(
    case: str, services: Services, wrk: list[str], path: str, *, bare: bool = False
) -> Measured:
    with redis.Redis.from_url(settings.REDIS_URL) as client, _web(services, bare=bare) as site:
        url, pid = site
        _wait_for(url + path)
        client.delete(KEY)
        roots = {"web": [pid], "Redis": [client.info("server")["process_id"]]}
        before = usage.cpu_seconds(roots)
        output = subprocess.run([*wrk, url + path], capture_output=True, text=True, check=True)
        used = usage.cpu_seconds(roots)
        entries = client.xrange(KEY)
        answers, rate, p50, p99 = read_wrk(output.stdout)
        return Measured(
            case=case,
            answers=answers,
            rate=rate,
            p50=p50,
            p99=p99,
            hits=None if bare else sum(one[FIELD].count(b"\n") + 1 for _, one in entries),
            entries=len(entries),
            cpu={kind: (used[kind] - before[kind]) / answers * _MICRO for kind in roots},
        )


@contextmanager
def _web(services: Services, *, bare: bool) -> Iterator[tuple[str, int]]:
    """Run the web process; give its address and its id."""
    ports = Ports(web=8600).free()
    environ = environment(services.home.path, ports, os.environ)
    crew = Processes(environ, logs=services.home.logs)
    arguments = commands(ports, catcher=False)["web"]
    try:
        process = crew.start_python("web", [*arguments[:-1], _BARE] if bare else arguments)
        yield f"http://{LOOPBACK}:{ports.web}", process.pid
    finally:
        crew.end("web")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _wait_for(url: str) -> None:
    opener = urllib.request.build_opener(_NoRedirect)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            opener.open(url, timeout=PATIENCE_SECONDS).close()
        except urllib.error.HTTPError as answer:
            if answer.code == 302:
                return
            raise BenchmarkError(f"{url} is answered with {answer.code}") from None
        except OSError:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"nobody answers at {url}") from None
            time.sleep(POLL_SECONDS)
        else:
            return


def read_wrk(output: str) -> tuple[int, float, float, float]:
    """Return answers, answers a second, and median and 99th percentile in milliseconds.

    :raises BenchmarkError: an answer was an error, or did not come
    """
    if failed := re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", output):
        raise BenchmarkError(f"not all requests were answered as they should be: {failed[0]}")
    answers = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec: +([\d.]+)", output)
    times = dict(re.findall(r"^ +(50|99)% +(\S+)$", output, flags=re.MULTILINE))
    if not answers or not rate or len(times) != 2:
        raise BenchmarkError(f"wrk said something else than expected:\n{output}")
    return int(answers[1]), float(rate[1]), _ms(times["50"]), _ms(times["99"])


def _ms(time_of_wrk: str) -> float:
    number, unit = re.findall(r"([\d.]+)([a-z]+)", time_of_wrk)[0]
    return float(number) * _UNITS[unit]


def _path(url: str) -> str:
    return url.removeprefix(settings.SITE_URL)


def _check(found: list[Measured], connections: int) -> None:
    # What is under way when the time is over is stored, and nobody waits for its answer.
    for one in found:
        if one.hits is not None and not 0 <= one.hits - one.answers <= connections:
            raise BenchmarkError(f"{one.case}: {one.answers:,} answers, {one.hits:,} hits")


_HEAD = (
    "",
    "answers/s",
    "p50 ms",
    "p99 ms",
    "CPU, web",
    "CPU, Redis",
    "answers",
    "hits",
    "entries",
)


def _cells(one: Measured) -> tuple[str, ...]:
    return (
        one.case,
        f"{one.rate:,.0f}",
        f"{one.p50:.2f}",
        f"{one.p99:.2f}",
        f"{one.cpu['web']:.0f} µs",
        f"{one.cpu['Redis']:.0f} µs",
        f"{one.answers:,}",
        "" if one.hits is None else f"{one.hits:,}",
        f"{one.entries:,}" if one.entries else "",
    )
