"""Where a measurement lives: a state directory of its own, for as long as its process."""

import os
import signal
import sys
import tempfile
from pathlib import Path

import psutil
from django.conf import settings

from config.embedded import Home
from config.embedded.services import Services
from config.env import is_given
from config.processes import end_leftovers

# It measures its own servers; a next hop of somebody's is never mailed by it.
FOREIGN = ("DATABASE_URL", "REDIS_URL", "BROKER_URL", "EMAIL_URL")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_PREFIX = "godwit-benchmark-"
# A state directory with this file in it may be deleted when the process that it names has ended.
_MARKER = "benchmark"


class BenchmarkError(Exception):
    """There is nothing to measure; one line, or the log of what failed."""


def move_in() -> None:
    """Begin this program anew with a fresh state directory; returns only in that second life.

    Django reads where its servers are once, at the start: so it has to start there.

    :raises BenchmarkError: the environment names servers of somebody's
    """
    if (settings.STATE_DIR / _MARKER).exists():
        return
    if taken := [name for name in FOREIGN if is_given(os.environ, name)]:
        raise BenchmarkError(f"unset {', '.join(taken)}: it has servers and a next hop of its own")
    clear_up_after_the_killed()
    # Until somebody is there who clears up; the second life inherits it.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    directory.chmod(0o711)  # root's PostgreSQL runs as another account, which has to pass
    (directory / _MARKER).write_text(str(os.getpid()))  # it stays the same
    sys.stdout.flush()
    environ = {**os.environ, "GODWIT_STATE_DIR": str(directory)}
    os.execve(sys.executable, [sys.executable, *sys.argv], environ)  # noqa: S606


def clear_up_after_the_killed() -> None:
    """Move out for those of this user's that were killed before they could; --keep is none."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        marker = directory / _MARKER
        is_ours = directory.lstat().st_uid == os.geteuid() and marker.is_file()
        if is_ours and not psutil.pid_exists(int(marker.read_text())):
            move_out(Services(Home(directory.resolve()), {}), keep=False)


def accept_signals() -> None:
    """Have each way of asking for the end take that of Ctrl-C, from now on."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def move_out(services: Services, *, keep: bool) -> None:
    """End all that carries the mark of the state directory, and delete it unless it is kept."""
    end_leftovers(services.home.path)
    if keep:
        services.down()
        (services.home.path / _MARKER).unlink()
    else:
        services.destroy()
