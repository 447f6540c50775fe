import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from prometheus_client import REGISTRY
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.live import wait_until
from tests.tracking.hits.conftest import MortalRedis
from tracking.hits.stream import KEY, Arrival, Stream
from tracking.hits.writer import Writer

PAUSE = 0.05


def hit(number: int) -> Arrival:
    return Arrival(7, number, None, 1_790_000_000_000)


@pytest.fixture
def stream(its_redis: MortalRedis) -> Stream:
    its_redis.up()
    its_redis.client.flushall()
    return Stream(
        redis.Redis.from_url(its_redis.url, socket_timeout=0.2, retry=Retry(NoBackoff(), 0))
    )


def deliveries(stream: Stream) -> list[int]:
    entries = stream.read(consumer="test", most=100_000, claim_after_ms=0)
    return [hit.delivery_id for entry in entries for hit in entry.hits.values()]


def catching_up() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "hits"]


def test_each_hit_of_sixteen_threads_is_in_redis_when_put_returns(stream: Stream) -> None:
    writer = Writer(stream)
    client: Any = stream._client

    def put(number: int) -> bool:
        writer.put(hit(number))
        return any(
            line.split(b"\t")[1] == b"%d" % number
            for _, fields in client.xrevrange(KEY, count=50)
            for line in fields[b"b"].split(b"\n")
        )

    with ThreadPoolExecutor(16) as pool:
        were_there = list(pool.map(put, range(400)))

    assert all(were_there)
    assert sorted(deliveries(stream)) == list(range(400))
    assert stream.length() <= 400


def test_hits_that_come_while_a_group_is_written_share_one_entry(
    stream: Stream, its_redis: MortalRedis
) -> None:
    writer = Writer(stream)
    writer.put(hit(0))
    writer._writing.acquire()  # a group before is under way

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(writer.put, hit(number)) for number in range(1, 9)]
        wait_until(lambda: len(writer._group.arrivals) == 8, "all have joined")
        assert not any(future.done() for future in waiting)
        writer._writing.release()

    assert stream.length() == 2
    assert sorted(deliveries(stream)) == list(range(9))


def test_hits_wait_in_memory_while_redis_is_down_and_are_written_in_order(
    stream: Stream, its_redis: MortalRedis, caplog: pytest.LogCaptureFixture
) -> None:
    writer = Writer(stream, pause=PAUSE)
    writer.put(hit(0))
    its_redis.kill()

    for number in range(1, 4):
        writer.put(hit(number))
    told = REGISTRY.get_sample_value("godwit_hits_kept")
    its_redis.up()
    wait_until(lambda: not catching_up(), "what was kept is written")
    writer.put(hit(4))

    assert deliveries(stream) == [0, 1, 2, 3, 4]
    assert "Redis is away" in caplog.text
    assert "3 hits were written late, 0 lost" in caplog.text
    assert (told, REGISTRY.get_sample_value("godwit_hits_kept")) == (3, 0)


def test_a_redis_that_was_started_anew_meanwhile_is_not_away(
    stream: Stream, its_redis: MortalRedis, caplog: pytest.LogCaptureFixture
) -> None:
    writer = Writer(stream)
    writer.put(hit(0))
    its_redis.down()
    its_redis.up()

    writer.put(hit(1))

    assert deliveries(stream)[-1] == 1
    assert "away" not in caplog.text


def test_a_redis_that_hangs_is_waited_for_once_and_not_by_each(
    stream: Stream, its_redis: MortalRedis
) -> None:
    writer = Writer(stream, pause=PAUSE)
    writer.put(hit(0))
    its_redis.hang()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: writer.put(hit(number)), range(1, 101)))

    assert {*writer._kept} == {hit(number) for number in range(1, 101)}
    its_redis.go_on()
    wait_until(lambda: not catching_up(), "what was kept is written")
    # Once more where Redis had taken it, and only did not say so in time.
    assert {*deliveries(stream)} == set(range(101))


def test_no_more_is_kept_than_there_is_room_for(
    stream: Stream, its_redis: MortalRedis, caplog: pytest.LogCaptureFixture
) -> None:
    writer = Writer(stream, room=10, pause=PAUSE)
    its_redis.kill()

    for number in range(25):
        writer.put(hit(number))
    its_redis.up()
    wait_until(lambda: not catching_up(), "what was kept is written")

    assert deliveries(stream) == list(range(10))
    assert "10 hits were written late, 15 lost" in caplog.text
