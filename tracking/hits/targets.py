"""Where the links of a run lead, for who answers clicks: from memory, Redis or the database."""

import json
import logging
from collections.abc import Callable, Sequence
from functools import lru_cache

from redis import Redis, RedisError

from tracking.hits.stream import connect

RUNS = 1_000  # in the memory of a process: some kilobytes each
KEPT_SECONDS = 90 * 24 * 3600

logger = logging.getLogger(__name__)


class UnknownLink(LookupError):
    """There is no such run any more, or it has no link of that number."""


def key(run_id: int) -> str:
    return f"godwit:links:{run_id}"


def store(run_id: int, targets: Sequence[str], *, client: Redis | None = None) -> None:
    """Have the targets of a run in Redis, so that its links lead on while the database is away.

    :param targets: as registry.targets_of_run has them
    """
    try:
        (client or connect()).set(key(run_id), json.dumps(list(targets)), ex=KEPT_SECONDS)
    except RedisError as error:
        # What answers clicks reads them from the database, and tries this again.
        logger.warning("The links of run %d are not in Redis: %s", run_id, error)


class Targets:
    """Where links lead; the runs that were asked for last are in memory."""

    def __init__(
        self, client: Redis, of_run: Callable[[int], Sequence[str]], *, runs: int = RUNS
    ) -> None:
        self._client = client
        self._of_run = of_run
        self._remembered = lru_cache(maxsize=runs)(self._look_up)

    def find(self, run_id: int, number: int) -> str:
        """Return where a link leads, or registry.PERSONAL.

        :raises UnknownLink: there is no such link
        :raises django.db.Error: the database is away, and nobody else knows
        """
        targets: tuple[str, ...] = self._remembered(run_id)
        if number >= len(targets):
            raise UnknownLink(run_id, number)
        return targets[number]

    def _look_up(self, run_id: int) -> tuple[str, ...]:
        targets = self._in_redis(run_id)
        if targets is None:
            targets = self._of_run(run_id)
            if not targets:
                raise UnknownLink(run_id)
            store(run_id, targets, client=self._client)
        return tuple(targets)

    def _in_redis(self, run_id: int) -> Sequence[str] | None:
        try:
            found = self._client.get(key(run_id))
        except RedisError:  # the writer says so
            return None
        return json.loads(found) if found else None
