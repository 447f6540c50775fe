"""What a measurement gives: rates, times, what each kind of process used."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min

from campaigns.models import Run
from config.benchmark import usage
from config.benchmark.installation import Installation
from config.benchmark.sink import Arrived
from tracking.models import Delivery, DeliveryState
from tracking.verify import disagreements

_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Times:
    """When a run's first message was claimed, and its first and last one recorded; in UTC."""

    due: datetime
    claimed: datetime
    first: datetime
    last: datetime

    @classmethod
    def of(cls, run: Run) -> "Times":
        """Read them from the ledger."""
        found = Delivery.objects.of_run(run.pk).aggregate(
            Min("attempted_at"), Min("finished_at"), Max("finished_at")
        )
        return cls(run.occurrence, *found.values())


@dataclass(frozen=True, slots=True)
class Measured:
    """One run; times in seconds, memory in bytes."""

    way: str
    recipients: int
    workers: int
    states: Mapping[str, int]
    seconds: float
    """From the first message's claim to the last one's record."""
    seconds_from_due: float | None
    first_after_due: float | None
    """Until the sink had the first message; until the first one was recorded, if it cannot tell."""
    at_sink: int | None
    """Messages that the sink has counted; None: it does not count."""
    cpu: Mapping[str, float] = field(default_factory=dict)
    """Microseconds for each message, by kind of process."""
    peak_memory: list[int] = field(default_factory=list)
    """Of each process that sends, the largest first."""
    redis_memory: int = 0
    wal_per_message: float = 0.0
    disagreements: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return self.states.get(DeliveryState.SENT, 0)

    @property
    def rate(self) -> float:
        return self.sent / self.seconds if self.seconds else 0.0

    @property
    def rate_from_due(self) -> float | None:
        return self.sent / self.seconds_from_due if self.seconds_from_due else None

    @property
    def adds_up(self) -> bool:
        """Whether all were sent, the books agree, and the sink has counted as many."""
        counted = self.at_sink is None or self.at_sink == self.sent
        return self.sent == self.recipients and counted and not self.disagreements

    def as_dict(self) -> dict[str, Any]:
        rates = {"rate": self.rate, "rate_from_due": self.rate_from_due}
        return {**asdict(self), **rates, "adds_up": self.adds_up}


class Meter:
    """Notes what a run uses, from `begin` to `end`; `look` in between, several times a second."""

    def __init__(
        self, installation: Installation, kinds: Mapping[str, list[int]], senders: list[int]
    ) -> None:
        """Watch these processes.

        :param senders: the ids of those whose memory is of interest; of each, its children's.
        """
        self._installation = installation
        self._kinds = kinds
        self._senders = senders
        self._memory: dict[int, int] = {}
        self._redis_memory = 0

    def begin(self) -> None:
        self._installation.tally.reset()
        self._wal = _wal_position()
        self._cpu = usage.cpu_seconds(self._kinds)

    def look(self) -> None:
        for pid in self._senders:
            self._memory.update(usage.peak_memory(pid))
        self._redis_memory = max(self._redis_memory, self._installation.redis_memory())

    def end(self) -> None:
        self.look()
        cpu = usage.cpu_seconds(self._kinds)
        self._used = {kind: cpu[kind] - self._cpu[kind] for kind in cpu}
        self._written = _wal_position() - self._wal

    def measured(self, run: Run, *, way: str, workers: int, is_scheduled: bool) -> Measured:
        """Return the numbers of a run that has ended.

        :param is_scheduled: whether its due time means anything.
        """
        states = _states(run)
        messages = states.get(DeliveryState.SENT, 0) or 1
        times = Times.of(run)
        arrived = self._installation.tally.read() if self._installation.counts else None
        return Measured(
            way=way,
            recipients=run.audience,
            workers=workers,
            states=states,
            seconds=(times.last - times.claimed).total_seconds(),
            seconds_from_due=(times.last - times.due).total_seconds() if is_scheduled else None,
            first_after_due=_first_after_due(times, arrived) if is_scheduled else None,
            at_sink=arrived.count if arrived else None,
            cpu={kind: used * _MICRO / messages for kind, used in self._used.items()},
            peak_memory=sorted(self._memory.values(), reverse=True),
            redis_memory=self._redis_memory,
            wal_per_message=self._written / messages,
            disagreements=[str(one) for one in disagreements([run.pk], kept_since=None)],
        )


def _states(run: Run) -> dict[str, int]:
    rows = Delivery.objects.of_run(run.pk).values_list("state").annotate(Count("pk"))
    return dict(rows.order_by("state"))


def _first_after_due(times: Times, arrived: Arrived | None) -> float:
    first = arrived.first if arrived and arrived.count else times.first.timestamp()
    return first - times.due.timestamp()


def _wal_position() -> int:
    """Return how many bytes PostgreSQL has written to its log since it was made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
        return int(cursor.fetchone()[0])
