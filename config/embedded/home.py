"""Where one installation keeps its servers, its sockets and its secrets.

Everything here follows from the path of the state directory and the caller's account, so that
each process finds the servers without asking anybody, also before they run.
"""

import fcntl
import hashlib
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from config.embedded.account import Account, server_account

DATABASE = "godwit"
USER = "godwit"
PORT = "5432"  # no TCP port: it is a part of the socket's name

# sockaddr_un.sun_path without its final NUL.
LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107
# What needs no quoting in a URL, in a list of hosts and in a list of directories.
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/+~-]+")

# Not the temporary directory of the moment: TMPDIR differs between a shell and a cron job, and
# both have to find the same servers.
SHORT_PLACE = Path("/tmp")  # noqa: S108  (the owner is checked before use)
PLACE_FOR_ROOT = Path("/var/lib/godwit")


class EmbeddedError(Exception):
    """A server or its directory cannot be had; one line for the person at the terminal."""


@dataclass(frozen=True)
class Home:
    """A state directory (GODWIT_STATE_DIR)."""

    path: Path

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, base_dir: Path) -> "Home":
        given = environ.get("GODWIT_STATE_DIR", "").strip() or ".godwit"
        try:
            return cls((base_dir / Path(given).expanduser()).resolve())
        except RuntimeError as error:
            raise EmbeddedError(f"GODWIT_STATE_DIR: {error}") from None

    @property
    def database(self) -> dict[str, str]:
        """Return Django's settings of the embedded PostgreSQL."""
        return {
            "NAME": DATABASE,
            "USER": USER,
            "HOST": str(self.postgresql_sockets),
            "PORT": PORT,
        }

    @property
    def postgresql_sockets(self) -> Path:
        return self.sockets / "pg"

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis.sock"

    @cached_property
    def sockets(self) -> Path:
        """The directory of the sockets: in the state directory where that can be."""
        inside = self.path / "run"
        if _fits(inside / "pg" / f".s.PGSQL.{PORT}") and self.account.may_enter(inside):
            return inside
        return SHORT_PLACE / f"godwit-{os.geteuid()}-{self._digest}"

    @cached_property
    def postgresql(self) -> Path:
        """The directory of PostgreSQL's data: in the state directory where its account may enter.

        Once made elsewhere, it is found there for good, also when the way has become free.
        """
        inside = self.path / "postgresql"
        outside = PLACE_FOR_ROOT / self._digest
        if os.geteuid() != 0 or inside.exists():
            return inside
        return outside if outside.exists() or not self.account.may_enter(inside) else inside

    @property
    def redis(self) -> Path:
        return self.path / "redis"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @cached_property
    def account(self) -> Account:
        """The account that PostgreSQL runs as."""
        try:
            return server_account()
        except KeyError:
            raise EmbeddedError(
                "PostgreSQL refuses to run as root, and there is no account 'nobody' to run it as: "
                "start as another user, or set DATABASE_URL"
            ) from None

    @property
    def _digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]

    def secret(self, name: str) -> str:
        """Return the random secret of that name (64 characters), made when it is first asked for.

        :raises EmbeddedError: the state directory cannot be written
        """
        file = self.path / name
        try:
            if not file.exists():
                self._make_secret(file)
            return file.read_text()
        except OSError as error:
            raise self._unusable(error) from None

    def _make_secret(self, file: Path) -> None:
        self.make()
        with self.locked():
            if file.exists():  # made by another process meanwhile
                return
            fresh = file.with_name(f".{file.name}.new")
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(48))
            fresh.replace(file)

    def make(self) -> None:
        """Make the state directory.

        :raises EmbeddedError: it cannot be made, or belongs to somebody else
        """
        try:
            # Whatever the umask: root's directories let PostgreSQL's account pass.
            for missing in [part for part in reversed(self.path.parents) if not part.exists()]:
                make_directory(missing, mode=0o755)
            make_directory(self.path, mode=0o711 if os.geteuid() == 0 else 0o700)
            owner = self.path.stat().st_uid
        except OSError as error:
            raise self._unusable(error) from None
        if owner != os.geteuid():
            raise EmbeddedError(
                f"the state directory {self.path} belongs to another user (uid {owner}): "
                "run as that user, or set GODWIT_STATE_DIR"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time change what is in the state directory."""
        with (self.path / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _unusable(self, error: OSError) -> EmbeddedError:
        reason = error.strerror or str(error)
        return EmbeddedError(
            f"the state directory {self.path} cannot be used ({reason}): set GODWIT_STATE_DIR"
        )


def make_directory(path: Path, *, mode: int) -> None:
    """Make a directory with exactly this mode; leave one that is there as it is."""
    with suppress(FileExistsError):
        path.mkdir()
        path.chmod(mode)


def _fits(socket: Path) -> bool:
    short = len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH
    return short and PLAIN_PATH.fullmatch(str(socket)) is not None
