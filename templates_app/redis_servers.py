"""Redis by its URL: one server, or the master that Sentinels name.

    sentinel://user:password@host:26379;sentinel://host:26379;sentinel://host:26379/0?master=name

What is before the first host is for Redis itself; database and options are behind the last one.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

SCHEME = "sentinel"
PORT = 26379
MASTER = "mymaster"  # as in the configuration that Redis comes with
FORM = "sentinel://:password@host:26379;sentinel://host:26379/0?master=name"
_OPTIONS = frozenset({"master", "sentinel_user", "sentinel_password"})
_LOGIN = ("username", "password")
_SECONDS = 2  # to wait for a Sentinel, where a client says no shorter time


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Where Sentinels are asked which server is the master, and how it is spoken to."""

    places: tuple[tuple[str, int], ...]
    master: str
    login: dict[str, str]  # of Redis
    own_login: dict[str, str]  # of the Sentinels
    database: int

    @property
    def kwargs(self) -> dict[str, Any]:
        """Return how Sentinels are asked: once, because the next one knows as much."""
        patience = {"socket_timeout": _SECONDS, "socket_connect_timeout": _SECONDS}
        return {**patience, "retry": Retry(NoBackoff(), 0), **self.own_login}

    @property
    def celery_url(self) -> str:
        """Return the URL for Celery, which passes from one part of it to the next."""
        user, password = (quote(self.login.get(key, ""), safe="") for key in _LOGIN)
        login = f"{user}:{password}@" if self.login else ""
        hosts = (
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.places
        )
        return ";".join(f"{SCHEME}://{login}{host}/{self.database}" for host in hosts)


def is_sentinels(url: str) -> bool:
    return url.startswith(f"{SCHEME}://")


def sentinels(url: str) -> Sentinels:
    """Read the URL of Sentinels.

    :raises ValueError: it is none; what it says holds nothing of a password
    """
    parts = [urlsplit(part.strip()) for part in url.split(";")]
    first, last = parts[0], parts[-1]
    options = dict(parse_qsl(last.query))
    database = last.path.strip("/") or "0"
    is_one = all(part.scheme == SCHEME and part.hostname for part in parts)
    if not is_one or not database.isdecimal() or options.keys() - _OPTIONS:
        raise ValueError(f"write {FORM}")
    if any(part.username or part.password for part in parts[1:]):
        raise ValueError(f"say the password once, before the first host: {FORM}")
    if any(part.path.strip("/") or part.query for part in parts[:-1]):
        raise ValueError(f"say the database and the master once, behind the last host: {FORM}")
    return Sentinels(
        places=tuple(map(_place, parts)),
        master=options.get("master", MASTER),
        login=_login(unquote(first.username or ""), unquote(first.password or "")),
        own_login=_login(options.get("sentinel_user", ""), options.get("sentinel_password", "")),
        database=int(database),
    )


def _place(part: SplitResult) -> tuple[str, int]:
    try:
        return part.hostname or "", part.port or PORT
    except ValueError:  # whose text may hold a part of the password
        raise ValueError("what follows the last colon of a host is no port") from None


def _login(user: str, password: str) -> dict[str, str]:
    return {key: value for key, value in zip(_LOGIN, (user, password), strict=True) if value}


class Pool:
    """Makes pools of connections; Django's cache asks it as it asks the class of redis-py."""

    @staticmethod
    def from_url(url: str, **options: Any) -> ConnectionPool:
        if not is_sentinels(url):
            return ConnectionPool.from_url(url, **options)
        found = sentinels(url)
        shorter = {key: options[key] for key in found.kwargs if key in options}
        # Who is the master is asked for each new connection; one to a server that was it, and says
        # that it takes no writes any more, is left.
        ask = {**found.kwargs, **shorter}
        return SentinelConnectionPool(  # type: ignore[no-untyped-call]
            found.master,
            Sentinel(found.places, sentinel_kwargs=ask),  # type: ignore[no-untyped-call]
            db=found.database,
            **found.login,
            **options,
        )


def connect(url: str, **options: Any) -> Redis:
    """Return a client of Redis, which its caller closes."""
    return Redis.from_pool(Pool.from_url(url, **options))
