"""End and delete what a test session has on this machine, once it is over or was killed.

`python -m tests.clearing DIRECTORY` waits until its standard input ends, as it does whenever the
process that holds the other end is gone. All that the session started keeps its state in the
directory: GODWIT_STATE_DIR in the environment of a process tells whose it is.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

import psutil

from config.embedded import Home
from config.embedded.ending import send
from config.embedded.services import Services


def state_directory(directory: Path) -> Path:
    """Return the session's own state directory."""
    return directory / "state"


def clear(directory: Path) -> None:
    """Kill the processes that have their state in the directory, end their servers, delete it."""
    while found := _processes(directory):  # one of them may just start another
        print(f"their tests are over, but they were not: {found}", file=sys.stderr)
        send(found, signal.SIGKILL)
    # A state directory has its lock from the first.
    for place in [Path(place) for place, _, files in os.walk(directory) if "lock" in files]:
        Services(Home(place), os.environ).destroy()
    shutil.rmtree(directory, ignore_errors=True)


def _processes(directory: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["environ"])
        # Another user's have none that we may read.
        if process.pid != os.getpid()
        and (environ := process.info["environ"])
        and Path(environ.get("GODWIT_STATE_DIR", "/")).is_relative_to(directory)
    ]


if __name__ == "__main__":
    sys.stdin.read()
    clear(Path(sys.argv[1]))
