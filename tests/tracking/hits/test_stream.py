import logging
import time

import pytest
import redis
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from tracking.hits.stream import KEY, MOST, Arrival, Entry, Stream, hit_id
from tracking.models import HitKind

CLICK = Arrival(7, 123, 2, 1_790_000_000_000, user_agent="Mozilla/5.0")
OPEN = Arrival(7, 0, None, 1_790_000_000_001, True, "é 中", "192.0.2.0/24", True)


@pytest.fixture
def stream(broker: redis.Redis) -> Stream:
    return Stream(broker)


def read(stream: Stream, consumer: str = "one", *, claim_after_ms: int = 60_000) -> list[Entry]:
    return stream.read(consumer=consumer, most=10, claim_after_ms=claim_after_ms)


def of(entries: list[Entry]) -> list[Arrival]:
    return [hit for entry in entries for hit in entry.hits.values()]


def test_what_was_written_is_read_in_order_and_settled_once(stream: Stream) -> None:
    stream.write([CLICK, OPEN])
    stream.write([CLICK])

    entries = read(stream)

    assert of(entries) == [CLICK, OPEN, CLICK]
    assert [hit.kind for hit in of(entries)] == [HitKind.CLICK, HitKind.OPEN, HitKind.CLICK]
    assert list(entries[0].hits) == [hit_id(entries[0].id, 0), hit_id(entries[0].id, 1)]
    assert read(stream) == []
    stream.settle(entries)
    assert stream.length() == 0
    assert read(stream, claim_after_ms=0) == []


def test_who_reads_again_and_again_needs_no_more_than_a_connection(broker: redis.Redis) -> None:
    with redis.Redis.from_url(settings.REDIS_URL, max_connections=1) as client:
        assert [Stream(client).read(consumer="one", most=1) for _ in range(3)] == [[], [], []]


def test_what_a_dead_consumer_held_is_claimed_with_the_same_ids(
    stream: Stream, broker: redis.Redis
) -> None:
    stream.write([CLICK])
    stream.write([OPEN])
    held = read(stream, "dead")
    broker.xdel(KEY, held[0].id)
    stream.write([CLICK])

    assert of(read(stream, "next")) == [CLICK]
    claimed = read(stream, "next", claim_after_ms=0)

    assert held[1] in claimed
    assert held[0] not in claimed


def test_a_reader_goes_on_when_redis_was_emptied(stream: Stream, broker: redis.Redis) -> None:
    stream.write([OPEN])
    read(stream)
    broker.flushall()

    assert read(stream) == []
    stream.write([CLICK])

    assert of(read(stream)) == [CLICK]


@given(
    st.builds(
        Arrival,
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**63 - 1),
        st.none() | st.integers(0, 32_767),
        st.integers(0, 2**41 - 1),
        st.booleans(),
        st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=300),
        st.sampled_from(["", "192.0.2.0/24", "2001:db8::/48"]),
        st.booleans(),
    )
)
def test_a_line_says_what_a_hit_said(hit: Arrival) -> None:
    assert Arrival.of_line(hit.line()) == hit


def test_a_line_that_nobody_can_read_is_logged_and_holds_up_nothing(
    stream: Stream, broker: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    broker.xadd(KEY, {"b": b"7\t\xff\n" + CLICK.line().encode()})

    with caplog.at_level(logging.ERROR):
        [entry] = read(stream)

    assert entry.hits == {hit_id(entry.id, 1): CLICK}
    assert "cannot be read" in caplog.text


def test_ids_follow_the_order_and_stay_within_what_a_row_can_hold() -> None:
    places = [("1-0", 0), ("1-0", 1), ("1-0", 2**14 - 1), ("1-1", 0), ("1-255", 9), ("2-0", 0)]

    ids = [hit_id(*place) for place in [*places, (f"{2**41 - 1}-255", 2**14 - 1)]]

    assert ids == sorted(set(ids))
    assert ids[-1] == 2**63 - 1
    assert ids[0] == 1 << 22


@pytest.mark.parametrize("place", [(f"{2**41}-0", 0), ("1-256", 0), ("1-0", 2**14), ("1-0", -1)])
def test_a_place_without_an_id_is_refused(place: tuple[str, int]) -> None:
    with pytest.raises(ValueError, match="no id for hit"):
        hit_id(*place)


def test_an_entry_takes_so_many_hits_and_no_more(stream: Stream) -> None:
    stream.write([CLICK] * MOST)

    with pytest.raises(ValueError, match="too many"):
        stream.write([CLICK] * (MOST + 1))

    assert stream.length() == 1


def test_each_hit_has_an_id_though_the_clock_of_redis_was_set_back(
    stream: Stream, broker: redis.Redis
) -> None:
    an_hour_ahead = int(time.time() * 1000) + 3_600_000
    broker.xadd(KEY, {"b": OPEN.line()}, id=f"{an_hour_ahead}-0")
    another = Stream(broker)

    for _ in range(200):
        stream.write([CLICK])
        another.write([CLICK])

    entries = stream.read(consumer="one", most=1_000)
    ids = [each for entry in entries for each in entry.hits]
    assert len(set(ids)) == 401
    assert ids == sorted(ids)
