"""What the two servers have in common: found by their command line, started, awaited, ended."""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import psutil

from config.embedded.account import Account
from config.embedded.ending import POLL_SECONDS, all_gone, send
from config.embedded.home import EmbeddedError, Home

START_SECONDS = 60  # recovery after a crash included
STOP_SECONDS = 30
KILL_SECONDS = 10
LOG_BYTES = 10_000_000

# Held to the end of this process: a server outlives the function that started it.
_started: list[subprocess.Popen[bytes]] = []


class Server(ABC):
    name: ClassVar[str]
    title: ClassVar[str]
    programs: ClassVar[frozenset[str]]
    stop_signal: ClassVar[signal.Signals]
    kill_signal: ClassVar[signal.Signals]

    def __init__(self, home: Home) -> None:
        self.home = home
        self._log_start = 0  # where the newest start's part of the log begins

    @property
    @abstractmethod
    def data(self) -> Path: ...

    @property
    @abstractmethod
    def socket(self) -> Path: ...

    @property
    def account(self) -> Account | None:
        """The account to run as, where it is not the caller's."""
        return None

    @abstractmethod
    def answers(self) -> bool:
        """Ask the server something that only a working one can answer."""

    @abstractmethod
    def prepare(self) -> list[str]:
        """Put everything in place for a start, and return the command."""

    def is_passing(self, failure: str) -> bool:
        """Tell from what it logged whether a failed start will succeed when it is tried again."""
        return False

    @property
    def log(self) -> Path:
        return self.home.logs / f"{self.name}.log"

    def processes(self) -> list[psutil.Process]:
        """Find this server's main process by its command line.

        No pid file is asked: after a crash or a reboot its number may be another process's. The
        working directory would tell as well, but a container's root may not read it.
        """
        return [p for p in psutil.process_iter(["cmdline"]) if self._is_ours(p.info["cmdline"])]

    def _is_ours(self, command: list[str] | None) -> bool:
        if not command:
            return False
        return Path(command[0]).name in self.programs and str(self.data) in command[1:]

    def up(self) -> bool:
        """Start the server unless it answers, wait until it does, tell whether it was started."""
        if self.answers():
            return False
        if self.processes() and not self.socket.exists():
            self.down()  # its files were deleted under it: nobody can ever reach it
        starting = bool(self.processes())
        self._wait(None if starting else self._spawn())
        return not starting

    def down(self) -> bool:
        """End the server, tell whether there was one."""
        running = self.processes()
        send(running, self.stop_signal)
        if not all_gone(running, STOP_SECONDS):
            send(running, self.kill_signal)
        if not all_gone(running, KILL_SECONDS):
            raise EmbeddedError(f"{self.title} (pid {running[0].pid}) does not end: see {self.log}")
        return bool(running)

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._shorten_log()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        command = self.prepare()
        with self.log.open("ab") as log:
            process = run_as(self.account, command, output=log.fileno())
        _started.append(process)
        return process

    def _wait(self, process: subprocess.Popen[bytes] | None) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            late = time.monotonic() > deadline
            if process and process.poll() is not None:
                if late or not self.is_passing(self._news()):
                    raise EmbeddedError(
                        f"{self.title} did not start: {self.reason()} (see {self.log})"
                    )
                process = self._spawn()
            elif late:
                raise EmbeddedError(f"{self.title} does not answer: see {self.log}")
            time.sleep(POLL_SECONDS)

    def _shorten_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))

    def _news(self) -> str:
        return self.log.read_bytes()[self._log_start :].decode(errors="replace")

    def reason(self) -> str:
        """Return the line of the log that says why the newest start failed."""
        lines = [line.strip() for line in self._news().splitlines() if line.strip()]
        fatal = [line for line in lines if "fatal" in line.lower()]
        return (fatal or lines[-1:] or ["no reason given"])[0]


def run_as(
    account: Account | None,
    command: list[str],
    *,
    output: int,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a server's program: its own session, a bare environment, no way back to this one's.

    Its session is its own lest Ctrl-C end it. The environment is bare: PostgreSQL reads PG*, and
    what marks the processes of `manage.py run` must not mark a server.
    """
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=output,
        stderr=output,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        cwd="/",  # the account may not enter the current one
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        umask=0o077,
    )
