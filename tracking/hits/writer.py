"""Hits that arrive together are written together, before their requests are answered.

The first of a group waits until the group before it is written; who comes meanwhile joins. So a
redirect costs a part of a round trip to Redis, and the fewer of them the more there is to do.
"""

import logging
import threading
from collections import deque
from itertools import islice

from prometheus_client import Counter, Gauge
from redis import RedisError

from tracking.hits.stream import MOST, Arrival, Stream

# While Redis is away; half a kilobyte each.
ROOM = 100_000
PAUSE_SECONDS = 1.0  # between two tries

KEPT = Gauge(
    "godwit_hits_kept",
    "Hits in the memory of this server's web processes, because Redis is away.",
    multiprocess_mode="livesum",
)
LOST = Counter("godwit_hits_lost", "Hits for which there was no room in that memory.")

logger = logging.getLogger(__name__)


class _Group:
    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.written = threading.Event()


class Writer:
    """Writes the hits of one process; its threads share it.

    While Redis is away hits are kept in memory, and answers wait no longer for it. What is in
    memory when the process is killed is lost; one that is asked to stop tries once more.
    """

    def __init__(self, stream: Stream, *, room: int = ROOM, pause: float = PAUSE_SECONDS) -> None:
        self._stream = stream
        self._room = room
        self._pause = pause
        self._writing = threading.Lock()
        self._lock = threading.Lock()  # of all below
        self._group = _Group()
        self._is_away = False
        self._kept: deque[Arrival] = deque()
        self._lost = 0

    def put(self, arrival: Arrival) -> None:
        """Return when the hit is in Redis, or kept in memory because Redis is away."""
        with self._lock:
            if self._is_away:
                self._keep([arrival])
                return
            group = self._group
            group.arrivals.append(arrival)
            leads = len(group.arrivals) == 1
        if leads:
            self._lead(group)
        else:
            group.written.wait()

    def _lead(self, group: _Group) -> None:
        try:
            with self._writing:
                with self._lock:
                    self._group = _Group()
                    is_away = self._is_away
                    if is_away:  # as the group before has found out
                        self._keep(group.arrivals)
                if not is_away:
                    self._write(group.arrivals)
        finally:
            group.written.set()

    def _write(self, arrivals: list[Arrival]) -> None:
        try:
            self._stream.write(arrivals)
        except RedisError as error:
            logger.error("Redis is away, hits are kept in memory: %s", error)
            with self._lock:
                self._keep(arrivals)
                self._is_away = True
            # No daemon: the interpreter waits for its last try.
            threading.Thread(target=self._catch_up, name="hits", daemon=False).start()

    def _keep(self, arrivals: list[Arrival]) -> None:
        room = max(self._room - len(self._kept), 0)
        self._kept.extend(arrivals[:room])
        self._lost += len(arrivals[room:])
        KEPT.set(len(self._kept))
        LOST.inc(len(arrivals[room:]))

    def _catch_up(self) -> None:
        """Write what was kept as soon as Redis is back, or for the last time at the end."""
        process = threading.main_thread()
        written = 0
        while not self._is_back():
            process.join(self._pause)
            is_ending = not process.is_alive()
            written += self._write_kept()
            if is_ending and self._kept:
                logger.error("%d hits are lost: Redis is still away", len(self._kept))
                return
        logger.warning("Redis is back: %d hits were written late, %d lost", written, self._lost)

    def _is_back(self) -> bool:
        with self._lock:
            self._is_away = bool(self._kept)
            return not self._is_away

    def _write_kept(self) -> int:
        """Write what was kept as far as Redis takes it; return how many that were."""
        written = 0
        while oldest := self._oldest():
            try:
                self._stream.write(oldest)
            except RedisError:
                break
            with self._lock:
                for _ in oldest:
                    self._kept.popleft()
                KEPT.set(len(self._kept))
            written += len(oldest)
        return written

    def _oldest(self) -> list[Arrival]:
        with self._lock:
            return list(islice(self._kept, MOST))
