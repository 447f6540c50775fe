"""All that is looked at, at once: for the page, and for `manage.py doctor`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from config.health import backlogs, sending, servers, workers
from config.health.facts import PATIENCE, Fact, State


@dataclass(frozen=True, slots=True)
class Overview:
    servers: list[Fact]
    workers: list[Fact]
    sending: list[Fact] = field(default_factory=list)
    backlogs: list[Fact] = field(default_factory=list)
    knows_queues: bool = True
    """Whether the broker could be asked who serves them."""

    def __iter__(self) -> Iterator[Fact]:
        yield from (*self.servers, *self.workers, *self.sending, *self.backlogs)

    def count(self, state: State) -> int:
        return sum(fact.state == state for fact in self)


def look(*, now: datetime, host: str = "", patience: float = PATIENCE) -> Overview:
    """Look at everything that can be asked.

    Without the database only the servers and the queues can; that it is missing is the first fact.

    :param host: by which a page was asked for; empty: SITE_URL is asked instead.
    :param patience: seconds that the workers have to answer.
    """
    database = servers.database(now=now)
    broker = servers.broker()
    found = workers.queues(patience=patience) if broker.state == State.GOOD else None
    of_queues = [workers.of_queue(queue) for queue in found or []]
    see = partial(
        Overview,
        servers=[
            *database,
            broker,
            *servers.redis_memory(),
            servers.way_out(),
            servers.site(host) if host else servers.site_asked(),
            *servers.disks(),
        ],
        knows_queues=found is not None,
    )
    if any(fact.state == State.BAD for fact in database):
        return see(workers=of_queues, backlogs=[backlogs.hits()])
    return see(
        workers=[workers.beat(now=now), *of_queues],
        sending=list(sending.all_of(now=now)),
        backlogs=list(backlogs.all_of(now=now)),
    )
