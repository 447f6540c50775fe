"""Processes of an installation, each with a log of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from django.conf import settings

STOP_SECONDS = 40  # what a worker gets to finish its chunk

Process = subprocess.Popen[bytes]


class Processes:
    """What was started, by name, until it is ended."""

    def __init__(self, environ: Mapping[str, str], *, logs: Path) -> None:
        self.running: dict[str, Process] = {}
        self._environ = dict(environ)
        self._logs = logs

    def start(self, name: str, command: Sequence[str], *, talks: bool = False) -> Process:
        """Start a program.

        :param talks: whether it is spoken with by its standard input and output
        """
        with self.log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                cwd=settings.BASE_DIR,
                env=self._environ,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the command, which then ends them all
            )
        return self.running[name]

    def start_python(self, name: str, arguments: Sequence[str], *, talks: bool = False) -> Process:
        """Start a program of this Python: `-m module …`."""
        return self.start(name, [sys.executable, *arguments], talks=talks)

    def terminate(self, *names: str) -> None:
        """Ask these processes to finish what they hold, and wait until they have."""
        ending = [self.running[name] for name in names if name in self.running]
        for process in ending:
            process.terminate()
        for process in ending:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _kill_group(process)

    def end(self, *names: str) -> None:
        """Terminate these processes, and forget them."""
        self.terminate(*names)
        for name in names:
            self.running.pop(name, None)

    def kill(self, name: str) -> None:
        """Kill (-9) a process with its children."""
        _kill_group(self.running[name])

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"


def _kill_group(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
