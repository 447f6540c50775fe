import os

import pytest
import redis
from kombu import Connection
from kombu.exceptions import OperationalError

from recipients import hurry as hurrying
from recipients.hurry import hurry
from recipients.tasks import import_step


def connection_of_a_call() -> Connection:
    found: list[Connection] = []
    hurry(lambda connection, retry: found.append(connection))
    return found[0]


def test_a_task_is_sent(broker: redis.Redis) -> None:
    hurry(import_step.apply_async, (4711,))

    assert broker.llen("imports") == 1


def test_where_the_broker_is_away_nothing_is_left_that_tries_for_longer(no_broker: None) -> None:
    tried: list[object] = []

    with pytest.raises(OperationalError):
        hurry(lambda **options: tried.append(options))

    assert tried == []


def test_a_connection_is_kept_from_call_to_call(broker: redis.Redis) -> None:
    assert connection_of_a_call() is connection_of_a_call()


def test_where_the_broker_has_ended_it_meanwhile_the_task_is_sent_all_the_same(
    broker: redis.Redis,
) -> None:
    hurry(import_step.apply_async, (4711,))
    broker.client_kill_filter(_type="normal", skipme=True)

    hurry(import_step.apply_async, (4712,))

    assert broker.llen("imports") == 2


def test_what_fails_by_a_kept_connection_is_sent_once_more_by_a_new_one(
    broker: redis.Redis,
) -> None:
    kept = connection_of_a_call()
    used: list[Connection] = []

    def send(connection: Connection, retry: bool) -> None:
        used.append(connection)
        if connection is kept:
            raise OperationalError("the broker has ended it")

    hurry(send)

    assert used == [kept, hurrying._line.broker]
    assert used[0] is not used[1]


def test_a_process_that_was_forked_begins_a_connection_of_its_own(broker: redis.Redis) -> None:
    kept = connection_of_a_call()

    child = os.fork()
    if not child:
        os._exit(connection_of_a_call() is kept)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
