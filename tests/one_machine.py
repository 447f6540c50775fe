"""`manage.py run` as a person starts it, with servers of its own."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from django.conf import settings

from config.embedded import Home
from config.embedded.services import Services
from config.processes import end_leftovers

SECONDS = 180  # far above what anything here takes


@contextmanager
def own_services() -> Iterator[Services]:
    """Give a state directory to the runs of a test; nothing of them is left after it."""
    directory = Path(tempfile.mkdtemp(prefix="godwit-run-"))
    directory.chmod(0o711)  # root's PostgreSQL runs as another account, which has to pass
    services = Services(Home(directory), {})
    try:
        yield services
    finally:
        Run.kill_all()
        end_leftovers(directory)
        services.destroy()


class Run:
    """A `manage.py run` and what it has printed so far."""

    started: ClassVar[list["Run"]] = []

    @classmethod
    def kill_all(cls) -> None:
        """Leave none behind a test that has failed."""
        while cls.started:
            process = cls.started.pop().process
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def __init__(
        self, services: Services, *arguments: str, pipe_to: str = "", **environ: str
    ) -> None:
        self.output = services.home.path / f"output-{time.monotonic_ns()}"
        own = ("EMAIL_URL", "SITE_URL", "DATABASE_URL", "REDIS_URL")
        inherited = {key: value for key, value in os.environ.items() if key not in own}
        command = shlex.join([sys.executable, "manage.py", "run", *arguments])
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", f"{command} | {pipe_to}" if pipe_to else f"exec {command}"],
                cwd=settings.BASE_DIR,
                env={
                    **inherited,
                    "GODWIT_STATE_DIR": str(services.home.path),
                    # A supervisor that is killed leaves multiprocessing's directory in there.
                    "TMPDIR": str(services.home.path),
                    **environ,
                },
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(self)

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_until_up(self) -> "Run":
        wait_until(lambda: "Ctrl-C" in self.text or self.process.poll() is not None)
        assert "Godwit is up." in self.text, self.text
        return self

    def find(self, pattern: str) -> str:
        found = re.search(pattern, self.text)
        assert found, self.text
        return found[1]

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
