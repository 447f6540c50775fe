"""What chunks came to and how long they took, summed up in one place by all processes: in Redis.

There a scrape of any web process finds the sums of all workers on all machines, of those that have
ended as well. One write for each chunk. The truth is in the ledger; these sums begin anew where
Redis is emptied, as Prometheus expects of counters.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable

from redis import RedisError

from campaigns.sending.outcomes import Outcome
from tracking.hits.stream import connect

KEY = "godwit:chunks"
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)  # seconds; a chunk ends after ten
MESSAGES, SLOWEST, SECONDS = "messages", "seconds <", "microseconds"
PAUSE_SECONDS = 10.0  # after Redis did not answer: a chunk must not wait for it each time

logger = logging.getLogger(__name__)


class Meter:
    """The sums of one process that Redis has not got yet."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: Counter[str] = Counter()
        self._not_before = 0.0

    def messages(self, transport: str, outcomes: Iterable[Outcome]) -> None:
        """Count what a transport answered; the installation's own has no name."""
        names = (type(each).__name__.lower() for each in outcomes)
        self._kept.update(f"{MESSAGES}\t{transport}\t{name}" for name in names)

    def chunk(self, seconds: float) -> None:
        """Count a chunk, and tell Redis of all that is not told yet."""
        most = next((most for most in BUCKETS if seconds <= most), float("inf"))
        self._kept[f"{SLOWEST}\t{most}"] += 1
        self._kept[SECONDS] += round(seconds * 1_000_000)
        if self._clock() >= self._not_before:
            self._tell()

    def _tell(self) -> None:
        told, self._kept = self._kept, Counter()
        try:
            with connect().pipeline(transaction=True) as pipe:
                for field, amount in told.items():
                    pipe.hincrby(KEY, field, amount)
                pipe.execute()
        except RedisError as error:
            logger.warning("Redis is away, chunks are counted later: %s", error)
            self._kept.update(told)
            self._not_before = self._clock() + PAUSE_SECONDS


METER = Meter()
