"""How often a caller may ask within a minute: counted in Redis, for all web processes together.

While Redis is away each process counts by itself: the API goes on, as sending does, and is not
without a limit. (Whether somebody may sign in is another matter: there a guess could be right.)
"""

import logging
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

WINDOW = 60  # seconds
FAILURES = 20  # in it: as many as wrong passwords from one address
_AWAY = 10.0  # seconds for which nobody waits for a Redis that was not there

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a caller's requests."""

    limit: int
    remaining: int
    reset: int
    """Seconds until there are as many as in the beginning."""

    @property
    def is_exceeded(self) -> bool:
        return self.remaining < 0

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-10 names them."""
        headers = {
            "RateLimit-Policy": f'"minute";q={self.limit};w={WINDOW}',
            "RateLimit": f'"minute";r={max(self.remaining, 0)};t={self.reset}',
        }
        return headers | ({"Retry-After": str(self.reset)} if self.is_exceeded else {})


def take(holder: str, *, at: float) -> Quota:
    """Count one request of a caller.

    :param at: seconds since 1970; windows are minutes of that clock.
    """
    limit: int = settings.API_RATE_LIMIT
    return Quota(limit, limit - count(holder, at=at), _until_next(at))


def fail(caller: str, *, shown: str, at: float) -> None:
    """Count that somebody was not let in.

    A key is counted once for its address, however often it is shown: a program that goes on to ask
    with one that has ended shuts out itself, and not all others behind the same address.
    """
    if count(_of_key(caller, shown), at=at) == 1:
        count(f"from {caller}", at=at)


def wait_of(caller: str, *, shown: str, at: float) -> int:
    """Return for how many seconds nothing that this caller shows is looked at; 0: it is."""
    counted = _counted(_of_key(caller, shown), f"from {caller}", at=at)
    return _until_next(at) if max(counted) >= FAILURES else 0


def _of_key(caller: str, shown: str) -> str:
    return f"wrong {sha256(f'{caller} {shown}'.encode()).hexdigest()}"


def _until_next(at: float) -> int:
    return WINDOW - int(at) % WINDOW


def _named(name: str, at: float) -> str:
    return f"{name}:{int(at) // WINDOW}".replace(" ", "-")


def _counted(*names: str, at: float) -> list[int]:
    names = tuple(_named(name, at) for name in names)
    if not _here.is_asked():
        try:
            found = cache.get_many(map(_key, names))
            return [int(found.get(_key(name), 0)) for name in names]
        except RedisError as error:
            _miss(error)
    return [_here.look(name) for name in names]


def count(name: str, *, at: float) -> int:
    """Count something in its minute; return how often that was."""
    name = _named(name, at)
    if _here.is_asked():
        return _here.count(name)
    try:
        return _count(_key(name))
    except RedisError as error:
        _miss(error)
    except ValueError:  # it went between the two: Redis was emptied
        pass
    return _here.count(name)


def _count(key: str) -> int:
    try:
        return cache.incr(key)
    except ValueError:  # the first of its minute
        cache.add(key, 0, timeout=2 * WINDOW)
        return cache.incr(key)


def _key(name: str) -> str:
    return f"api:{name}"


def _miss(error: RedisError) -> None:
    logger.warning("requests of the API are counted by each process alone: %s", error)
    _here.ask_for(_AWAY)


class _Here:
    """What this process counts while Redis is away."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._until = 0.0
        self._window = ""
        self._counts: Counter[str] = Counter()

    def is_asked(self) -> bool:
        return time.monotonic() < self._until

    def ask_for(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def look(self, name: str) -> int:
        with self._lock:
            return self._counts[name]

    def count(self, name: str) -> int:
        window = name.rpartition(":")[2]
        with self._lock:
            if window != self._window:
                self._window = window
                self._counts.clear()
            self._counts[name] += 1
            return self._counts[name]


_here = _Here()
