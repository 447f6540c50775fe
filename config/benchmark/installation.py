"""An installation for the time of a measurement: a state directory, servers, processes, an end."""

import http.client
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.request import urlopen

import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connections as connections_of_django
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from config.benchmark.sink import Tally
from config.celery import app
from config.embedded import Home
from config.embedded.services import Services
from config.processes import (
    LOOPBACK,
    WORKERS,
    Ports,
    commands,
    environment,
)
from config.rig.place import SIGNALS, BenchmarkError, accept_signals, move_out
from config.rig.processes import Process, Processes

PATIENCE_SECONDS = 60
POLL_SECONDS = 0.5
LOG_LINES = 15

_BESIDE = ("relay", "sink", "flower")


class Installation:
    """The servers run; processes are started and ended as the measurement wants it."""

    def __init__(self, services: Services, *, latency: float, connections: int | None) -> None:
        self.directory = services.home.path
        self.tally = Tally(self.directory / "arrived")
        self._ports = Ports(smtp=2525, catcher=2625).free()
        self._next_hop = self._ports.catcher if latency else self._ports.smtp
        options = f"?connections={connections}" if connections else ""
        url = f"smtp://{LOOPBACK}:{self._next_hop}{options}"
        environ = {**os.environ, "EMAIL_URL": url, "TMPDIR": str(self.directory)}
        environ["API_RATE_LIMIT"] = "1000000"  # who measures asks more than one program may
        environ = environment(self.directory, self._ports, environ)
        self._crew = Processes(environ, logs=services.home.logs)
        self.latency = latency
        self.sink = ""
        self._redis = redis.Redis.from_url(settings.REDIS_URL)
        self._servers = {s.server: s.pid for s in services.status() if s.pid}

    @property
    def processes(self) -> Mapping[str, Process]:
        """What runs beside the servers, by name."""
        return self._crew.running

    @property
    def next_hop(self) -> tuple[str, int]:
        return LOOPBACK, self._next_hop

    @property
    def counts(self) -> bool:
        """Whether the sink counts what it takes: ours does, smtp-sink does not."""
        return self.sink != "smtp-sink"

    def redis_memory(self) -> int:
        """Return how many bytes Redis uses at this moment."""
        return int(self._redis.info("memory")["used_memory"])

    def start_next_hop(self) -> None:
        """Start the sink, and in front of it a relay where there is latency."""
        port = str(self._ports.smtp)
        if program := shutil.which("smtp-sink"):
            self.sink = "smtp-sink"
            account = ["-u", "nobody"] if os.geteuid() == 0 else []
            self._crew.start("sink", [program, *account, f"{LOOPBACK}:{port}", "1000"])
        else:
            self.sink = "own sink"
            tally = str(self.directory / "arrived")
            self._crew.start_python("sink", ["-m", "config.benchmark.sink", port, tally])
        self._wait(lambda: _greets(self._ports.smtp), "the sink does not answer", "sink")
        if self.latency:
            ends = [str(self._next_hop), port, str(self.latency)]
            self._crew.start_python("relay", ["-m", "config.benchmark.relay", *ends])
            self._wait(lambda: _greets(self._next_hop), "the relay does not answer", "relay")

    def start_processes(self, *, children: int, with_events: bool = False) -> None:
        """Start the workers and Beat with the commands of `manage.py run`; wait until they work.

        :param with_events: have the worker of campaigns tell of each task, as `-E` does
        """
        started_at = timezone.now()
        wanted = commands(
            self._ports, catcher=False, further_queues=settings.QUEUES, children=children
        )
        wanted["campaigns"] += ["-E"] * with_events
        names = [*WORKERS, "beat"]
        for name in names:
            self._crew.start_python(name, wanted[name])
        self._wait(_workers_answer, "the workers do not answer", *names)
        ticks = PeriodicTask.objects.filter(name="tick", last_run_at__gte=started_at)
        self._wait(ticks.exists, "Beat does not tick", *names)

    def start_web(self) -> int:
        """Start the web process with the command of `manage.py run`; give its port."""
        arguments = commands(self._ports, catcher=False)["web"]
        self._crew.start_python("web", arguments)
        self._wait(lambda: _is_alive(self._ports.web), "the web process does not answer", "web")
        return self._ports.web

    def start_flower(self) -> None:
        """Start Flower with the command of `make flower`; wait until it has a task."""
        port = self._ports.web
        options = f"--address={LOOPBACK} --port={port}"
        self._crew.start_python("flower", f"-m celery -A config flower {options}".split())
        self._wait(lambda: _knows_tasks(port), "Flower is told of nothing", "flower")

    def start_python(self, name: str, arguments: list[str]) -> Process:
        """Start one more process of this Python that is spoken with by its standard input."""
        return self._crew.start_python(name, arguments, talks=True)

    def stop(self, *names: str) -> None:
        """End these processes, the workers and Beat where none is named."""
        self._crew.end(*(names or (*WORKERS, "beat")))

    def kinds(self, **senders: list[int]) -> dict[str, list[int]]:
        """Return the ids of the processes that take part, by what the report calls them."""
        servers = {name: [pid] for name, pid in self._servers.items()}
        hops = {name: self.processes[name].pid for name in _BESIDE if name in self.processes}
        return {**senders, **servers, **{name: [pid] for name, pid in hops.items()}}

    def check_processes(self) -> None:
        """Fail where a process has ended by itself.

        :raises BenchmarkError: with the end of its log
        """
        for name, process in self.processes.items():
            if process.poll() not in {None, 0}:
                raise BenchmarkError(f"{name} has ended by itself:\n{self.log_of(name)}")

    def log_of(self, *names: str) -> str:
        """Return the ends of what these processes said."""
        texts = (self._crew.log(name).read_text(errors="replace") for name in names)
        return "\n".join("\n".join(text.splitlines()[-LOG_LINES:]) for text in texts)

    def _wait(self, condition: Callable[[], bool], otherwise: str, *names: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            self.check_processes()
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{otherwise}:\n{self.log_of(*names)}")
            time.sleep(POLL_SECONDS)


@contextmanager
def servers(*, keep: bool = False) -> Iterator[Services]:
    """Run a PostgreSQL and a Redis, empty but for their tables; nothing is left at the end.

    :param keep: leave the directory and its data where they are
    """
    services = Services(Home(settings.STATE_DIR), {})
    try:
        accept_signals()
        services.up()
        call_command("migrate", interactive=False, verbosity=0)
        yield services
    finally:
        _ignore_signals()
        connections_of_django.close_all()
        move_out(services, keep=keep)


def restart_postgresql(services: Services) -> None:
    """End PostgreSQL and start it again: it remembers nothing then."""
    connections_of_django.close_all()
    services.down(["postgresql"])
    services.up()


@contextmanager
def installation(
    *, latency: float = 0, connections: int | None = None, keep: bool = False
) -> Iterator[Installation]:
    """Run an installation, empty but for its tables; nothing of it is left at the end.

    :param latency: milliseconds that a round trip to the next hop takes
    :param connections: that each process may have to it; None: what is usual
    :param keep: leave the directory and its data where they are
    """
    with servers(keep=keep) as services:
        ours = Installation(services, latency=latency, connections=connections)
        try:
            ours.start_next_hop()
            yield ours
        finally:
            _ignore_signals()
            ours.stop()
            ours.stop(*ours.processes)


def _ignore_signals() -> None:
    for number in SIGNALS:  # once is enough
        signal.signal(number, signal.SIG_IGN)


def _greets(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=5) as probe:
            return probe.recv(3) == b"220"
    except OSError:
        return False


def _is_alive(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _knows_tasks(port: int) -> bool:
    """Whether Flower has been told of a task: its own metrics count what it was told."""
    try:
        with urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=5) as answer:
            return b"flower_events_total{" in answer.read()
    except OSError:
        return False


def _workers_answer() -> bool:
    return len(app.control.ping(timeout=1, limit=len(WORKERS)) or []) == len(WORKERS)
