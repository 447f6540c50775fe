"""Whether this process can do its work, as often as a balancer, or a stranger, wants to know."""

import threading
import time
from collections.abc import Callable

from django.utils import timezone

from config.health import servers
from config.health.facts import State

KEEP_SECONDS = 1.0


class Readiness:
    """What is missing, looked up once a second at most: each look is a connection to PostgreSQL.

    Those who ask meanwhile are told the same.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until = 0.0
        self._missing: list[str] = []

    def missing(self) -> list[str]:
        """Return the names of what has to be there and is not: database, migrations, broker."""
        with self._lock:
            if self._clock() >= self._until:
                self._missing = _look()
                self._until = self._clock() + KEEP_SECONDS
            return self._missing


def _look() -> list[str]:
    found = [*servers.database(now=timezone.now()), servers.broker()]
    return [fact.name for fact in found if fact.state == State.BAD]
