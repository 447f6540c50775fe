"""A PostgreSQL and a Redis of the test session's own, loaded by `-p tests.services`.

Those that DATABASE_URL or REDIS_URL name are used instead. The state directory is always a fresh
one, and nothing of it is left: no process, no socket, no file.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded import EmbeddedError, Home
from config.embedded.services import Services

# Hundreds of processes are started, which would each compile all of the product anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    # Around the others: pytest-django reads the settings in this hook.
    directory = Path(tempfile.mkdtemp(prefix="godwit-test-"))
    directory.chmod(0o711)  # root's PostgreSQL runs as another account, which has to pass
    os.environ["GODWIT_STATE_DIR"] = str(directory)
    early_config.add_cleanup(lambda: _destroy(directory))
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # pytest's own place is one for all sessions of a user, which then delete each other's files.
    if not config.option.basetemp:
        directory = Path(tempfile.mkdtemp(prefix="godwit-tmp-"))
        config.option.basetemp = str(directory)
        config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.option.collectonly or _only_hands_out(session.config):
        return
    # Ended by a time limit, a session clears up as after Ctrl-C. That of its own is heard also
    # where a script has started it with `&`, which has all of its children ignore it otherwise.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        _services(Path(os.environ["GODWIT_STATE_DIR"])).up()
    except EmbeddedError as error:
        pytest.exit(str(error), returncode=1)


def _only_hands_out(config: pytest.Config) -> bool:
    """Whether others run the tests of this session (pytest-xdist), each with servers of its own."""
    return bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")


def _destroy(directory: Path) -> None:
    _services(directory).destroy()
    shutil.rmtree(directory, ignore_errors=True)


def _services(directory: Path) -> Services:
    return Services(Home(directory.resolve()), os.environ)
