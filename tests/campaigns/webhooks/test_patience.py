from datetime import timedelta
from itertools import pairwise

from campaigns.webhooks.patience import GIVE_UP, REST_AFTER, rest, wait


def middle() -> float:
    return 0.5


def test_each_wait_is_longer_than_the_one_before_and_many_fit_into_a_day() -> None:
    waits = [wait(attempts, random=middle) for attempts in range(1, 9)]

    assert all(before < after for before, after in pairwise(waits))
    assert sum(waits, timedelta()) < GIVE_UP


def test_a_wait_is_a_fifth_shorter_or_longer() -> None:
    usual = wait(3, random=middle)

    assert wait(3, random=lambda: 0.0) == usual * 0.8
    assert wait(3, random=lambda: 1.0) == usual * 1.2


def test_an_endpoint_rests_after_some_failures_in_a_row_and_never_for_long() -> None:
    minute = timedelta(minutes=1)

    assert rest(REST_AFTER - 1, minute, random=middle) == timedelta(0)
    assert rest(REST_AFTER, timedelta(0), random=middle) == timedelta(seconds=5)
    assert rest(REST_AFTER, minute, random=middle) == minute
    assert rest(10**9, timedelta(hours=20), random=middle) == timedelta(minutes=15)
