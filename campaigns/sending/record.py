"""Record: what became of claimed deliveries, a whole chunk in one statement."""

import random
import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple, assert_never

from django.conf import settings
from django.db import transaction

from campaigns.models import Run
from campaigns.sending.outcomes import (
    Accepted,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Reply,
    Scope,
    tidy,
)
from campaigns.sending.refusals import failure
from campaigns.sending.retry_policy import Random, RetryPolicy, expired
from tracking import feedback, ledger
from tracking.models import DeliveryState as S
from tracking.models import Lease


class Result(NamedTuple):
    """How one claimed delivery ended. `outcome` is None where nothing was attempted."""

    delivery_id: int
    attempts: int  # this one included
    message_id: str
    outcome: Outcome | None


class _End(NamedTuple):
    """What becomes of a delivery; `diagnostic` is None where it is the reply's own."""

    state: str
    counted: bool
    next_attempt_at: datetime | None = None
    diagnostic: str | None = None


_SENT = _End(S.SENT.value, counted=True)
_FAILED = _End(S.FAILED.value, counted=True)
_UNCONFIRMED = _End(S.UNCONFIRMED.value, counted=True)
_NO_REPLY = Reply()

# The lease must be the one that the delivery was claimed with. A worker that comes back after its
# lease ran out may still say what the server answered; where the run was cancelled meanwhile,
# nothing is tried again.
# (LATERAL and `OFFSET 0`: by the ids, one after the other. With the statistics of before, the
# planner takes a lease for that of one delivery, and would compare each with each.)
_PICK = """
    SELECT answer.id, delivery.state AS from_state,
           CASE WHEN answer.state = 'retry' AND run.status = 'cancelled' THEN 'cancelled'
                ELSE answer.state END AS to_state,
           answer.counted, answer.next_attempt_at, answer.message_id,
           answer.reply_code, answer.enhanced_status_code, answer.diagnostic
      FROM (SELECT *
              FROM unnest(string_to_array(%(ids)s, E'\\x1f')::bigint[],
                          string_to_array(%(states)s, E'\\x1f'),
                          string_to_array(%(counted)s, E'\\x1f')::boolean[],
                          string_to_array(%(times)s, E'\\x1f', '')::timestamptz[],
                          string_to_array(%(message_ids)s, E'\\x1f'),
                          string_to_array(%(codes)s, E'\\x1f', '')::smallint[],
                          string_to_array(%(enhanced)s, E'\\x1f'),
                          string_to_array(%(diagnostics)s, E'\\x1f'))
                   AS told (id, state, counted, next_attempt_at, message_id,
                            reply_code, enhanced_status_code, diagnostic)
             ORDER BY id) AS answer
      JOIN campaigns_run run ON run.id = %(run)s
     CROSS JOIN LATERAL (SELECT state
                           FROM tracking_delivery
                          WHERE id = answer.id AND lease = %(lease)s
                            AND state IN ('sending', 'unconfirmed')
                         OFFSET 0 FOR UPDATE) AS delivery
"""

# What was answered about somebody who was erased meanwhile may name the address.
_CHANGES = """
    attempts = delivery.attempts - (NOT picked.counted)::int,
    next_attempt_at = CASE WHEN picked.to_state = 'retry' THEN picked.next_attempt_at END,
    message_id = coalesce(picked.message_id, ''),
    reply_code = picked.reply_code,
    enhanced_status_code = coalesce(picked.enhanced_status_code, ''),
    diagnostic = CASE WHEN delivery.address = '' THEN '' ELSE coalesce(picked.diagnostic, '') END
"""


def policy_of_installation() -> RetryPolicy:
    return RetryPolicy(
        schedule=[timedelta(seconds=wait) for wait in settings.RETRY_SCHEDULE],
        transport_wait=timedelta(seconds=settings.TRANSPORT_WAIT_SECONDS),
    )


@transaction.atomic(durable=True)
def record(
    run_id: int,
    results: Sequence[Result],
    *,
    lease: uuid.UUID,
    policy: RetryPolicy,
    now: datetime,
    random: Random = random.random,
) -> int:
    """Write the results into the ledger; return how many deliveries of this lease were moved.

    A deferral whose next attempt would lie beyond the run's time to live is its last. Why
    deliveries failed is noted with them.
    """
    judge = _Judge(run_id, policy=policy, now=now, random=random)
    # Nearly all were accepted; those cost a microsecond each.
    ends = [
        _SENT if type(result.outcome) is Accepted else judge.end(result.outcome, result.attempts)
        for result in results
    ]
    params = {"lease": lease, **_columns(results, ends)}
    moved = ledger.move(run_id, pick=_PICK, changes=_CHANGES, params=params, now=now)
    if ends.count(_SENT) < len(ends):
        failed = {row.id for row in moved if row.to_state is S.FAILED}
        feedback.note_failures(_failures(results, failed), now=now)
    Lease.objects.filter(pk=lease).delete()
    return len(moved)


def _failures(results: Sequence[Result], failed: Collection[int]) -> list[feedback.Failure]:
    return [
        failure(result.delivery_id, result.outcome, is_composed=bool(result.message_id))
        for result in results
        if result.outcome and result.delivery_id in failed
    ]


def _columns(results: Sequence[Result], ends: Sequence[_End]) -> dict[str, str]:
    """Return each column as one text: as arrays they would take the driver 14 µs a row.

    An array of one empty text comes out empty, hence `coalesce` in `_CHANGES`.
    """
    replies = [result.outcome or _NO_REPLY for result in results]
    return {
        "ids": _joined([str(result.delivery_id) for result in results]),
        "states": _joined([end.state for end in ends]),
        "counted": _joined(["1" if end.counted else "0" for end in ends]),
        "times": _joined([str(end.next_attempt_at or "") for end in ends]),
        "message_ids": _joined([one.message_id if one.outcome else "" for one in results]),
        "codes": _joined([str(reply.reply_code or "") for reply in replies]),
        "enhanced": _joined([reply.enhanced_status_code for reply in replies]),
        "diagnostics": _joined(
            [
                tidy(reply.diagnostic if end.diagnostic is None else end.diagnostic)
                for end, reply in zip(ends, replies, strict=True)
            ]
        ),
    }


def _joined(texts: Iterable[str]) -> str:
    return "\x1f".join(texts)  # a control, which `tidy` leaves in no text


class _Judge:
    """Says what outcomes of one run come to; it asks for the run's age at the first deferral."""

    def __init__(self, run_id: int, *, policy: RetryPolicy, now: datetime, random: Random) -> None:
        self._run_id = run_id
        self._policy = policy
        self._now = now
        self._random = random

    def end(self, outcome: Outcome | None, attempts: int) -> _End:
        match outcome:
            case None:
                return _End(S.RETRY.value, counted=False, next_attempt_at=self._now)
            case Accepted():
                return _SENT
            case Rejected():
                return _FAILED
            case InDoubt():
                return _UNCONFIRMED
            case Deferred():
                return self._deferred(outcome, attempts)
            case _:
                assert_never(outcome)

    def _deferred(self, deferral: Deferred, attempts: int) -> _End:
        wait = self._policy.wait(deferral, attempts=attempts, random=self._random)
        if wait is None:
            return _FAILED
        next_attempt_at = self._now + wait
        counted = deferral.scope == Scope.RECIPIENT
        if self._run.is_too_old(at=next_attempt_at):
            reason = expired(self._run.campaign.time_to_live, deferral.diagnostic)
            return _End(S.FAILED.value, counted, diagnostic=tidy(reason))
        return _End(S.RETRY.value, counted, next_attempt_at)

    @cached_property
    def _run(self) -> Run:
        return Run.objects.select_related("campaign").get(pk=self._run_id)
