import pytest
import redis
from kombu.exceptions import OperationalError

from recipients.hurry import hurry
from recipients.tasks import import_step


def test_a_task_is_sent(broker: redis.Redis) -> None:
    hurry(import_step.apply_async, (4711,))

    assert broker.llen("imports") == 1


def test_where_the_broker_is_away_nothing_is_left_that_tries_for_longer(no_broker: None) -> None:
    tried: list[object] = []

    with pytest.raises(OperationalError):
        hurry(lambda **options: tried.append(options))

    assert tried == []
