"""An installation for the time of a measurement: a state directory, servers, processes, an end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connections as connections_of_django
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from config.benchmark.place import SIGNALS, BenchmarkError, accept_signals, move_out
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

PATIENCE_SECONDS = 60
POLL_SECONDS = 0.5
LOG_LINES = 15

_HOPS = ("relay", "sink")


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
        self.environ = environment(self.directory, self._ports, environ)
        self.latency = latency
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.sink = ""
        self._redis = redis.Redis.from_url(settings.REDIS_URL)
        self._servers = {s.server: s.pid for s in services.status() if s.pid}

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
            self._start("sink", [program, *account, f"{LOOPBACK}:{port}", "1000"])
        else:
            self.sink = "own sink"
            tally = str(self.directory / "arrived")
            self._start_python("sink", ["-m", "config.benchmark.sink", port, tally])
        self._wait(lambda: _greets(self._ports.smtp), "the sink does not answer", "sink")
        if self.latency:
            ends = [str(self._next_hop), port, str(self.latency)]
            self._start_python("relay", ["-m", "config.benchmark.relay", *ends])
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
            self._start_python(name, wanted[name])
        self._wait(_workers_answer, "the workers do not answer", *names)
        ticks = PeriodicTask.objects.filter(name="tick", last_run_at__gte=started_at)
        self._wait(ticks.exists, "Beat does not tick", *names)

    def start_python(self, name: str, arguments: list[str]) -> "subprocess.Popen[bytes]":
        """Start one more process of this Python that is spoken with by its standard input."""
        return self._start_python(name, arguments, talks=True)

    def stop(self, *names: str) -> None:
        """End these processes, the workers and Beat where none is named."""
        running = [self.processes.pop(name) for name in names or (*WORKERS, "beat")
                   if name in self.processes]  # fmt: skip
        for process in running:
            process.terminate()
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_SECONDS)
                continue
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def kinds(self, **senders: list[int]) -> dict[str, list[int]]:
        """Return the ids of the processes that take part, by what the report calls them."""
        servers = {name: [pid] for name, pid in self._servers.items()}
        hops = {name: self.processes[name].pid for name in _HOPS if name in self.processes}
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
        texts = (self._log(name).read_text(errors="replace") for name in names)
        return "\n".join("\n".join(text.splitlines()[-LOG_LINES:]) for text in texts)

    def _start_python(
        self, name: str, arguments: list[str], *, talks: bool = False
    ) -> "subprocess.Popen[bytes]":
        return self._start(name, [sys.executable, *arguments], talks=talks)

    def _start(
        self, name: str, command: list[str], *, talks: bool = False
    ) -> "subprocess.Popen[bytes]":
        with self._log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=settings.BASE_DIR,
                env=self.environ,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the command, which then ends them all
            )
        return self.processes[name]

    def _wait(self, condition: Callable[[], bool], otherwise: str, *names: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            self.check_processes()
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{otherwise}:\n{self.log_of(*names)}")
            time.sleep(POLL_SECONDS)

    def _log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"


@contextmanager
def installation(
    *, latency: float = 0, connections: int | None = None, keep: bool = False
) -> Iterator[Installation]:
    """Run an installation, empty but for its tables; nothing of it is left at the end.

    :param latency: milliseconds that a round trip to the next hop takes
    :param connections: that each process may have to it; None: what is usual
    :param keep: leave the directory and its data where they are
    """
    services = Services(Home(settings.STATE_DIR), {})
    ours: Installation | None = None
    try:
        accept_signals()
        services.up()
        call_command("migrate", interactive=False, verbosity=0)
        ours = Installation(services, latency=latency, connections=connections)
        ours.start_next_hop()
        yield ours
    finally:
        for number in SIGNALS:  # once is enough
            signal.signal(number, signal.SIG_IGN)
        if ours:
            ours.stop()
            ours.stop(*ours.processes)
        connections_of_django.close_all()
        move_out(services, keep=keep)


def _greets(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=5) as probe:
            return probe.recv(3) == b"220"
    except OSError:
        return False


def _workers_answer() -> bool:
    return len(app.control.ping(timeout=1, limit=len(WORKERS)) or []) == len(WORKERS)
