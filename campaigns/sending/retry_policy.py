"""When a deferred delivery is attempted again: values in, values out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import gettext_noop

from campaigns.sending.outcomes import Cause, Deferred, Scope
from recipients.recognising import kept

_GIVEN_UP = kept("not delivered within %(count)s %(label)s")
_AFTER_THIS = kept("%(reason)s; last: %(last)s", is_ours="reason")
_UNITS = gettext_noop("hours"), gettext_noop("minutes"), gettext_noop("seconds")

# A number from 0 to 1: random.random, save in tests.
Random = Callable[[], float]

# Nobody empties a mailbox within minutes; RFC 5321 §4.5.4.1 asks for half an hour at least.
MAILBOX_FULL_SCHEDULE = tuple(timedelta(hours=hours) for hours in (1, 4, 12, 24, 24))

JITTER = 0.2  # of the wait, to both sides: what was deferred together does not come back together
SHORTEST_WAIT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait, by what the deferral speaks of.

    `schedule` holds the wait after the first, second … deferral of a recipient; a delivery that is
    deferred once more has failed. Deferrals that speak of the transport or of a domain wait
    `transport_wait` and do not count: how much may pass then is for the gates to say.
    """

    schedule: Sequence[timedelta]
    transport_wait: timedelta

    def wait(self, deferral: Deferred, *, attempts: int, random: Random) -> timedelta | None:
        """Return how long to wait after attempt number `attempts`; None where it was the last."""
        if deferral.scope != Scope.RECIPIENT:
            return spread(self.transport_wait, random=random)
        is_full = deferral.cause == Cause.MAILBOX_FULL
        schedule = MAILBOX_FULL_SCHEDULE if is_full else self.schedule
        if attempts > len(schedule):
            return None
        return spread(schedule[attempts - 1], random=random)


def spread(wait: timedelta, *, random: Random) -> timedelta:
    """Return the wait, up to a fifth longer or shorter, and a second at least."""
    return max(SHORTEST_WAIT, wait * (1 - JITTER + 2 * JITTER * random()))


def expired(time_to_live: timedelta, last: str) -> str:
    """Say that a delivery was given up for its age, and what its last attempt came to."""
    count, unit = _in_words(time_to_live)
    reason = _GIVEN_UP % {"count": count, "label": unit}
    return _AFTER_THIS % {"reason": reason, "last": last} if last else reason


def _in_words(span: timedelta) -> tuple[str, str]:
    for unit, seconds in (("hours", 3600), ("minutes", 60)):
        count, rest = divmod(span.total_seconds(), seconds)
        if not rest:
            return f"{count:.0f}", unit
    return f"{span.total_seconds():g}", "seconds"
