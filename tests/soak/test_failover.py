"""PostgreSQL with a standby that it waits for: the primary is killed in the midst of a run."""

import shutil
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from config.embedded import Home
from config.embedded.home import DATABASE, PORT, USER, make_directory
from config.embedded.postgresql import PostgreSQL
from config.embedded.server import run_as
from config.embedded.services import Services
from tests.e2e.apart import PEOPLE, create_campaign, installation_on, wait_for_end
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP, hold

pytestmark = pytest.mark.soak

# The last of two options counts: the embedded server has nobody replicate from it.
REPLICATED = ("wal_level=replica", "max_wal_senders=4", "fsync=off")


class Node(PostgreSQL):
    """A server of a pair."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Home(folder))

    @property
    def host(self) -> str:
        return str(self.socket.parent)

    def prepare(self) -> list[str]:
        return [*super().prepare(), *(part for one in REPLICATED for part in ("-c", one))]

    def start(self) -> None:
        self._make_place()
        self.up()

    def copy(self, primary: "Node") -> None:
        """Become a standby of the primary."""
        self._make_place()
        self._make_directories()
        source = f"host={primary.host} port={PORT} user={USER}"
        program = str(primary._installation() / "bin" / "pg_basebackup")
        command = [program, "-D", str(self.data), "-d", source, "-R", "-c", "fast"]
        process = run_as(self.account, command, output=subprocess.DEVNULL)
        assert process.wait() == 0

    def _make_place(self) -> None:
        self.home.make()
        for directory in (self.home.sockets, self.home.logs):
            make_directory(directory, mode=0o711)

    def ask(self, statement: str) -> object:
        with psycopg.connect(
            host=self.host, port=PORT, user=USER, dbname=DATABASE, autocommit=True
        ) as connection:
            found = connection.execute(statement)
            row = found.fetchone() if found.description else None
            return row[0] if row else None

    def kill(self) -> None:
        """End all of its processes at once, as if its machine had lost its power."""
        [main] = self.processes()
        all_of_it = [main, *main.children(recursive=True)]
        for process in all_of_it:
            process.kill()
        psutil.wait_procs(all_of_it)


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not tmp_path: root's PostgreSQL runs as an account that may not enter that one.
    folder = Path(tempfile.mkdtemp(prefix="godwit-pair-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def pair(folder: Path) -> Iterator[tuple[Node, Node]]:
    """A primary and its standby, without which it commits nothing."""
    primary, standby = Node(folder / "a"), Node(folder / "b")
    try:
        primary.start()
        standby.copy(primary)
        standby.start()
        primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.ask("SELECT pg_reload_conf()")
        in_step = "SELECT true FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_until(lambda: primary.ask(in_step), "the standby is waited for")
        yield primary, standby
    finally:
        for node in (standby, primary):
            Services(node.home, {"REDIS_URL": "elsewhere"}).destroy()


@pytest.fixture
def its_redis(folder: Path) -> Iterator[Services]:
    services = Services(Home(folder / "r"), {"DATABASE_URL": "elsewhere"})
    try:
        services.up()
        yield services
    finally:
        services.destroy()


def test_nobody_is_mailed_twice_where_a_standby_that_was_waited_for_takes_over(
    pair: tuple[Node, Node], its_redis: Services, smtp: ScriptedSMTP, tmp_path: Path
) -> None:
    primary, standby = pair
    hosts = f"{primary.host},{standby.host}"
    go_on = threading.Event()
    smtp.script(hold("dot", go_on), recipient=PEOPLE[40])
    variables = {
        "DATABASE_URL": f"postgres://{USER}@/{DATABASE}?host={hosts}&port={PORT}"
        "&target_session_attrs=read-write",
        "EMAIL_URL": smtp.url,
        "REDISPATCH_SECONDS": "1",
        "SWEEP_SECONDS": "1",
    }
    with installation_on(its_redis, tmp_path, **variables) as installation:
        campaign = create_campaign(installation, "Spring")
        installation.worker(with_beat=True)
        wait_until(lambda: smtp.messages_to(PEOPLE[40]), "its content has come")

        primary.kill()
        go_on.set()
        standby.ask("SELECT pg_promote()")
        ended = wait_for_end(installation, campaign)
        installation.manage("verify_ledger")

    assert Counter(message.recipient for message in smtp.messages) == Counter(PEOPLE)
    assert ended["counts"]["sent"] == len(PEOPLE)
    assert primary.processes() == []
