"""Record: what became of claimed deliveries, a whole chunk in one statement."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self, assert_never

from django.conf import settings
from django.db import transaction

from campaigns.sending.outcomes import Accepted, Deferred, InDoubt, Outcome, Rejected, Scope
from tracking import ledger
from tracking.models import DeliveryState as S
from tracking.models import Lease


@dataclass(frozen=True, slots=True)
class Result:
    """How one claimed delivery ended. `outcome` is None where nothing was attempted."""

    delivery_id: int
    attempts: int  # this one included
    message_id: str
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a deferred delivery is attempted again.

    `schedule` holds the wait after the first, second … deferral; a delivery that is deferred once
    more has failed. Deferrals that speak of the transport wait `transport_wait` and do not count.
    """

    schedule: Sequence[timedelta]
    transport_wait: timedelta

    @classmethod
    def of_installation(cls) -> Self:
        return cls(
            schedule=[timedelta(seconds=wait) for wait in settings.RETRY_SCHEDULE],
            transport_wait=timedelta(seconds=settings.TRANSPORT_WAIT_SECONDS),
        )


@dataclass(frozen=True, slots=True)
class _Row:
    delivery_id: int
    state: S
    counted: bool
    next_attempt_at: datetime | None
    message_id: str
    reply_code: int | None
    enhanced_status_code: str
    diagnostic: str


# The lease must be the one that the delivery was claimed with. A worker that comes back after its
# lease ran out may still say what the server answered; where the run was cancelled meanwhile,
# nothing is tried again.
_PICK = """
    SELECT delivery.id, delivery.state AS from_state,
           CASE WHEN answer.state = 'retry' AND run.status = 'cancelled' THEN 'cancelled'
                ELSE answer.state END AS to_state,
           answer.counted, answer.next_attempt_at, answer.message_id,
           answer.reply_code, answer.enhanced_status_code, answer.diagnostic
      FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(counted)s::boolean[],
                  %(times)s::timestamptz[], %(message_ids)s::text[], %(codes)s::smallint[],
                  %(enhanced)s::text[], %(diagnostics)s::text[])
           AS answer (id, state, counted, next_attempt_at, message_id,
                      reply_code, enhanced_status_code, diagnostic)
      JOIN tracking_delivery delivery ON delivery.id = answer.id
      JOIN campaigns_run run ON run.id = %(run)s
     WHERE delivery.lease = %(lease)s AND delivery.state IN ('sending', 'unconfirmed')
     ORDER BY delivery.id
       FOR UPDATE OF delivery
"""

_CHANGES = """
    attempts = delivery.attempts - (NOT picked.counted)::int,
    next_attempt_at = CASE WHEN picked.to_state = 'retry' THEN picked.next_attempt_at END,
    message_id = picked.message_id,
    reply_code = picked.reply_code,
    enhanced_status_code = picked.enhanced_status_code,
    diagnostic = picked.diagnostic
"""


@transaction.atomic(durable=True)
def record(
    run_id: int,
    results: Sequence[Result],
    *,
    lease: uuid.UUID,
    policy: RetryPolicy,
    now: datetime,
) -> int:
    """Write the results into the ledger; return how many deliveries of this lease were moved."""
    rows = [_row(result, policy=policy, now=now) for result in results]
    params = {
        "lease": lease,
        "ids": [row.delivery_id for row in rows],
        "states": [row.state.value for row in rows],
        "counted": [row.counted for row in rows],
        "times": [row.next_attempt_at for row in rows],
        "message_ids": [row.message_id for row in rows],
        "codes": [row.reply_code for row in rows],
        "enhanced": [row.enhanced_status_code for row in rows],
        "diagnostics": [row.diagnostic for row in rows],
    }
    moved = ledger.move(run_id, pick=_PICK, changes=_CHANGES, params=params, now=now)
    Lease.objects.filter(pk=lease).delete()
    return len(moved)


def _row(result: Result, *, policy: RetryPolicy, now: datetime) -> _Row:
    state, counted, wait = _verdict(result, policy)
    outcome = result.outcome
    return _Row(
        delivery_id=result.delivery_id,
        state=state,
        counted=counted,
        next_attempt_at=None if wait is None else now + wait,
        message_id=result.message_id if outcome else "",
        reply_code=outcome.reply_code if outcome else None,
        enhanced_status_code=outcome.enhanced_status_code if outcome else "",
        diagnostic=outcome.diagnostic if outcome else "",
    )


def _verdict(result: Result, policy: RetryPolicy) -> tuple[S, bool, timedelta | None]:
    """Return the next state, whether the attempt counts, and how long to wait for another."""
    match result.outcome:
        case None:
            return S.RETRY, False, timedelta()
        case Accepted():
            return S.SENT, True, None
        case Rejected():
            return S.FAILED, True, None
        case InDoubt():
            return S.UNCONFIRMED, True, None
        case Deferred(scope=Scope.TRANSPORT):
            return S.RETRY, False, policy.transport_wait
        case Deferred():
            if result.attempts > len(policy.schedule):
                return S.FAILED, True, None
            return S.RETRY, True, policy.schedule[result.attempts - 1]
        case _:
            assert_never(result.outcome)
