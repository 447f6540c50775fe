"""A breaker: it shuts a gate on what the next hop answers, and opens it again step by step.

It sets the fields of a gate and writes nothing.
"""

import re
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from campaigns.models import Gate
from campaigns.sending.outcomes import Cause, Deferred

# One message tries a gate that was shut; another one is let through only after that time.
PROBE_FOR = timedelta(seconds=30)
OPEN_ABOVE = 500  # messages at once, after which nothing is held back any more

# What cures by itself is tried again soon; a limit of somebody else's would be prolonged by that.
_LONGEST = timedelta(minutes=10)
_LONGEST_LIMITED = timedelta(minutes=120)

# The first that fits "<cause> <answer>".
_WORDS = (
    (r"authentication (53|454)", _("%(label)s refused the user name or password")),
    (
        r"authentication .*(certificate|hostname mismatch)",
        _("%(label)s has a certificate that is not trusted"),
    ),
    (r"authentication .*starttls", _("%(label)s offers no encryption")),
    (r"authentication [45]", _("%(label)s does not accept us")),
    (r"authentication", _("%(label)s cannot be used")),
    (r"rate_limited", _("%(label)s limits how much we may send")),
    (r"connection [45]\d\d", _("%(label)s takes no messages now")),
    (r"connection", _("%(label)s cannot be reached")),
    (r"other in doubt", _("%(label)s leaves it open whether it took the last messages")),
    (r"", _("%(label)s takes no messages")),
)


def shut(gate: Gate, deferral: Deferred, *, now: datetime) -> None:
    """Shut a gate for this answer, the longer the more often it happened in a row."""
    gate.cause = deferral.cause.value
    gate.answer = _answer(deferral)
    gate.shut_at = now
    gate.shut_until = now + _wait(gate.cause, gate.trips)
    gate.trips += 1
    gate.allowance = 1


def widen(gate: Gate, *, is_good: bool, now: datetime) -> None:
    """Let twice as many through where the last ones went well, and all in the end.

    A server that is back, or knows our password again, is used at once as it was before: only who
    limits us is approached slowly.
    """
    gate.shut_until = now
    if not (is_good and gate.allowance):
        return
    gate.allowance *= 2
    if gate.allowance > OPEN_ABOVE or gate.cause != Cause.RATE_LIMITED:
        gate.shut_until = gate.allowance = None
        gate.trips, gate.cause, gate.answer = 0, "", ""


def _wait(cause: str, trips: int) -> timedelta:
    doubled: int = 2 ** min(trips, 16)
    if cause == Cause.RATE_LIMITED:
        base = timedelta(seconds=settings.BREAKER_SECONDS)
        return min(base * doubled, max(base, _LONGEST_LIMITED))
    base = timedelta(seconds=settings.TRANSPORT_WAIT_SECONDS)
    return min(base * doubled, max(base, _LONGEST))


def _answer(deferral: Deferred) -> str:
    parts = (deferral.reply_code, deferral.enhanced_status_code, deferral.diagnostic)
    return " ".join(str(part) for part in parts if part)


def in_words(gate: Gate, label: str) -> str:
    """Say why a gate was shut."""
    found = f"{gate.cause} {gate.answer}"
    words = next(words for rule, words in _WORDS if re.match(rule, found, re.IGNORECASE))
    said = words % {"label": label}
    return f"{said} ({gate.answer})" if gate.answer else said
