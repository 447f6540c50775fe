"""Deliveries that may have arrived or not: found, and settled one way or the other."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from recipients.recognising import kept
from tracking import ledger
from tracking.models import Delivery

# A worker may come back with the answer at the same moment: whoever comes first is right. What a
# cancelled run sent stays in doubt: nothing of it is sent again, and it may have arrived.
_DOUBTED = """
    SELECT delivery.id, delivery.state AS from_state, %(to)s AS to_state
      FROM tracking_delivery delivery
     WHERE delivery.id = ANY(%(ids)s::bigint[]) AND delivery.state = 'unconfirmed'
       AND (%(to)s = 'sent' OR NOT EXISTS (SELECT FROM campaigns_run
                                            WHERE id = %(run)s AND status = 'cancelled'))
     ORDER BY delivery.id
       FOR UPDATE OF delivery
"""

_MARKED = """
    diagnostic = left(%(reason)s || CASE WHEN delivery.diagnostic = '' THEN ''
                                         ELSE '; before: ' || delivery.diagnostic END, 500)
"""

SOMEBODY_SAYS = kept("%(who)s says that it arrived")
AN_OPERATOR_SAYS = kept("an operator says that it arrived")
_ARRIVED = kept("arrived: %(label)s")
kept("%(reason)s; before: %(earlier)s", is_ours="reason")  # as `_MARKED` writes it

# The lease goes: a worker that comes back late has no say in the new attempt.
_SENT_AGAIN = "next_attempt_at = %(now)s, resent_at = %(now)s, lease = NULL"


def confirm(delivery_id: int, *, evidence: str, now: datetime) -> bool:
    """Move a delivery that is in doubt to `sent`, because something shows that it arrived.

    May be told of any delivery, and more than once; returns whether it was in doubt.

    :param evidence: what shows it, as in "unsubscribe link followed"
    """
    return bool(mark_sent([delivery_id], reason=_ARRIVED % {"label": evidence}, now=now))


def mark_sent(ids: Iterable[int], *, reason: str, now: datetime) -> int:
    """Count those of these deliveries as sent that are in doubt; return how many."""
    return _settle(ids, to="sent", changes=_MARKED, params={"reason": reason}, now=now)


def resend(ids: Iterable[int], *, now: datetime) -> int:
    """Have those of these deliveries attempted again that are in doubt; return how many.

    None of a run that was cancelled.
    The Message-ID stays the same: who has the first one may recognise the second.
    """
    return _settle(ids, to="retry", changes=_SENT_AGAIN, params={}, now=now)


def resend_old(run_id: int, *, before: datetime, now: datetime) -> int:
    """Have attempted again, once, what is in doubt since before that time; return how many."""
    waiting = Delivery.objects.of_run(run_id).doubted(before=before).filter(resent_at=None)
    return resend(waiting.values_list("pk", flat=True), now=now)


@transaction.atomic
def _settle(
    ids: Iterable[int], *, to: str, changes: str, params: dict[str, str], now: datetime
) -> int:
    by_run: dict[int, list[int]] = defaultdict(list)
    for pk, run_id in Delivery.objects.doubted().filter(pk__in=list(ids)).values_list("pk", "run"):
        by_run[run_id].append(pk)
    return sum(
        len(
            ledger.move(
                run_id,
                pick=_DOUBTED,
                changes=changes,
                params={**params, "to": to, "ids": ledger.bigints(of_run)},
                now=now,
            )
        )
        for run_id, of_run in sorted(by_run.items())
    )
