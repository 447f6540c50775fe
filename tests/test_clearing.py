"""Nothing of a test session outlives it, however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.live import ROOT, TIMEOUT, wait_until

WAITING = """
import signal, subprocess, sys
from pathlib import Path

def test_waits_for_a_process_that_does_not_end():
    pause = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
    subprocess.Popen([sys.executable, "-c", pause], start_new_session=True)
    Path({started!r}).touch()
    signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_session_that_is_ended_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    place = Path(tempfile.mkdtemp(prefix="ended-"))
    place.chmod(0o711)  # root's PostgreSQL runs as another account, which has to pass
    test, started = tmp_path / "test_waiting.py", tmp_path / "started"
    test.write_text(WAITING.format(started=str(started)))

    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "-n", "1", test],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(place)},
    )
    try:
        wait_until(started.exists, "the test runs")
        names = {process.name() for process in running_in(place)}
        assert {"postgres", "redis-server", "python"} <= names
        session.send_signal(number)
        session.wait(TIMEOUT)
    finally:
        session.kill()
        session.wait()

    wait_until(lambda: not any(place.iterdir()), "all files are gone")
    wait_until(lambda: not running_in(place), "all processes are gone")


def running_in(directory: Path) -> list[psutil.Process]:
    """Return the processes that name the directory, in their command or their environment."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if str(directory) in f"{process.info['cmdline']} {process.info['environ']}"
    ]
