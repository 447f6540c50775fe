"""The processes of one machine, kept by honcho: web, workers, beat, and the mail catcher."""

import fcntl
import multiprocessing
import os
import shlex
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import honcho.manager
import honcho.printer
import psutil

from config.embedded.ending import all_gone, send
from config.env import is_given

# Carried by each process that `manage.py run` starts; its value is the state directory.
MARK = "GODWIT_SUPERVISED"
STOP_SECONDS = 50  # what a worker gets to finish its chunk
PORTS_TRIED = 100
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Worker:
    queues: tuple[str, ...]
    """What it serves, the first before the next."""
    children: int


# What is urgent waits for no campaign, ticks for nothing that is long, and nobody for a file.
WORKERS = {
    "transactional": Worker(("transactional",), 2),
    "campaigns": Worker(("campaigns",), 2),
    "maintenance": Worker(("control", "maintenance", "tracking"), 2),
    # Calls of webhooks are made by one of its children at a time, so that two merge a file.
    "imports": Worker(("webhooks", "imports"), 3),
}


class RunError(Exception):
    """The processes cannot run, or not go on; one line for the person at the terminal."""


@dataclass(frozen=True)
class Ports:
    web: int = 8000
    smtp: int = 1025
    catcher: int = 8025

    def free(self) -> "Ports":
        """Return these ports, in place of each busy one the next that is free.

        :raises RunError: a hundred ports in a row are busy
        """
        return Ports(_free_port(self.web), _free_port(self.smtp), _free_port(self.catcher))


def commands(
    ports: Ports,
    *,
    catcher: bool,
    further_queues: Sequence[str] = (),
    children: int = WORKERS["campaigns"].children,
) -> dict[str, list[str]]:
    """Return each process's arguments for this Python, by its name in the output.

    The worker of campaigns serves the further queues of the installation as well.

    :param children: of the worker of campaigns
    """
    queues = (*WORKERS["campaigns"].queues, *further_queues)
    workers = WORKERS | {"campaigns": Worker(queues, children)}
    processes = {
        "web": _words(
            f"-m granian --interface wsgi --host {LOOPBACK} --port {ports.web}",
            "--log-level warning --blocking-threads 4",
            # Stopped while it starts, it would wait for a child that has missed the signal.
            "--workers-kill-timeout 3 config.wsgi:application",
        ),
        **{name: _arguments(name, worker) for name, worker in workers.items()},
        "beat": _words("-m celery --quiet -A config beat --loglevel WARNING"),
    }
    if catcher:
        options = f"--smtp-port {ports.smtp} --http-port {ports.catcher}"
        processes["catcher"] = _words("manage.py mail_catcher", options)
    return processes


def _arguments(name: str, worker: Worker) -> list[str]:
    return _words(
        "-m celery --quiet -A config worker --loglevel WARNING --pool prefork",
        f"-n {name}@%h -Q {','.join(worker.queues)} -c {worker.children}",
        # Flower is told of no task by a worker without gossip and heartbeat: it has no dispatcher.
        "--without-gossip --without-mingle",
    )


def _words(*parts: str) -> list[str]:
    return " ".join(parts).split()


def environment(state_dir: Path, ports: Ports, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of all processes: what the caller has set goes before ours."""
    ours = {
        "EMAIL_URL": f"smtp://{LOOPBACK}:{ports.smtp}",
        "SITE_URL": f"http://localhost:{ports.web}",
    }
    given = {name: value for name, value in environ.items() if value.strip()}
    ours = {name: value for name, value in ours.items() if not is_given(environ, name)}
    return {**ours, **given, MARK: str(state_dir), "PYTHONUNBUFFERED": "1"}


class Supervisor(honcho.manager.Manager):  # type: ignore[misc]
    """Honcho's manager: starts the processes, shows their output, ends all when one ends."""

    def __init__(self, directory: Path, env: dict[str, str], *, output: TextIO) -> None:
        # Helpers of honcho's that are copies of this process would not carry the mark, which is
        # read from the environment that a program was started with.
        multiprocessing.set_start_method("forkserver", force=True)
        honcho.manager.KILL_WAIT = STOP_SECONDS
        os.environ[MARK] = env[MARK]
        super().__init__(honcho.printer.Printer(output))
        self._procmgr = _Signals()
        self._directory = directory
        self._env = env
        self.stop_asked = False

    def add(self, name: str, arguments: list[str]) -> None:
        # `exec`, or it would be a shell that gets the signal.
        command = "exec " + shlex.join([sys.executable, *arguments])
        self.add_process(name, command, env=self._env, cwd=str(self._directory))

    def terminate(self) -> None:
        # Asked before every process has told its pid, honcho's own would fail: the loop asks
        # again when all have.
        self.stop_asked = True
        if self._all_started():
            super().terminate()

    def _system_print(self, data: str) -> None:
        # A signal's handler says something, too, maybe in the midst of a line that is printed: the
        # loop prints it after that one.
        name = honcho.manager.SYSTEM_PRINTER_NAME
        line = honcho.printer.Message("line", data, self._clock.now(), name, None)
        self.events.put(line)

    def _any_stopped(self) -> bool:
        return self.stop_asked or super()._any_stopped()

    def _start(self) -> None:
        # Ctrl-C reaches the helpers, too; ended by it, they could not tell that their process has.
        # Blocked, it waits here until all are started, and stays blocked in them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        super()._start()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Signals:
    """How processes are ended: the main process first, the whole group when it does not obey.

    Honcho asks the group at once; a worker's children would drop the messages in their hands.
    """

    def terminate(self, pid: int) -> None:
        _send(os.kill, pid, signal.SIGTERM)

    def kill(self, pid: int) -> None:
        _send(os.killpg, pid, signal.SIGKILL)


def _send(kill: Callable[[int, int], None], pid: int, number: signal.Signals) -> None:
    try:
        kill(pid, number)
    except ProcessLookupError:
        return


@contextmanager
def only_supervisor(state_dir: Path) -> Iterator[None]:
    """Hold the place of the one supervisor of a state directory.

    :raises RunError: it is taken
    """
    with (state_dir / "run.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise RunError(f"already running (pid {file.read().strip()})") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def end_leftovers(state_dir: Path) -> int:
    """End what a supervisor of this state directory left when it was killed; return how many.

    Found by the mark in their environment and their user, never by name: nobody else's process
    carries both.
    """
    count = 0
    while found := _leftovers(str(state_dir)):  # one of them may just start another
        leaders = [process for process in found if _leads_session(process)]
        send(leaders, signal.SIGTERM)
        all_gone(leaders, STOP_SECONDS)
        send(found, signal.SIGKILL)
        if not all_gone(found, STOP_SECONDS):
            raise RunError("a process of an earlier run does not end")
        count += len(found)
    return count


def _leftovers(mark: str) -> list[psutil.Process]:
    processes = psutil.process_iter(["environ", "uids", "cmdline"])
    return [
        process
        for process in processes
        if process.pid != os.getpid()
        and (process.info["environ"] or {}).get(MARK) == mark
        and process.info["uids"].real == os.getuid()
        and not _cleans_up(process)
    ]


def _cleans_up(process: psutil.Process) -> bool:
    # Python's own: it deletes what honcho's helpers have in shared memory when all have ended.
    return any("multiprocessing.resource_tracker" in word for word in process.info["cmdline"] or ())


def _leads_session(process: psutil.Process) -> bool:
    # Honcho gives each of its processes a session; their children are for them to end.
    try:
        return os.getsid(process.pid) == int(process.pid)
    except ProcessLookupError:
        return False


def _free_port(wanted: int) -> int:
    if wanted < 1:
        raise RunError(f"{wanted} is no port: write a number from 1 to 65535")
    for port in range(wanted, min(wanted + PORTS_TRIED, 65_536)):
        with socket.socket() as probe:
            # As servers do: the remains of closed connections do not make a port busy.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise RunError(f"no free port from {wanted} on")
