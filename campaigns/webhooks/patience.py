"""When a call that failed is made again, and how long an endpoint that fails is left alone."""

from datetime import timedelta

from campaigns.sending.retry_policy import Random, spread

GIVE_UP = timedelta(hours=24)  # after a call was first made; of an endpoint, since it fails
REST_AFTER = 5  # calls in a row that failed; then one is tried, until one succeeds

_WAITS = [
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
]
_SHORTEST_REST, _LONGEST_REST = timedelta(seconds=5), timedelta(minutes=15)


def wait(attempts: int, *, random: Random) -> timedelta:
    """Return how long to wait after so many attempts, a fifth more or less."""
    return spread(_WAITS[min(attempts, len(_WAITS)) - 1], random=random)


def rest(failures: int, failing_for: timedelta, *, random: Random) -> timedelta:
    """Return how long to leave an endpoint alone of which so many calls in a row failed.

    As long as it has failed already: of an outage of a minute no more than another one is missed.
    """
    if failures < REST_AFTER:
        return timedelta(0)
    return spread(min(max(failing_for, _SHORTEST_REST), _LONGEST_REST), random=random)
