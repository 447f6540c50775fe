import json

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tracking.hits.targets import Targets, UnknownLink, key, store
from tracking.registry import PERSONAL


@pytest.fixture
def nowhere() -> redis.Redis:
    """A client of a Redis that is not there."""
    return redis.Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))


def test_the_targets_of_a_run_are_looked_up_once_and_then_in_redis(broker: redis.Redis) -> None:
    known = {7: ["https://example.org/1", PERSONAL]}
    broker.delete(key(7))
    targets = Targets(broker, known.__getitem__)

    found = [targets.find(7, number) for number in (0, 1)]

    assert found == known[7]
    stored = broker.get(key(7))
    assert isinstance(stored, bytes)
    assert json.loads(stored) == found
    assert broker.ttl(key(7)) > 80 * 24 * 3600
    with pytest.raises(UnknownLink):
        targets.find(7, 2)


def test_a_run_that_is_not_known_is_asked_for_again(broker: redis.Redis) -> None:
    known: dict[int, list[str]] = {7: []}
    targets = Targets(broker, known.__getitem__)
    with pytest.raises(UnknownLink):
        targets.find(7, 0)

    known[7] = ["https://example.org/"]

    assert targets.find(7, 0) == "https://example.org/"


def test_links_lead_on_while_redis_is_away(
    nowhere: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    targets = Targets(nowhere, lambda run_id: ["https://example.org/"])

    assert targets.find(7, 0) == "https://example.org/"
    store(8, ["https://example.org/"], client=nowhere)

    assert "The links of run 8 are not in Redis" in caplog.text


def test_memory_has_the_runs_that_were_asked_for_last(broker: redis.Redis) -> None:
    asked: list[int] = []

    def of(run_id: int) -> list[str]:
        asked.append(run_id)
        return ["https://example.org/"]

    targets = Targets(broker, of, runs=2)
    for run_id in (1, 2, 1, 3, 1, 2):
        targets.find(run_id, 0)
        broker.flushall()

    assert asked == [1, 2, 3, 2]
