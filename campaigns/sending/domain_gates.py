"""Gates to domains: what a limit, or the answers of their mail exchangers, keep back at a claim.

What is kept back waits as `retry`, uncounted, and spread over the time that it needs: thousands
would else come due in the same second, again and again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from campaigns.models import DomainGroup, DomainLimit, Gate
from campaigns.sending import breaker, windows
from campaigns.sending.domains import group_of
from campaigns.sending.keeping import Kept, keep
from campaigns.sending.outcomes import Deferred, Outcome, Scope

# A group that limits us is shut where at least this part of a chunk's messages to it was deferred:
# a single mailbox may have its reasons.
_TOO_MANY = 0.2
# Messages a second at which those wait that no limit gives a pace.
_PACE = 100.0
# Where hardly more wait than fit into a second, they need not go to the end of the line.
_NEARLY = 2

_CLAIMABLE = """
    SELECT id, domain FROM tracking_delivery
     WHERE id = ANY(%(ids)s) AND run_id = %(run)s
       AND (state = 'queued' OR (state = 'retry' AND next_attempt_at <= %(now)s))
       AND EXISTS (SELECT FROM campaigns_run WHERE id = %(run)s AND status = 'sending')
     ORDER BY id
"""

# Kept back, not deferred: no attempt was made.
_IS_KEPT = "state = 'retry' AND next_attempt_at > %(now)s AND attempts = 0 AND reply_code IS NULL"
_KEPT_DOMAINS = f"SELECT DISTINCT domain FROM tracking_delivery WHERE {_IS_KEPT}"
_RELEASE = f"""
    UPDATE tracking_delivery SET next_attempt_at = %(now)s
     WHERE id IN (SELECT id FROM tracking_delivery
                   WHERE {_IS_KEPT} AND domain = ANY(%(domains)s) ORDER BY id FOR UPDATE)
"""


def locked_gate(transport: int | None, group: str = "") -> Gate:
    """Return a gate, made if there is none, locked until the transaction ends."""
    gates = Gate.objects.select_for_update().filter(transport=transport, group=group)
    if gate := gates.first():
        return gate
    Gate.objects.bulk_create([Gate(transport_id=transport, group=group)], ignore_conflicts=True)
    return gates.get()


def hold_back(run_id: int, ids: list[int], *, transport: int | None, now: datetime) -> list[int]:
    """Return those of `ids` that may be claimed; the others wait, in the same transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIMABLE, {"ids": ids, "run": run_id, "now": now})
        rows: list[tuple[int, str]] = cursor.fetchall()
    by_group: dict[str, list[int]] = defaultdict(list)
    groups = groups_of({domain for _, domain in rows})
    for one, domain in rows:
        by_group[groups[domain]].append(one)
    kept = Kept([], [])
    for gate in _locked_shut(transport, by_group):
        allowed = _by_gate(gate, by_group[gate.group], kept, now=now)
        by_group[gate.group] = by_group[gate.group][:allowed]
    for limit in _locked_limits(transport, by_group):
        allowed = _by_limit(limit, by_group[limit.group], kept, now=now)
        by_group[limit.group] = by_group[limit.group][:allowed]
    keep(run_id, kept, now=now)
    left_out = set(kept.ids)
    return [one for one in ids if one not in left_out]


def report(
    transport: int | None,
    answers: Sequence[tuple[str, Outcome]],
    *,
    at: datetime,
    now: datetime,
    guarded: bool,
) -> None:
    """Tell the gates to the domains what was answered for (address, outcome).

    Admitted at `at`. Without `guarded` no gate to a domain was shut then: only what limits us now
    is looked at.
    """
    if not guarded and not any(_limits_us(outcome) for _, outcome in answers):
        return
    by_domain: dict[str, list[Outcome]] = defaultdict(list)
    for address, outcome in answers:
        by_domain[address.rpartition("@")[2].lower()].append(outcome)
    by_group: dict[str, list[Outcome]] = defaultdict(list)
    for domain, group in groups_of(by_domain).items():
        by_group[group] += by_domain[domain]
    closing = {group for group, found in by_group.items() if _are_too_many(found)}
    half_open = {gate.group for gate in _shut(transport, by_group)}
    for group in sorted(closing | half_open):
        with transaction.atomic():
            _tell(locked_gate(transport, group), by_group[group], at=at, now=now)


@transaction.atomic(durable=True)
def give_back(transport: int | None, addresses: Sequence[str], *, at: datetime) -> None:
    """Take back what the limits counted for these at a claim, then: they were not attempted."""
    counts = Counter(address.rpartition("@")[2].lower() for address in addresses)
    by_group: Counter[str] = Counter()
    for domain, group in groups_of(counts).items():
        by_group[group] += counts[domain]
    for limit in _locked_limits(transport, by_group):
        windows.give_back(limit, limit, by_group[limit.group], at=at)
        limit.save(update_fields=windows.FIELDS)


def release(group: str, *, now: datetime) -> int:
    """Have those looked at again that a limit of the group kept back; return how many.

    They line up anew, behind the limit as it is now.
    """
    DomainLimit.objects.filter(group=group).update(spread_until=None)
    with connection.cursor() as cursor:
        cursor.execute(_KEPT_DOMAINS, {"now": now})
        groups = groups_of(domain for (domain,) in cursor.fetchall())
        domains = [domain for domain, found in groups.items() if found == group]
        cursor.execute(_RELEASE, {"now": now, "domains": domains})
        return int(cursor.rowcount)


def shorten(*, now: datetime) -> None:
    """Have all line up anew behind the limits: some that waited there were given up."""
    waiting = DomainLimit.objects.filter(spread_until__gt=now)
    for group in waiting.values_list("group", flat=True).distinct():
        release(group, now=now)


def groups_of(domains: Iterable[str]) -> dict[str, str]:
    """Return the group of each domain."""
    asked = list(domains)
    rows = DomainGroup.objects.filter(domain__in=asked).values_list("domain", "group")
    named = dict(rows)
    return {domain: group_of(domain, named=named) for domain in asked}


def _shut(transport: int | None, groups: Iterable[str]) -> "list[Gate]":
    not_open = Q(shut_until__isnull=False) | Q(allowance__isnull=False)
    gates = Gate.objects.filter(not_open, transport=transport, group__in=list(groups))
    return list(gates.exclude(group="").order_by("pk"))


def _locked_shut(transport: int | None, groups: Iterable[str]) -> "list[Gate]":
    """Lock them in the order of their ids: two chunks cannot wait for each other."""
    shut = [gate.pk for gate in _shut(transport, groups)]
    return list(Gate.objects.select_for_update().filter(pk__in=shut).order_by("pk"))


def _locked_limits(transport: int | None, groups: Iterable[str]) -> "list[DomainLimit]":
    own = Q(transport__isnull=True) | Q(transport=transport)
    limits = DomainLimit.objects.select_for_update(of=("self",))
    return list(limits.filter(own, group__in=list(groups)).order_by("pk"))


def _by_gate(gate: Gate, ids: list[int], kept: Kept, *, now: datetime) -> int:
    """Return how many may pass; a gate that was shut lets a few through at once, one chunk's."""
    if gate.shut_until and gate.shut_until > now:
        allowed, opens_at = 0, gate.shut_until
    else:
        allowed = len(ids) if gate.allowance is None else min(len(ids), gate.allowance)
        opens_at = now
    if allowed and gate.allowance is not None:
        gate.shut_until = now + breaker.PROBE_FOR
    if allowed < len(ids):
        after = max(opens_at, gate.spread_until or opens_at)
        gate.spread_until = kept.add(ids[allowed:], after=after, pace=_PACE)
    gate.save()
    return allowed


def _by_limit(limit: DomainLimit, ids: list[int], kept: Kept, *, now: datetime) -> int:
    room = windows.room(limit, limit, now=now)
    allowed = len(ids) if room.left is None else min(len(ids), room.left)
    windows.use(limit, limit, allowed, now=now)
    over = ids[allowed:]
    if over and room.more_at:
        is_short = len(over) <= max(1, _NEARLY * room.pace)
        after = room.more_at if is_short else max(room.more_at, limit.spread_until or now)
        end = kept.add(over, after=after, pace=room.pace)
        limit.spread_until = max(end, limit.spread_until or end)
    # Not what people type: a limit may be changed at the same moment.
    limit.save(update_fields=[*windows.FIELDS, "spread_until"])
    return allowed


def _tell(gate: Gate, outcomes: Sequence[Outcome], *, at: datetime, now: datetime) -> None:
    """Shut the gate, or open it a bit; what was admitted before it was shut says nothing new."""
    if gate.shut_at and at <= gate.shut_at:
        return
    refusals = [one for one in outcomes if isinstance(one, Deferred) and _limits_us(one)]
    if _are_too_many(outcomes):
        breaker.shut(gate, refusals[0], now=now)
    elif gate.allowance is not None:
        breaker.widen(gate, is_good=len(refusals) < len(outcomes), now=now)
    gate.save()


def _limits_us(outcome: Outcome) -> bool:
    return isinstance(outcome, Deferred) and outcome.scope is Scope.DOMAIN


def _are_too_many(outcomes: Sequence[Outcome]) -> bool:
    return sum(map(_limits_us, outcomes)) > _TOO_MANY * len(outcomes)
