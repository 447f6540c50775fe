from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.sending.outcomes import Cause, Deferred, Scope
from campaigns.sending.retry_policy import MAILBOX_FULL_SCHEDULE, RetryPolicy, expired, spread

MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)
POLICY = RetryPolicy(
    schedule=[5 * MINUTES, 15 * MINUTES, 30 * MINUTES, HOURS, 2 * HOURS],
    transport_wait=timedelta(seconds=30),
)
RANDOM = st.floats(0, 1)
WAITS = st.timedeltas(timedelta(), timedelta(days=365))


def middle() -> float:
    return 0.5


def deferral(cause: Cause, scope: Scope = Scope.RECIPIENT) -> Deferred:
    return Deferred(scope=scope, cause=cause)


def waits(cause: Cause, *, count: int) -> list[timedelta | None]:
    return [
        POLICY.wait(deferral(cause), attempts=attempts, random=middle)
        for attempts in range(1, count + 1)
    ]


@pytest.mark.parametrize("cause", [Cause.GREYLISTED, Cause.OTHER])
def test_a_recipient_waits_as_the_schedule_says_and_then_no_longer(cause: Cause) -> None:
    assert waits(cause, count=6) == [*POLICY.schedule, None]


def test_a_full_mailbox_is_given_more_time() -> None:
    assert waits(Cause.MAILBOX_FULL, count=6) == [*MAILBOX_FULL_SCHEDULE, None]


@pytest.mark.parametrize("scope", [Scope.DOMAIN, Scope.TRANSPORT])
@pytest.mark.parametrize("attempts", [1, 6, 1_000])
def test_what_is_not_the_recipients_fault_waits_without_end(scope: Scope, attempts: int) -> None:
    for cause in (Cause.RATE_LIMITED, Cause.CONNECTION, Cause.AUTHENTICATION):
        wait = POLICY.wait(deferral(cause, scope), attempts=attempts, random=middle)

        assert wait == POLICY.transport_wait


@given(WAITS, RANDOM)
def test_a_wait_is_spread_by_a_fifth_and_is_a_second_at_least(
    wait: timedelta, number: float
) -> None:
    spread_wait = spread(wait, random=lambda: number)

    second = timedelta(seconds=1)
    assert max(second, wait * 0.8) <= spread_wait <= max(second, wait * 1.2)


@pytest.mark.parametrize(("number", "seconds"), [(0.0, 80), (0.5, 100), (1.0, 120)])
def test_the_spread_goes_to_both_sides(number: float, seconds: int) -> None:
    assert spread(timedelta(seconds=100), random=lambda: number) == timedelta(seconds=seconds)


@given(st.integers(1, 4), RANDOM)
def test_a_later_attempt_waits_longer_and_a_full_mailbox_longest(
    attempts: int, number: float
) -> None:
    def wait(cause: Cause, attempts: int) -> timedelta:
        found = POLICY.wait(deferral(cause), attempts=attempts, random=lambda: number)
        assert found is not None
        return found

    assert wait(Cause.OTHER, attempts) < wait(Cause.OTHER, attempts + 1)
    assert wait(Cause.MAILBOX_FULL, attempts) <= wait(Cause.MAILBOX_FULL, attempts + 1)
    assert wait(Cause.GREYLISTED, attempts) < wait(Cause.MAILBOX_FULL, attempts)


@pytest.mark.parametrize(
    ("time_to_live", "last", "text"),
    [
        (72 * HOURS, "4.7.1 Greylisted", "not delivered within 72 hours; last: 4.7.1 Greylisted"),
        (90 * MINUTES, "", "not delivered within 90 minutes"),
        (timedelta(seconds=61), "", "not delivered within 61 seconds"),
    ],
)
def test_what_is_given_up_says_after_how_long_and_why(
    time_to_live: timedelta, last: str, text: str
) -> None:
    assert expired(time_to_live, last) == text
