"""How often a caller may ask within a minute: counted in Redis, for all web processes together.

While Redis is away each process counts by itself: the API goes on, as sending does, and is not
without a limit. (Whether somebody may sign in is another matter: there a guess could be right.)
"""

import logging
import time
from collections import Counter
from dataclasses import dataclass
from threading import Lock

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

WINDOW = 60  # seconds
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
    window, into = divmod(int(at), WINDOW)
    count = _count(f"{holder}:{window}".replace(" ", "-"))
    limit: int = settings.API_RATE_LIMIT
    return Quota(limit, limit - count, WINDOW - into)


def _count(name: str) -> int:
    if _here.is_asked():
        return _here.count(name)
    key = f"api:{name}"
    try:
        cache.add(key, 0, timeout=2 * WINDOW)
        return cache.incr(key)
    except RedisError as error:
        logger.warning("requests of the API are counted by each process alone: %s", error)
        _here.ask_for(_AWAY)
    except ValueError:  # it went between the two: Redis was emptied
        pass
    return _here.count(name)


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

    def count(self, name: str) -> int:
        window = name.rpartition(":")[2]
        with self._lock:
            if window != self._window:
                self._window = window
                self._counts.clear()
            self._counts[name] += 1
            return self._counts[name]


_here = _Here()
