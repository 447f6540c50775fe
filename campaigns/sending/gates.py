"""Gates: whether messages may leave now, how many, by which transport and on how many connections.

What all workers have to agree on is in PostgreSQL. Where nothing is limited and no gate was shut,
an admission is one SELECT, and a report no statement at all.
"""

import random
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile

from django.db import connection, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from campaigns.models import Gate, Page, PageState, Slot, Transport
from campaigns.sending import breaker, domain_gates, precedence, windows
from campaigns.sending.outcomes import (
    Accepted,
    Cause,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
)

# Messages in doubt, none accepted since, after which a next hop is left alone: one that hangs up at
# the end of each message would else leave nobody of whom anything is known.
DOUBTS = 3
SOON = timedelta(seconds=1)  # until somebody else's connections may be free
# Messages that wait longer will find room when their time comes.
_MESSAGES_WITHIN = timedelta(seconds=60)

# The ways out of runs, with what is needed to say at once that one is not limited and open. An
# installation has a handful of transports and gates; a sender without a route has EMAIL_URL.
_WAYS = """
    SELECT run.id, transport.id, coalesce(transport.name, ''),
           coalesce(transport.encrypted_url, ''), coalesce(route.weight, 1),
           coalesce(transport.per_second, transport.per_hour, transport.per_day,
                    transport.connections) IS NULL
           AND gate.shut_until IS NULL AND gate.allowance IS NULL AS is_plain,
           EXISTS (SELECT FROM campaigns_domainlimit)
           OR EXISTS (SELECT FROM campaigns_gate other
                       WHERE other."group" <> ''
                         AND (other.shut_until IS NOT NULL OR other.allowance IS NOT NULL)),
           run.message_id IS NOT NULL
      FROM campaigns_run run
      JOIN campaigns_campaign campaign ON campaign.id = run.campaign_id
      LEFT JOIN campaigns_route route ON route.sender_id = campaign.sender_id
      LEFT JOIN campaigns_transport transport ON transport.id = route.transport_id
      LEFT JOIN campaigns_gate gate ON gate.transport_id IS NOT DISTINCT FROM transport.id
                                   AND gate."group" = ''
     WHERE run.id = ANY(%(runs)s)
     ORDER BY run.id, transport.id
"""


@dataclass(frozen=True, slots=True)
class Way:
    """A transport that a run may use; `transport` None is the installation's, from EMAIL_URL."""

    run_id: int
    transport: int | None
    name: str
    encrypted_url: str
    weight: int
    is_plain: bool
    """No limit, and the gate is open."""
    guards_domains: bool
    """Somewhere a limit of a domain is set, or a gate to one is shut."""
    is_for_message: bool
    """The run is a single message, which goes before campaigns."""

    @property
    def label(self) -> str:
        named = _("transport %(name)s") % {"name": self.name}
        return named if self.name else _("the server of EMAIL_URL")


@dataclass(frozen=True, slots=True)
class Admission:
    """Leave to hand over `granted` messages by one transport. Where it is none: until when."""

    way: Way
    lease: uuid.UUID
    at: datetime
    granted: int
    connections: int
    resume_at: datetime | None = None
    reason: str = ""
    is_probe: bool = False
    """The gate was shut, and waits to hear what became of these messages."""
    is_metered: bool = False
    """A limit counts them."""
    keeps_connection: bool = True
    """False where connections are limited: the transport is to be closed before the report."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would be admitted now; None: as much as there is."""

    room: int | None
    chunks: int | None = None
    resume_at: datetime | None = None
    reason: str = ""

    def most(self, chunk: int) -> int:
        """Return how many messages may be asked for, in chunks of this size; it must be limited."""
        by_chunks = chunk * self.chunks if self.chunks is not None else None
        return min(one for one in (self.room, by_chunks) if one is not None)

    @property
    def is_limited(self) -> bool:
        return self.room is not None or self.chunks is not None


def admit(
    run_id: int,
    wanted: int,
    *,
    lease: uuid.UUID,
    now: datetime,
    lease_for: timedelta,
    connections: int = 1,
    rng: random.Random | None = None,
) -> Admission:
    """Admit up to `wanted` messages of a run by one of its transports, chosen by weight.

    What is granted counts against the limits at once; `report` gives back what was not used, and
    must be called for each admission that grants something.
    """
    refused: list[Admission] = []
    for way in _in_turn(ways_of([run_id]), rng or random.Random()):  # noqa: S311 - no secret
        asked = Admission(way, lease, now, wanted, connections)
        answer = asked if way.is_plain else _ask(asked, until=now + lease_for)
        if answer.granted:
            return answer
        refused.append(answer)
    return min(refused, key=lambda one: one.resume_at or now)


def report(
    admission: Admission,
    answers: Sequence[tuple[str, Outcome]],
    *,
    now: datetime,
    stopped: Deferred | None = None,
) -> datetime | None:
    """Tell the gates what became of an admission; return until when its transport is shut now.

    `answers` are (address, outcome) of what was attempted; `stopped` is the TRANSPORT-scope
    deferral that ended it, whether or not it is among them.
    """
    domain_gates.report(
        admission.way.transport, answers, at=admission.at, now=now,
        guarded=admission.way.guards_domains,
    )  # fmt: skip
    outcomes = [outcome for _, outcome in answers]
    stopped = stopped or _stop(outcomes) or _doubt(outcomes, 1 if admission.is_probe else DOUBTS)
    if not (stopped or admission.is_metered or admission.is_probe):
        return None
    return _tell(admission, outcomes, stopped, now=now)


def forecast(run_id: int, *, now: datetime) -> Forecast:
    """Return what a run would be admitted at this moment, without taking it."""
    return forecasts([run_id], now=now)[run_id]


def forecasts(run_ids: Sequence[int], *, now: datetime) -> dict[int, Forecast]:
    """Return the forecast of each run."""
    by_run: dict[int, list[Forecast]] = {run_id: [] for run_id in run_ids}
    for way in ways_of(run_ids):
        by_run[way.run_id].append(Forecast(None) if way.is_plain else _look_from_afar(way, now))
    return {run_id: _together(found) for run_id, found in by_run.items()}


def ways_of(run_ids: Sequence[int]) -> list[Way]:
    """Return the ways out of these runs."""
    with connection.cursor() as cursor:
        cursor.execute(_WAYS, {"runs": list(run_ids)})
        return [Way(*row) for row in cursor.fetchall()]


@transaction.atomic
def wake(*, now: datetime, run_id: int | None = None) -> None:
    """Have waiting pages looked at again: a limit was changed, or a gate is open."""
    waiting = Page.objects.filter(state=PageState.WAITING, resume_at__gt=now)
    if run_id is not None:
        waiting = waiting.filter(run=run_id)
    # Whoever opens several pages holds them one after the other: waiting for them, both would.
    free = waiting.select_for_update(skip_locked=True)
    Page.objects.filter(pk__in=free.values("pk")).update(resume_at=now)


def reopen(transport: Transport, *, now: datetime) -> None:
    """Forget why the gates of a transport were shut: somebody has seen to it."""
    shut = Gate.objects.filter(transport=transport, shut_until__gt=now)
    groups = list(shut.exclude(group="").values_list("group", flat=True))
    Gate.objects.filter(transport=transport).update(
        shut_until=None, allowance=None, trips=0, cause="", answer="", spread_until=None
    )
    wake(now=now)
    for group in groups:
        domain_gates.release(group, now=now)


def _in_turn(ways: list[Way], rng: random.Random) -> list[Way]:
    """Return the ways in a random order in which a heavier one tends to be earlier."""
    if len(ways) == 1:
        return ways
    return sorted(ways, key=lambda way: rng.expovariate(way.weight))


@dataclass(frozen=True, slots=True)
class _Look:
    """What a gate and the limits of its transport leave; None: no limit."""

    room: int | None
    connections: int | None
    resume_at: datetime | None
    reason: str


def _look(way: Way, transport: Transport | None, gate: Gate, *, now: datetime) -> _Look:
    if gate.shut_until and gate.shut_until > now:
        return _Look(0, None, gate.shut_until, breaker.in_words(gate, way.label))
    clock = windows.room(transport, gate, now=now) if transport else windows.Room(None)
    of_clock = _("%(label)s may send %(rule)s") % {"label": way.label, "rule": clock.rule}
    reason = of_clock if clock.rule else ""
    if clock.left == 0:
        return _Look(0, None, clock.more_at, reason)
    free = _free_connections(transport, way, now=now)
    if free == 0:
        said = _("all connections that %(label)s may have are in use") % {"label": way.label}
        return _Look(0, 0, now + SOON, said)
    if gate.allowance is not None:
        reason = breaker.in_words(gate, way.label)
    rooms = [one for one in (clock.left, gate.allowance) if one is not None]
    room = min(rooms, default=None)
    if room and not way.is_for_message:
        before = precedence.waiting(way.transport, most=room, within=_MESSAGES_WITHIN, now=now)
        if before == room:
            said = _("single messages go first, and use what %(label)s has")
            return _Look(0, free, now + SOON, said % {"label": way.label})
        room -= before
    return _Look(room, free, clock.more_at, reason)


def _free_connections(transport: Transport | None, way: Way, *, now: datetime) -> int | None:
    if transport is None or transport.connections is None:
        return None
    taken = transport.slots.filter(until__gt=now).aggregate(n=Sum("connections"))["n"] or 0
    most = transport.connections
    # A campaign keeps what it has for seconds: so it leaves one where messages may come.
    if most > 1 and not way.is_for_message and precedence.are_sent_by(way.transport):
        most -= 1
    return max(0, most - taken)


def _look_from_afar(way: Way, now: datetime) -> Forecast:
    transport = _transport(way)
    gate = Gate.objects.filter(transport=way.transport, group="").first() or Gate()
    look = _look(way, transport, gate, now=now)
    return Forecast(look.room, look.connections, look.resume_at, look.reason)


def _together(found: list[Forecast]) -> Forecast:
    """Return the forecast of a run that may use each of these ways."""
    open_ways = [one for one in found if one.room != 0]
    if not open_ways:
        return min(found, key=lambda one: (one.resume_at is None, one.resume_at))
    return replace(
        open_ways[0],
        room=_sum([one.room for one in open_ways]),
        chunks=_sum([one.chunks for one in open_ways]),
    )


def _sum(parts: Sequence[int | None]) -> int | None:
    """Add up; without a limit in one of the parts there is none in all."""
    return None if None in parts else sum(part or 0 for part in parts)


@transaction.atomic(durable=True)
def _ask(asked: Admission, *, until: datetime) -> Admission:
    """Take what the gate and the limits of the transport leave."""
    way, now = asked.way, asked.at
    gate = domain_gates.locked_gate(way.transport)
    transport = _transport(way)
    look = _look(way, transport, gate, now=now)
    granted = min(asked.granted, asked.granted if look.room is None else look.room)
    if not granted:
        return replace(asked, granted=0, resume_at=look.resume_at, reason=look.reason)
    is_probe = gate.allowance is not None
    if is_probe:
        gate.shut_until = now + breaker.PROBE_FOR
    if transport:
        windows.use(transport, gate, granted, now=now)
    gate.save()
    connections = 1 if is_probe else min(asked.connections, granted)
    if transport and look.connections is not None:
        connections = min(connections, look.connections)
        transport.slots.filter(until__lte=now).delete()
        Slot.objects.create(
            lease=asked.lease, transport=transport, connections=connections, until=until
        )
    return replace(
        asked,
        granted=granted,
        connections=connections,
        is_probe=is_probe,
        is_metered=transport is not None,
        keeps_connection=look.connections is None,
    )


@transaction.atomic(durable=True)
def _tell(
    admission: Admission, outcomes: Sequence[Outcome], stopped: Deferred | None, *, now: datetime
) -> datetime | None:
    way = admission.way
    gate = domain_gates.locked_gate(way.transport)
    Slot.objects.filter(lease=admission.lease, transport=way.transport).delete()
    transport = _transport(way)
    if transport:
        unused = admission.granted - len(outcomes)
        windows.give_back(transport, gate, unused, at=admission.at)
    is_stale = gate.shut_at is not None and admission.at <= gate.shut_at
    if stopped and not is_stale:
        breaker.shut(gate, stopped, now=now)
    elif admission.is_probe and not is_stale:
        breaker.widen(gate, is_good=_is_good(outcomes), now=now)
        wake(now=now)
    gate.save()
    return gate.shut_until


def _transport(way: Way) -> Transport | None:
    return Transport.objects.get(pk=way.transport) if way.transport else None


def _stop(outcomes: Iterable[Outcome]) -> Deferred | None:
    """Return the first that speaks of the transport."""
    for one in outcomes:
        if isinstance(one, Deferred) and one.scope is Scope.TRANSPORT:
            return one
    return None


def _doubt(outcomes: Sequence[Outcome], most: int) -> Deferred | None:
    """Return what to say where so many are in doubt since one was accepted."""
    recent = takewhile(lambda one: not isinstance(one, Accepted), reversed(outcomes))
    doubts = [one for one in recent if isinstance(one, InDoubt)]
    if len(doubts) < most:
        return None
    said = f"in doubt: {doubts[0].diagnostic}"
    return Deferred(scope=Scope.TRANSPORT, cause=Cause.OTHER, diagnostic=said)


def _is_good(outcomes: Iterable[Outcome]) -> bool:
    """Whether the next hop took a message, or answered for a recipient: it is there for us."""
    return any(
        isinstance(one, Accepted | Rejected)
        or (isinstance(one, Deferred) and one.scope is not Scope.TRANSPORT)
        for one in outcomes
    )
