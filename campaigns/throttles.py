"""What a run may send now: by each of its ways out, and to the domains that are kept back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.models import DomainLimit, Gate, Run, Transport
from campaigns.sending import breaker, gates, windows

SHOWN = 20  # limits and gates of domains


@dataclass(frozen=True, slots=True)
class Throttle:
    """A way out, or a domain that is kept back; `pace` None: as fast as it goes."""

    name: str
    state: str
    word: str
    rule: str = ""
    """The tightest limit, as in "5 messages a second"."""
    why: str = ""
    until: datetime | None = None
    pace: float | None = None
    """Messages a second that it allows."""


def of_run(run: Run, *, now: datetime) -> tuple[list[Throttle], list[Throttle]]:
    """Return the ways out of a run, and what keeps back some of its domains; five queries."""
    ways = gates.ways_of([run.pk])
    ids = [way.transport for way in ways if way.transport]
    transports = Transport.objects.in_bulk(ids)
    own = Q(transport__in=ids)
    if len(ids) < len(ways):  # one of them is the server of EMAIL_URL
        own |= Q(transport=None)
    shut = {gate.transport_id: gate for gate in Gate.objects.filter(own, group="")}
    found = [
        _way(way.label, transports.get(way.transport or 0), shut.get(way.transport), now=now)
        for way in ways
    ]
    return found, _domains(own, now=now)


def pace_of(ways: Sequence[Throttle]) -> float | None:
    """Return how many messages a second all of these allow; None: as many as go."""
    paces = [way.pace for way in ways]
    return None if None in paces or not paces else sum(pace or 0 for pace in paces)


def _way(name: str, transport: Transport | None, gate: Gate | None, *, now: datetime) -> Throttle:
    clock = windows.room(transport, gate or Gate(), now=now) if transport else windows.Room(None)
    pace = clock.pace if clock.rule else None
    if gate and gate.shut_until and gate.shut_until > now:
        why = breaker.in_words(gate, name)
        return Throttle(name, "failed", _("Shut"), clock.rule, why, gate.shut_until, 0.0)
    if gate and gate.allowance is not None:
        why = breaker.in_words(gate, name)
        return Throttle(name, "warning", _("Opens slowly"), clock.rule, why, None, pace)
    if clock.left == 0:
        return Throttle(name, "retry", _("Limit reached"), clock.rule, "", clock.more_at, pace)
    return Throttle(name, "done", _("Open"), clock.rule, "", None, pace)


def _domains(own: Q, *, now: datetime) -> list[Throttle]:
    kept = Gate.objects.limited(now=now).filter(own)
    shut = [
        Throttle(
            gate.group,
            "failed" if gate.shut_until and gate.shut_until > now else "warning",
            _("Shut") if gate.shut_until and gate.shut_until > now else _("Opens slowly"),
            why=breaker.in_words(gate, gate.group),
            until=gate.shut_until,
        )
        for gate in kept.exclude(group="").order_by("-shut_until")[:SHOWN]
    ]
    limits = DomainLimit.objects.filter(own | Q(transport=None)).order_by("group")[:SHOWN]
    limited = [(limit, windows.room(limit, limit, now=now)) for limit in limits]
    return shut + [
        Throttle(limit.group, "scheduled", _("Limited"), room.rule, "", limit.spread_until)
        for limit, room in limited
    ]
