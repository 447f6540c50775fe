"""What a bounce, a complaint or an opt-out means for the address that the message went to.

One event suppresses only where a strict code says that the address takes no mail. All else has to
happen again, on other days and in other runs, with nothing between that shows a living mailbox:
that is weighed later, and anew whenever something is told that may change it.
What is the sender's fault (policy, authentication, rate) never counts against a person.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, combinations
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from recipients import notices
from recipients import services as recipients
from recipients.models import Notice, Recipient, SuppressionReason
from recipients.recognising import english, kept
from recipients.suppression import suppress, suppress_all, take_back
from tracking.models import Category, Delivery, DeliveryEvent, EventKind, EventSource
from tracking.owners import MESSAGES

_INVALID = frozenset({Category.INVALID_ADDRESS, Category.INVALID_DOMAIN})
# Counted when they happen again and again. A phrase that says that the address is invalid counts
# here as well: a monthly message would never come back twice within a month.
_SOFT = _INVALID | {
    Category.DISABLED,
    Category.MAILBOX_FULL,
    Category.TRANSIENT,
    Category.EXPIRED,
    Category.LOOP,
    Category.UNKNOWN,
}
# What the next hop said may come to suppress an address; that we gave up in the end, never: a relay
# that is away for days, or a limit of ours, says nothing about anybody.
COUNTED = _SOFT - {Category.EXPIRED}
_LEFT = {
    EventKind.COMPLAINED: (SuppressionReason.COMPLAINT, kept("complaint about %(what)s")),
    EventKind.UNSUBSCRIBED: (SuppressionReason.UNSUBSCRIBED, kept("opt-out by report: %(what)s")),
}
# A message of which nothing came back for so long has arrived: mail systems give up after five days
# (RFC 5321 4.5.4.1).
_SILENCE = timedelta(days=7)
# Soft bounces are weighed so long after they were noted: by then most of what happened before them
# has been told. What is told later has them weighed anew.
WAIT = timedelta(hours=1)
TAKEN_BACK = kept("what was told later of the same messages shows that the address takes mail")
DELIVERY = kept("delivery %(pk)s")
_OURS = kept("message of ours %(pk)s")
_HARD = kept("hard bounce, %(label)s: %(source)s")
_REFUSED = kept("hard bounce: refused at hand-over")
_INVALID_TWICE = kept("invalid by the words of two bounces on different days")
_SOFT_BOUNCES = kept("soft bounces of %(runs)s runs on %(days)s days, and no sign of life between")

# All messages to an address of a recipient.
_OF_ADDRESS = f"""
WITH theirs AS MATERIALIZED (
    {MESSAGES}
), message AS MATERIALIZED (
    SELECT * FROM theirs WHERE key = %(key)s
), event AS MATERIALIZED (
    SELECT event.* FROM message JOIN tracking_deliveryevent event ON event.delivery_id = message.id
), arrived AS (
    SELECT * FROM message
     WHERE NOT EXISTS (SELECT FROM event WHERE event.delivery_id = message.id
                                           AND event.kind IN ('bounced', 'failed'))
)
"""
# What came back of them. A day's notices about one run weigh no more than two: as many as anybody
# writes who has the token of a message.
_TOLD = f"""
{_OF_ADDRESS}
SELECT DISTINCT run_id, unnest(ARRAY[min(at), max(at)]) AS at, category
  FROM event
 WHERE kind = 'bounced' OR kind = 'failed' AND category <> 'expired'
 GROUP BY run_id, category, (at AT TIME ZONE 'UTC')::date
"""
# What shows that somebody has the address: a click, a confirmation, a message that arrived. What a
# provider calls delivered and what comes back later all the same is no such sign. That nothing came
# back is known later than it happened. Of clicks, the first of each run and the last one of all are
# known when the hits are gone.
_SIGNS = f"""
{_OF_ADDRESS}
SELECT hit.at, hit.at FROM theirs JOIN tracking_hit hit ON hit.delivery_id = theirs.id
 WHERE hit.kind = 'click' AND hit.verdict = 'person'
 UNION ALL
SELECT clicked_at, clicked_at FROM tracking_activity
 WHERE recipient_id = ANY(%(ids)s::bigint[]) AND clicked_at IS NOT NULL
 UNION ALL
SELECT clicked_at, clicked_at FROM tracking_engagement
 WHERE recipient_id = ANY(%(ids)s::bigint[]) AND clicked_at IS NOT NULL
 UNION ALL
SELECT occurred_at, occurred_at FROM recipients_consentevent
 WHERE recipient_id = ANY(%(ids)s::bigint[]) AND action = 'confirmed'
 UNION ALL
SELECT finished_at, finished_at + %(silence)s FROM arrived WHERE state = 'sent'
 UNION ALL
SELECT event.at, event.at FROM arrived JOIN event ON event.delivery_id = arrived.id
 WHERE event.kind = 'delivered'
"""
# What happened before staff lifted a suppression is settled.
_SETTLED = """
SELECT max(lifted_at) FROM recipients_liftedsuppression WHERE key = %(key)s AND lifted_by <> ''
"""


class Told(NamedTuple):
    """A message that came back, or was refused."""

    run_id: int
    at: datetime
    category: str


class Sign(NamedTuple):
    """A sign of life: what shows that somebody has the address."""

    at: datetime
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is too much.

    :param soft: so many soft bounces, of so many runs and on so many days
    :param soft_span: so long between the first and the last one of them
    :param repeated: an address that is invalid by words alone is so once more within that time
    """

    soft: int
    soft_span: timedelta
    repeated: timedelta


def limits() -> Limits:
    """Return those of this installation."""
    return Limits(
        settings.SOFT_BOUNCES,
        timedelta(days=settings.SOFT_BOUNCE_DAYS),
        timedelta(days=settings.REPEATED_BOUNCE_DAYS),
    )


def decide(told: Iterable[Told], signs: Iterable[Sign], limits: Limits) -> str:
    """Return why an address came to be suppressed at some time, or nothing.

    By what had happened until then since the last sign of life, and not by when we heard of it.
    """
    soft = sorted((each for each in told if each.category in _SOFT), key=lambda each: each.at)
    signs = sorted(signs, key=lambda sign: sign.known_at)
    known = [sign.known_at for sign in signs]
    alive = [None, *accumulate((sign.at for sign in signs), max)]
    # Of those with the same last sign of life before them, the last one says what all of them say.
    ends = {alive[bisect_right(known, each.at)]: each.at for each in soft}
    weighed = (
        weigh([each for each in soft if each.at <= end and (not since or each.at > since)], limits)
        for since, end in ends.items()
    )
    return next(filter(None, weighed), "")


def weigh(told: Iterable[Told], limits: Limits) -> str:
    """Return why these messages that came back, with no sign of life between, suppress an address.

    More of them never suppress less, whatever their order.
    """
    soft = [each for each in told if each.category in _SOFT]
    invalid = [each for each in soft if each.category in _INVALID]
    # Who has the token of one message may write about it without end.
    of_runs = len({each.run_id for each in invalid})
    if of_runs > 1 and any(_is_repeated(*pair, limits) for pair in combinations(invalid, 2)):
        return _INVALID_TWICE
    days, runs = {each.at.date() for each in soft}, {each.run_id for each in soft}
    times = [each.at for each in soft]
    enough = min(len(days), len(runs)) >= limits.soft
    if enough and max(times) - min(times) >= limits.soft_span:
        return _SOFT_BOUNCES % {"runs": len(runs), "days": len(days)}
    return ""


def _is_repeated(one: Told, other: Told, limits: Limits) -> bool:
    apart = abs(one.at - other.at)
    another_day = one.at.date() != other.at.date()
    return one.run_id != other.run_id and another_day and apart <= limits.repeated


def follow(delivery: Delivery, event: DeliveryEvent, *, now: datetime) -> None:
    """Do what an event that was just noted means at once for the address and its owner.

    What is to be weighed is left for `reconsider`. The caller holds
    `recipients.locks.write_addresses`, and has read the delivery after it, with its owner.
    """
    if not delivery.address:
        return  # nobody knows any more whose it was
    source = DELIVERY % {"pk": delivery.pk}
    match event.kind:
        case EventKind.COMPLAINED | EventKind.UNSUBSCRIBED if event.source != EventSource.LINK:
            reason, what = _LEFT[EventKind(event.kind)]
            _leave(delivery, reason, what % {"what": source}, now)
        case EventKind.BOUNCED | EventKind.FAILED if event.is_hard:
            hard(delivery.key, category=event.category, source=source, now=now)


def reconsider(delivery: Delivery, *, now: datetime) -> None:
    """Suppress the address of a message, or take that back, as all that was told of it says.

    However often it is done, and in whatever order things were told, the end is the same. The
    caller holds and has read the same as for `follow`.
    """
    recipient = delivery.recipient
    if not delivery.address or recipient is None:
        return  # nobody knows any more whose it was
    # Two at once would each see but its own.
    list(Recipient.objects.select_for_update().filter(pk=recipient.pk))
    reason = SuppressionReason.SOFT_BOUNCE
    if why := decide(*_history(recipient.pk, delivery.key), limits()):
        suppress(delivery.key, reason=reason, source=why, now=now)
    else:
        take_back(delivery.key, reason=reason, why=TAKEN_BACK, now=now)


def follow_notice(
    notice: Notice,
    kind: EventKind,
    *,
    category: Category | None,
    is_hard: bool,
    diagnostic: str,
    now: datetime,
) -> None:
    """Do what is said of a message of ours; there is no run in which it would count.

    The caller holds `recipients.locks.write_addresses`.
    """
    source = _OURS % {"pk": notice.pk}
    if left := _LEFT.get(kind):
        reason, what = left
        leave(notice.recipient, reason=reason, source=what % {"what": source}, now=now)
        suppress(notice.key, reason=reason, source=what % {"what": source}, now=now)
    elif kind == EventKind.BOUNCED and category:
        if is_hard:
            hard(notice.key, category=category, source=source, now=now)
        notices.came_back(notice, why=f"{english(category.label)}: {diagnostic}")


def hard(key: str, *, category: str, source: str, now: datetime) -> None:
    """Suppress an address that takes no mail by a strict code."""
    said = _HARD % {"label": english(Category(category).label), "source": source}
    suppress(key, reason=SuppressionReason.BOUNCE, source=said, now=now)


def refused(keys: Iterable[str], *, now: datetime) -> None:
    """Suppress addresses of which the next hop said at once, by a strict code, that it has none."""
    suppress_all(keys, reason=SuppressionReason.BOUNCE, source=_REFUSED, now=now)


def leave(recipient: Recipient, *, reason: SuppressionReason, source: str, now: datetime) -> None:
    """Mail a person no more who complained of a message of ours, or wants none."""
    recipients.leave_everything(recipient, reason=reason, source=source, now=now)


def _leave(delivery: Delivery, reason: SuppressionReason, source: str, now: datetime) -> None:
    """Suppress the address that was mailed, and the person, who may have another one by now."""
    recipient = delivery.recipient
    if recipient:
        leave(recipient, reason=reason, source=source, now=now)
    if recipient is None or recipient.key != delivery.key:
        suppress(delivery.key, reason=reason, source=source, now=now)


def _history(recipient: int, key: str) -> tuple[list[Told], list[Sign]]:
    """Return what came back from an address since staff last lifted something, and its signs."""
    params: dict[str, Any] = {"ids": [recipient], "key": key, "silence": _SILENCE}
    with connection.cursor() as cursor:
        cursor.execute(_SETTLED, params)
        [settled] = cursor.fetchone()
        cursor.execute(_TOLD, params)
        told = [Told(*row) for row in cursor.fetchall()]
        cursor.execute(_SIGNS, params)
        signs = [Sign(*row) for row in cursor.fetchall()]
    return [each for each in told if not settled or each.at > settled], signs
