"""Time to live: what a run could not deliver in time has failed, and nobody waits for ever."""

from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns.models import Run, RunStatus
from campaigns.sending import domain_gates
from campaigns.sending.outcomes import MAX_DIAGNOSTIC
from campaigns.sending.retry_policy import expired
from tracking import feedback, ledger
from tracking.models import Category

SLICE = 5_000  # deliveries in one transaction

# What nobody holds: queued, however often its transport was not there, or waiting for another
# attempt. The reply of the last attempt stays. What was in doubt and is sent again, perhaps days
# later, has as much time once more.
_OPEN = """
    SELECT delivery.id, delivery.state AS from_state, 'failed' AS to_state
      FROM tracking_delivery delivery
     WHERE delivery.run_id = %(run)s AND delivery.id > %(after)s
       AND delivery.state IN ('queued', 'retry')
       AND (delivery.resent_at IS NULL OR delivery.resent_at < %(resent)s)
     ORDER BY delivery.id
     LIMIT %(size)s
       FOR UPDATE OF delivery
"""
_CHANGES = """
    next_attempt_at = NULL,
    diagnostic = left(%(reason)s || CASE WHEN delivery.diagnostic = '' THEN ''
                                         ELSE '; last: ' || delivery.diagnostic END, %(longest)s)
"""


def expire_old(run_id: int, *, now: datetime) -> int:
    """Fail what is still open in a run that is older than its time to live; return how many.

    Of a run that is being sent: one that is paused or held waits for a person, who gives it a new
    time to live by saying go.
    """
    sending = Run.objects.having(RunStatus.SENDING).with_open_deliveries()
    run = sending.select_related("campaign").filter(pk=run_id).first()
    if run is None or not run.is_too_old(at=now):
        return 0
    time_to_live = run.campaign.time_to_live
    reason, resent = expired(time_to_live, last=""), now - time_to_live
    params: dict[str, Any] = {"after": 0, "size": SLICE, "resent": resent, "reason": reason}
    params["longest"] = MAX_DIAGNOSTIC
    failed = 0
    while ids := _fail_slice(run_id, params, now=now):
        failed += len(ids)
        params["after"] = max(ids)
    if failed:
        domain_gates.shorten(now=now)
    return failed


@transaction.atomic
def _fail_slice(run_id: int, params: dict[str, Any], *, now: datetime) -> list[int]:
    moved = ledger.move(run_id, pick=_OPEN, changes=_CHANGES, params=params, now=now)
    failures = [feedback.Failure(row.id, Category.EXPIRED) for row in moved]
    feedback.note_failures(failures, now=now)
    return [row.id for row in moved]
