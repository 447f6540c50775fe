"""A living installation for end-to-end tests: real workers, real beat, the tests' servers."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent
CELERY = [sys.executable, "-m", "celery", "-A", "config"]
QUIET = ["--without-gossip", "--without-mingle"]
ALL = """
import json, sys
from manage import main
for command in json.loads(sys.argv[1]):
    sys.argv = ["manage.py", *command]
    main()
"""
TIMEOUT = 180.0  # seconds: far above what anything here takes on a slow and busy machine

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, *, timeout: float = TIMEOUT) -> T:
    """Return the condition's first true value; fail, naming `what`, where it stays false."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout:.0f} s: {what}")


@dataclass
class Live:
    """Processes of an installation, and its command line. All that was started is ended."""

    environ: dict[str, str]
    logs: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def worker(
        self, *, queues: str = "", include: str = "", with_beat: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a worker, of all queues unless some are named.

        :param include: a module that it loads beside the product's
        :param with_beat: have a child of it be Beat, which starts in no time: where a test asks
            for a tick, and not what becomes of Beat
        """
        name = f"w{len(self.processes)}@test"
        options = ["worker", "-n", name, "-c", "1", "-l", "INFO", *QUIET]
        options += ["-Q", queues] if queues else []
        options += ["-B"] * with_beat
        return self._start([*options, *(["-I", include] if include else [])])

    def beat(self) -> subprocess.Popen[bytes]:
        return self._start(["beat", "-l", "INFO", "--pidfile="])

    def wait_until_ready(self) -> None:
        """Wait until every worker takes messages and every beat ticks."""
        for log in self._logs():
            wait_until(partial(_says_ready, log), f"{log.name} is ready")

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._run("manage.py", *arguments, check=check)

    def manage_all(self, *commands: Sequence[str]) -> None:
        """Run commands in one process, of which the start takes longer than most of them do."""
        self._run("-c", ALL, json.dumps(commands), check=True)

    def _run(self, *arguments: str, check: bool) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def status(self, campaign: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(
            self.manage("campaign_status", campaign, "--json").stdout
        )
        return answer

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """kill -9 a process and its children, all at once."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(TIMEOUT)

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill(process)

    def output(self) -> str:
        """Return the end of what each process said."""
        return "\n".join(f"--- {log.name}\n{log.read_text()[-9_000:]}" for log in self._logs())

    def _logs(self) -> list[Path]:
        return sorted(self.logs.glob("*.log"))

    def _start(self, options: list[str]) -> subprocess.Popen[bytes]:
        log = self.logs / f"{len(self.processes)}-{options[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*CELERY, *options],
                cwd=ROOT,
                # A worker that is killed leaves billiard's directory in there.
                env={**self.environ, "TMPDIR": str(self.logs)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process


def _says_ready(log: Path) -> bool:
    text = log.read_text()
    return " ready." in text or "due task tick" in text


@contextmanager
def running(*, email_url: str, logs: Path, **environ: str) -> Iterator[Live]:
    """Run an installation on the database of the test that asks; its broker starts empty."""
    live = Live({**os.environ, **_servers(), "EMAIL_URL": email_url, **environ}, logs)
    with kept(live):
        yield live


@contextmanager
def kept(live: Live) -> Iterator[Live]:
    """End the processes at the end, and print what they said where the test failed."""
    try:
        yield live
    except BaseException:
        print(live.output())
        raise
    finally:
        live.stop()


def _servers() -> dict[str, str]:
    database = settings.DATABASES["default"]
    user, password = database["USER"], database.get("PASSWORD", "")
    host, port = database["HOST"], database["PORT"] or 5432
    return {
        "DATABASE_URL": f"postgres://{user}:{password}@/{database['NAME']}?host={host}&port={port}",
        "REDIS_URL": settings.REDIS_URL,
    }
