"""A PostgreSQL and a Redis of the test session's own, loaded by `-p tests.services`.

Those that DATABASE_URL or REDIS_URL name are used instead. The state directory is always a fresh
one. All files of the session are in one directory, which another process deletes at its end,
with whatever still runs in there (`tests.clearing`): nothing is left also where it was killed.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from config.embedded import EmbeddedError, Home
from config.embedded.services import Services
from tests.clearing import state_directory

ROOT = Path(__file__).resolve().parent.parent

# Hundreds of processes are started, which would each compile all of the product anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    # Around the others: pytest-django reads the settings in this hook.
    directory = Path(tempfile.mkdtemp(prefix="godwit-test-")).resolve()
    directory.chmod(0o711)  # root's PostgreSQL runs as another account, which has to pass
    os.environ["GODWIT_STATE_DIR"] = str(state_directory(directory))
    tempfile.tempdir = os.environ["TMPDIR"] = str(directory)
    clearing = subprocess.Popen(
        [sys.executable, "-m", "tests.clearing", directory],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the tests alone
    )
    early_config.add_cleanup(partial(_end, clearing))
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # pytest's own place is one for all sessions of a user, which then delete each other's files.
    if not config.option.basetemp:
        config.option.basetemp = tempfile.mkdtemp(prefix="tmp-")


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    # Ended by a time limit, a session clears up as after Ctrl-C. That of its own is heard also
    # where a script has started it with `&`, which has all of its children ignore it otherwise.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    if _only_hands_out(session.config):
        return
    home = Home(Path(os.environ["GODWIT_STATE_DIR"]))
    try:
        started = Services(home, os.environ).up()
    except EmbeddedError as error:
        pytest.exit(str(error), returncode=1)
    if "postgresql" in started:
        _let_a_power_cut_lose_all(home)


def _only_hands_out(config: pytest.Config) -> bool:
    """Whether others run the tests of this session (pytest-xdist), each with servers of its own."""
    return bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")


def _let_a_power_cut_lose_all(home: Home) -> None:
    """Have PostgreSQL wait for no disk: to empty all tables makes hundreds of files anew."""
    server = home.database
    with psycopg.connect(
        host=server["HOST"],
        port=server["PORT"],
        user=server["USER"],
        dbname=server["NAME"],
        autocommit=True,
    ) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")


def _end(clearing: "subprocess.Popen[bytes]") -> None:
    clearing.communicate()
