"""Hits on their way from the web processes to the database: a stream in Redis.

Each entry holds the hits of one moment, and has one field, `b`: a line of UTF-8 for each hit, its
columns parted by tabs:

    run, delivery, link number (empty: the pixel), milliseconds since 1970, marks, network, agent

Marks are `h` for HEAD and `s` for an address of a scanner; network and agent may be empty. A hit's
id follows from its place alone, so that an entry that is read twice makes the same rows.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple, Self

from django.conf import settings
from redis import Redis, RedisError, ResponseError
from redis.backoff import NoBackoff
from redis.retry import Retry

from templates_app import redis_servers
from tracking.models import HitKind

KEY = "godwit:hits"
FIELD = b"b"
GROUP = "godwit"
MOST = 1_000  # hits of one entry
# As long as nobody reads longer on what was read, that one has died.
CLAIM_AFTER_MS = 60_000
# Longer, and answers go out without waiting for Redis.
TIMEOUT_SECONDS = 1.0

# An id of 63 bits: milliseconds until the year 2039, 256 entries in each, 16,384 hits in an entry.
_MS_BITS, _SEQUENCE_BITS, _INDEX_BITS = 41, 8, 14
# Redis counts on in the newest millisecond it knows as long as its clock is behind that.
_CROWDED = 1 << (_SEQUENCE_BITS - 1)

logger = logging.getLogger(__name__)


class Arrival(NamedTuple):
    """One request for the pixel, or for a link; `number` is None for the pixel."""

    run_id: int
    delivery_id: int  # tokens.NOBODY: of an anonymous run
    number: int | None
    at_ms: int
    is_head: bool = False
    user_agent: str = ""  # printable
    network: str = ""
    from_scanner: bool = False

    @property
    def kind(self) -> HitKind:
        return HitKind.OPEN if self.number is None else HitKind.CLICK

    def line(self) -> str:
        number = "" if self.number is None else self.number
        marks = "h" * self.is_head + "s" * self.from_scanner
        return (
            f"{self.run_id}\t{self.delivery_id}\t{number}\t{self.at_ms}\t"
            f"{marks}\t{self.network}\t{self.user_agent}"
        )

    @classmethod
    def of_line(cls, line: str) -> Self:
        """Read what `line` wrote.

        :raises ValueError: something else
        """
        run, delivery, number, at_ms, marks, network, agent = line.split("\t")
        return cls(
            run_id=int(run),
            delivery_id=int(delivery),
            number=int(number) if number else None,
            at_ms=int(at_ms),
            is_head="h" in marks,
            user_agent=agent,
            network=network,
            from_scanner="s" in marks,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """What came in together, each with the id that its row gets."""

    id: str
    hits: Mapping[int, Arrival]


class Stream:
    """The stream of one Redis; threads may share it for reading, writing is one thread's."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._newest = "0-0"  # of what was written here

    @cached_property
    def _connection(self) -> Any:
        # Of its own for writing: what the client does around a command takes four times as long.
        # Its pool counts it for ever, so that who only reads makes none.
        return self._client.connection_pool.make_connection()

    def write(self, arrivals: Sequence[Arrival]) -> None:
        """Add an entry; when this returns, Redis has it.

        :raises ValueError: more than MOST
        :raises redis.RedisError: where it timed out, Redis may have it all the same
        """
        if len(arrivals) > MOST:
            raise ValueError(f"{len(arrivals)} hits are too many for one entry")
        lines = "\n".join([arrival.line() for arrival in arrivals])
        self._newest = self._add(lines.encode()).decode()

    def _add(self, value: bytes) -> bytes:
        wanted = _next_id(self._newest)
        try:
            return self._xadd(wanted, value)
        except ResponseError as error:
            # Others, or the clock, are further already.
            if wanted == "*" or "equal or smaller" not in str(error):
                raise
            return self._xadd("*", value)

    def _xadd(self, entry_id: str, value: bytes) -> bytes:
        if self._is_spoilt():
            self._connection.disconnect()
        self._connection.send_command("XADD", KEY, entry_id, FIELD, value)
        added: bytes = self._connection.read_response()
        return added

    def _is_spoilt(self) -> bool:
        """Tell whether Redis has ended the connection since, or has more to say than answers."""
        try:
            return bool(self._connection.can_read(timeout=0))
        except RedisError:
            return True

    def read(
        self, *, consumer: str, most: int, claim_after_ms: int = CLAIM_AFTER_MS
    ) -> list[Entry]:
        """Return up to `most` entries, oldest first; those that a dead consumer held come first.

        They are the consumer's until `settle`, or until nobody settled them for `claim_after_ms`.

        :raises redis.RedisError: nothing was read, or what was read can be claimed
        """
        try:
            return self._read(consumer, most, claim_after_ms)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):  # the first time, or Redis was emptied
                raise
        self._make_group()
        return self._read(consumer, most, claim_after_ms)

    def _read(self, consumer: str, most: int, claim_after_ms: int) -> list[Entry]:
        claimed: Any = self._client.xautoclaim(
            KEY, GROUP, consumer, min_idle_time=claim_after_ms, count=most
        )
        # Redis 6.2 returns nothing in the place of an entry that was deleted meanwhile.
        if left := [entry for entry in claimed[1] if entry[0] is not None]:
            return list(map(_entry, left))
        found: Any = self._client.xreadgroup(GROUP, consumer, {KEY: ">"}, count=most)
        return [_entry(entry) for _, entries in found or [] for entry in entries]

    def _make_group(self) -> None:
        try:
            self._client.xgroup_create(KEY, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):  # another consumer was first
                raise

    def settle(self, entries: Sequence[Entry]) -> None:
        """Take entries out of the stream: their rows are committed."""
        ids = [entry.id for entry in entries]
        if ids:
            with self._client.pipeline(transaction=True) as pipe:
                pipe.xack(KEY, GROUP, *ids)
                pipe.xdel(KEY, *ids)
                pipe.execute()

    def length(self) -> int:
        """Return how many entries wait to be settled."""
        return int(self._client.xlen(KEY))


@cache
def connect() -> Redis:
    """Return this process's client, which waits a second at most and tries nothing twice."""
    return redis_servers.connect(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def hit_id(entry_id: str, index: int) -> int:
    """Return the id of a hit by its place: its entry, and its index in there.

    :raises ValueError: outside of what an id can say
    """
    ms, sequence = map(int, entry_id.split("-"))
    for value, bits in ((ms, _MS_BITS), (sequence, _SEQUENCE_BITS), (index, _INDEX_BITS)):
        if not 0 <= value < 1 << bits:
            raise ValueError(f"no id for hit {index} of entry {entry_id}")
    return (ms << _SEQUENCE_BITS | sequence) << _INDEX_BITS | index


def _next_id(newest: str) -> str:
    """Return the id that the next entry is to have: Redis' choice, unless it crowds a moment."""
    ms, _, sequence = newest.partition("-")
    return f"{int(ms) + 1}-0" if int(sequence) >= _CROWDED else "*"


def _entry(found: tuple[bytes, Mapping[bytes, bytes]]) -> Entry:
    entry_id = found[0].decode()
    hits = {}
    for index, line in enumerate(found[1].get(FIELD, b"").decode(errors="replace").split("\n")):
        try:
            hits[hit_id(entry_id, index)] = Arrival.of_line(line)
        except ValueError:
            # Of another release. Nobody could ever read it: the rest must not wait for that.
            logger.exception("A line of the entry %s cannot be read: %.500r", entry_id, line)
    return Entry(entry_id, hits)
