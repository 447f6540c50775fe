"""What a bounce, a complaint or an opt-out means for the address that the message went to.

One event suppresses only where a strict code says that the address takes no mail. All else has to
happen again, on other days and in other runs, with nothing between that shows a living mailbox.
What is the sender's fault (policy, authentication, rate) never counts against a person.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from recipients import notices
from recipients import services as recipients
from recipients.merging import taken_over
from recipients.models import Notice, Recipient, SuppressionReason
from recipients.suppression import suppress, suppress_all
from tracking.models import Category, Delivery, DeliveryEvent, EventKind, EventSource

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
    EventKind.COMPLAINED: (SuppressionReason.COMPLAINT, "complaint about"),
    EventKind.UNSUBSCRIBED: (SuppressionReason.UNSUBSCRIBED, "opt-out by report:"),
}
# A message of which nothing came back for so long has arrived: mail systems give up after five days
# (RFC 5321 4.5.4.1).
_SILENCE = timedelta(days=7)

# What came back of messages to this address since it last showed that somebody has it: by a click,
# by a confirmation, by a message that arrived, or by staff, who lifted a suppression. What a
# provider calls delivered and what comes back later all the same is no such sign.
_TOLD = """
WITH deliveries AS (
    SELECT delivery.id, delivery.state, delivery.finished_at,
           EXISTS (SELECT FROM tracking_deliveryevent event
                    WHERE event.delivery_id = delivery.id
                      AND event.kind IN ('bounced', 'failed')) AS came_back
      FROM tracking_delivery delivery
     WHERE delivery.recipient_id = %(recipient)s AND delivery.key = %(key)s
), alive AS (
    SELECT GREATEST(
        (SELECT clicked_at FROM tracking_activity WHERE recipient_id = %(recipient)s),
        (SELECT max(occurred_at) FROM recipients_consentevent
          WHERE recipient_id = %(recipient)s AND action = 'confirmed'),
        (SELECT max(lifted_at) FROM recipients_liftedsuppression WHERE key = %(key)s),
        (SELECT max(finished_at) FROM deliveries
          WHERE state = 'sent' AND NOT came_back AND finished_at < %(silent)s),
        (SELECT max(event.at) FROM deliveries
           JOIN tracking_deliveryevent event ON event.delivery_id = deliveries.id
          WHERE NOT came_back AND event.kind = 'delivered')
    ) AS at
)
SELECT event.run_id, event.at, event.category
  FROM deliveries JOIN tracking_deliveryevent event ON event.delivery_id = deliveries.id
       CROSS JOIN alive
 WHERE (event.kind = 'bounced' OR event.kind = 'failed' AND event.category <> 'expired')
   AND (alive.at IS NULL OR event.at > alive.at)
 ORDER BY event.at, event.id
"""


class Told(NamedTuple):
    """A message that came back, or was refused."""

    run_id: int
    at: datetime
    category: str


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


def weigh(told: Iterable[Told], limits: Limits) -> str:
    """Return why these messages that came back suppress their address, or nothing.

    More of them never suppress less, whatever their order.
    """
    soft = [each for each in told if each.category in _SOFT]
    invalid = [each for each in soft if each.category in _INVALID]
    if any(_is_repeated(*pair, limits) for pair in combinations(invalid, 2)):
        return "invalid by the words of two bounces on different days"
    days, runs = {each.at.date() for each in soft}, {each.run_id for each in soft}
    times = [each.at for each in soft]
    enough = min(len(days), len(runs)) >= limits.soft
    if enough and max(times) - min(times) >= limits.soft_span:
        return f"soft bounces of {len(runs)} runs on {len(days)} days, and no sign of life between"
    return ""


def _is_repeated(one: Told, other: Told, limits: Limits) -> bool:
    apart = abs(one.at - other.at)
    another_day = one.at.date() != other.at.date()
    return one.run_id != other.run_id and another_day and apart <= limits.repeated


def follow(delivery: Delivery, event: DeliveryEvent, *, now: datetime) -> None:
    """Do what an event that was just noted means for the address and its owner.

    The caller holds `recipients.locks.write_addresses`, and has read the delivery after it.
    """
    if not delivery.address:
        return  # nobody knows any more whose it was
    source = f"delivery {delivery.pk}"
    match event.kind:
        case EventKind.COMPLAINED | EventKind.UNSUBSCRIBED if event.source != EventSource.LINK:
            reason, what = _LEFT[EventKind(event.kind)]
            _leave(delivery, reason, f"{what} {source}", now)
        case EventKind.BOUNCED | EventKind.FAILED:
            _bounced(delivery, event, now)


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
    source = f"message of ours {notice.pk}"
    if left := _LEFT.get(kind):
        reason, what = left
        leave(notice.recipient, reason=reason, source=f"{what} {source}", now=now)
        suppress(notice.key, reason=reason, source=f"{what} {source}", now=now)
    elif kind == EventKind.BOUNCED and category:
        if is_hard:
            hard(notice.key, category=category, source=source, now=now)
        notices.came_back(notice, why=f"{category.label}: {diagnostic}")


def hard(key: str, *, category: str, source: str, now: datetime) -> None:
    """Suppress an address that takes no mail by a strict code."""
    label = Category(category).label
    reason = SuppressionReason.BOUNCE
    suppress(key, reason=reason, source=f"hard bounce, {label}: {source}", now=now)


def refused(keys: Iterable[str], *, now: datetime) -> None:
    """Suppress addresses of which the next hop said at once, by a strict code, that it has none."""
    suppress_all(
        keys, reason=SuppressionReason.BOUNCE, source="hard bounce: refused at hand-over", now=now
    )


def leave(recipient: Recipient, *, reason: SuppressionReason, source: str, now: datetime) -> None:
    """Mail a person no more who complained of a message of ours, or wants none."""
    recipients.leave_everything(recipient, reason=reason, source=source, now=now)


def _leave(delivery: Delivery, reason: SuppressionReason, source: str, now: datetime) -> None:
    """Suppress the address that was mailed, and the person, who may have another one by now."""
    recipient = delivery.recipient or taken_over(delivery.key)
    if recipient:
        leave(recipient, reason=reason, source=source, now=now)
    if recipient is None or recipient.key != delivery.key:
        suppress(delivery.key, reason=reason, source=source, now=now)


def _bounced(delivery: Delivery, event: DeliveryEvent, now: datetime) -> None:
    if event.is_hard:
        source = f"delivery {delivery.pk}"
        hard(delivery.key, category=event.category, source=source, now=now)
    elif event.category in _SOFT and delivery.recipient_id:
        # Two at once would each see but its own.
        list(Recipient.objects.select_for_update().filter(pk=delivery.recipient_id))
        if why := weigh(_told(delivery, now), limits()):
            suppress(delivery.key, reason=SuppressionReason.BOUNCE, source=why, now=now)


def _told(delivery: Delivery, now: datetime) -> list[Told]:
    params = {
        "recipient": delivery.recipient_id,
        "key": delivery.key,
        "silent": now - _SILENCE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TOLD, params)
        return [Told(*row) for row in cursor.fetchall()]
