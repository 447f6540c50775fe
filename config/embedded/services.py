"""Start, end and show the servers of one installation."""

import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.embedded.home import EmbeddedError, Home, make_directory
from config.embedded.postgresql import PostgreSQL
from config.embedded.redis_server import Redis
from config.embedded.server import Server

# Each replaces the server. With RabbitMQ as broker, Redis has opens and clicks.
VARIABLES = {PostgreSQL: ("DATABASE_URL",), Redis: ("REDIS_URL",)}


@dataclass(frozen=True)
class Status:
    server: str
    state: Literal["up", "down", "external"]
    pid: int | None = None
    socket: str | None = None
    data: str | None = None
    log: str | None = None


class Services:
    """The servers that an environment leaves to us: those without a URL of their own."""

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        self.home = home
        self._external = [
            kind
            for kind, names in VARIABLES.items()
            if any(
                environ.get(f"{name}{end}", "").strip() for name in names for end in ("", "_FILE")
            )
        ]

    def up(self) -> list[str]:
        """Start what does not run, wait until all answer, return the names of those started.

        :raises EmbeddedError: a server cannot be started
        """
        if not self._own():
            return []
        self.home.make()
        try:
            with self.home.locked():
                self._make_directories()
                return [server.name for server in self._own() if server.up()]
        except OSError as error:
            raise EmbeddedError(f"the servers cannot be started: {error}") from None

    def down(self, names: Iterable[str] | None = None) -> list[str]:
        """End the servers (all of them, or those named), return the names of those that ran.

        :raises EmbeddedError: a server does not end
        """
        if not self.home.path.exists():
            return []
        self.home.make()
        with self.home.locked():
            wanted = [s for s in self._own() if names is None or s.name in names]
            return [server.name for server in reversed(wanted) if server.down()]

    def destroy(self) -> None:
        """End the servers and delete all that they and the installation have on this machine."""
        self.down()
        for directory in (self.home.postgresql, self.home.sockets, self.home.path):
            shutil.rmtree(directory, ignore_errors=True)
        if self.home.postgresql.parent != self.home.path:
            with suppress(OSError):  # others' data are in it
                self.home.postgresql.parent.rmdir()

    def status(self) -> list[Status]:
        return [
            Status(kind.name, "external") if kind in self._external else _status(kind(self.home))
            for kind in VARIABLES
        ]

    def _own(self) -> list[Server]:
        return [kind(self.home) for kind in VARIABLES if kind not in self._external]

    def _make_directories(self) -> None:
        make_directory(self.home.logs, mode=0o700)
        # Root's lets PostgreSQL's account pass to its own directory in it.
        make_directory(self.home.sockets, mode=0o711 if os.geteuid() == 0 else 0o700)
        _check_owner(self.home.sockets)


def _status(server: Server) -> Status:
    processes = server.processes()
    return Status(
        server=server.name,
        state="up" if processes and server.answers() else "down",
        pid=processes[0].pid if processes else None,
        socket=str(server.socket),
        data=str(server.data),
        log=str(server.log),
    )


def _check_owner(directory: Path) -> None:
    """Refuse a directory that somebody else made under our name in a place that all may write."""
    if directory.is_symlink() or directory.stat().st_uid != os.geteuid():
        raise EmbeddedError(
            f"{directory} belongs to another user: remove it, or set another GODWIT_STATE_DIR"
        )
