"""Guard: warn of a run that receivers turn against, and pause it before it harms its sender."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from campaigns import reasons
from campaigns.models import Run, RunStatus
from campaigns.sending import domain_gates
from tracking.models import Category

ENOUGH = 200  # messages
# One person's complaint would say too much of fewer: of a thousand, four are more than 0.3 %.
ENOUGH_FOR_COMPLAINTS = 1_000
WINDOW = timedelta(minutes=15)  # in which refusals are counted, by groups of domains
# What is the sender's fault and not the recipient's.
_REFUSALS = (Category.POLICY_CONTENT, Category.POLICY_REPUTATION, Category.AUTH)


@dataclass(frozen=True, slots=True)
class Limits:
    """Percentages above which a run is paused; 0: never. It warns from a part of each on."""

    hard_bounces: float
    complaints: float
    refusals: float


class Alarm(NamedTuple):
    pauses: bool
    words: str


# Of messages that were sent since a person last said go: with the same ones, the run would be
# paused again at once.
_CAME_BACK = """
SELECT count(DISTINCT event.delivery_id) FILTER (WHERE event.is_hard),
       count(DISTINCT event.delivery_id) FILTER (WHERE event.kind = 'complained')
  FROM tracking_deliveryevent event
 WHERE event.run_id = %(run)s
   AND (event.kind IN ('failed', 'bounced') AND event.is_hard OR event.kind = 'complained')
   AND (%(released)s::timestamptz IS NULL
        OR EXISTS (SELECT FROM tracking_delivery delivery
                    WHERE delivery.id = event.delivery_id
                      AND delivery.finished_at > %(released)s))
"""

# A relay takes everything, and what receivers say of it comes back as bounces: both count.
_REFUSED = """
SELECT delivery.domain, count(DISTINCT delivery.id), min(delivery.id), max(delivery.id)
  FROM tracking_deliveryevent event
  JOIN tracking_delivery delivery ON delivery.id = event.delivery_id
 WHERE event.run_id = %(run)s AND event.kind IN ('failed', 'bounced')
   AND event.category = ANY(%(refusals)s)
   AND event.at > %(since)s AND delivery.attempted_at > %(since)s
 GROUP BY delivery.domain
"""

# Asked only where enough was refused. No index knows when a message was attempted, for that would
# cost each of them; those of the last minutes stand where pages were sent, or something refused.
_ATTEMPTED = """
WITH bounds AS (
    SELECT least(min(first_delivery), %(first)s) AS first,
           greatest(max(last_delivery), %(last)s) AS last
      FROM campaigns_page WHERE run_id = %(run)s AND moved_at > %(since)s
)
SELECT delivery.domain, count(*)
  FROM bounds
  JOIN tracking_delivery delivery ON delivery.id BETWEEN bounds.first AND bounds.last
 WHERE delivery.run_id + 0 = %(run)s AND delivery.attempted_at > %(since)s
   AND delivery.state IN ('sent', 'failed', 'retry', 'unconfirmed')
 GROUP BY delivery.domain
"""


def limits() -> Limits:
    """Return those of this installation."""
    return Limits(settings.GUARD_HARD_BOUNCES, settings.GUARD_COMPLAINTS, settings.GUARD_REFUSALS)


def watch(run_id: int, *, now: datetime) -> bool:
    """Warn of a run that is being sent, or pause it, and say why; return whether it was paused."""
    going = Run.objects.having(RunStatus.SENDING).with_counters()
    run = going.exclude(counters=None).filter(pk=run_id).first()
    if run is None:
        return False
    found = [*_of_messages(run, limits()), *_of_domains(run, limits(), now=now)]
    alarm = max(found, key=lambda each: each.pauses, default=Alarm(False, ""))
    # Of the run as it was read: a person may have said go meanwhile, and what they saw is settled.
    same = Run.objects.having(RunStatus.SENDING).filter(pk=run_id, released_at=run.released_at)
    if alarm.pauses:
        return bool(same.pause(alarm.words))
    if alarm.words != run.warning:
        same.warn(alarm.words)
    return False


def _of_messages(run: Run, limits: Limits) -> Iterator[Alarm]:
    """Judge by what came back of all messages since the run began, or was resumed."""
    sent = run.counters.sent - run.sent_before
    mailed = sent + run.counters.failed - run.failed_before
    if mailed < ENOUGH:
        return
    with connection.cursor() as cursor:
        cursor.execute(_CAME_BACK, {"run": run.pk, "released": run.released_at})
        hard, complained = cursor.fetchone()
    yield from _judged(
        hard,
        mailed,
        limits.hard_bounces,
        warns_from=2,
        form=reasons.NO_SUCH_ADDRESSES,
    )
    if sent >= ENOUGH_FOR_COMPLAINTS:
        yield from _judged(
            complained,
            sent,
            limits.complaints,
            warns_from=3,
            form=reasons.COMPLAINTS,
        )


def _of_domains(run: Run, limits: Limits, *, now: datetime) -> Iterator[Alarm]:
    """Judge by what each group of domains refused of late because of the sender or the content."""
    if not limits.refusals:
        return
    since = max(filter(None, (now - WINDOW, run.released_at)))
    refusals = [each.value for each in _REFUSALS]
    params: dict[str, Any] = {"run": run.pk, "since": since, "refusals": refusals}
    with connection.cursor() as cursor:
        cursor.execute(_REFUSED, params)
        rows = cursor.fetchall()
        refused = {domain: count for domain, count, _, _ in rows}
        least = ENOUGH * limits.refusals / 100 / 2
        if sum(refused.values()) <= least:
            return
        first, last = min(row[2] for row in rows), max(row[3] for row in rows)
        cursor.execute(_ATTEMPTED, {**params, "first": first, "last": last})
        attempted = dict(cursor.fetchall())
    of_groups = _by_group(refused, attempted)
    for group, (count, attempts) in sorted(of_groups.items(), key=lambda each: -each[1][0]):
        if attempts >= ENOUGH:
            yield from _judged(
                count,
                attempts,
                limits.refusals,
                warns_from=2,
                form=reasons.REFUSED,
                group=group,
            )


def _by_group(
    refused: Mapping[str, int], attempted: Mapping[str, int]
) -> dict[str, tuple[int, int]]:
    """Return the refusals and the attempts of each group in which something was refused."""
    groups = domain_gates.groups_of({*refused, *attempted})
    attempts: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for domain, group in groups.items():
        attempts[group] += attempted.get(domain, 0)
        refusals[group] += refused.get(domain, 0)
    return {group: (count, attempts[group]) for group, count in refusals.items() if count}


def _judged(
    count: int, base: int, limit: float, *, warns_from: int, form: str, group: str = ""
) -> Iterator[Alarm]:
    """Raise an alarm above the limit, and a lesser one above this part of it."""
    if not limit or 100 * count * warns_from <= limit * base:
        return
    part = f"{100 * count / base:.3g}"
    about = {"part": part, "base": f"{base:,}", "limit": f"{limit:g}", "group": group}
    yield Alarm(100 * count > limit * base, form % about)
