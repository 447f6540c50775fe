"""End processes that need not be children of this one, and see them gone."""

import signal
import time

import psutil

from config.embedded.home import EmbeddedError

POLL_SECONDS = 0.05


def send(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to those that are still there.

    :raises EmbeddedError: one belongs to another user
    """
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            raise EmbeddedError(f"not allowed to end process {process.pid}") from None


def all_gone(processes: list[psutil.Process], seconds: float) -> bool:
    """Wait for the end of all, tell whether it came in time."""
    deadline = time.monotonic() + seconds
    while not all(_is_gone(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _is_gone(process: psutil.Process) -> bool:
    # A zombie has ended; its parent, a `manage.py run` perhaps, has only not asked yet.
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
