"""Deliver: claim, act, record. One chunk of a run, from ids to outcomes."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import OperationalError, connection

from campaigns.models import Run
from campaigns.sending.claim import Claim, Claimed, claim
from campaigns.sending.mailing import Mailing, NotComposed
from campaigns.sending.outcomes import Deferred, Outcome, Rejected, Scope
from campaigns.sending.record import Result, RetryPolicy, record
from campaigns.sending.transports import Transport
from campaigns.sending.way_out import transport_of

Clock = Callable[[], datetime]


def deliver(run_id: int, ids: list[int], *, clock: Clock) -> dict[str, int]:
    """Attempt those of `ids` that may be attempted now; return how often each outcome came out.

    Everything that was attempted is recorded, also where this breaks off in the middle.
    """
    lease_for = timedelta(seconds=settings.LEASE_SECONDS)
    claimed = claim(run_id, ids, now=clock(), lease_for=lease_for)
    if not claimed.deliveries:
        return {}
    results: list[Result] = []
    try:
        for result in _attempts(run_id, claimed, clock=clock):
            results.append(result)  # noqa: PERF402 - what is there when this breaks off must stay
    finally:
        _record(run_id, claimed, results, clock=clock)
    return Counter(type(result.outcome).__name__.lower() for result in results)


def _attempts(run_id: int, claimed: Claim, *, clock: Clock) -> Iterator[Result]:
    """Attempt one after the other, while the lease lasts and the transport works.

    A worker that slept through its lease sends nothing; the rest of a chunk whose transport is not
    there waits like the delivery that found out.
    """
    run = Run.objects.select_related("campaign__sender__transport", "version").get(pk=run_id)
    mailing = Mailing(run)
    transport = transport_of(run.campaign.sender)
    halted: Outcome | None = None
    for delivery in claimed.deliveries:
        if halted or clock() >= claimed.act_until:
            yield Result(delivery.id, delivery.attempts, "", halted)
            continue
        outcome, message_id = _attempt(delivery, mailing, transport, now=clock())
        yield Result(delivery.id, delivery.attempts, message_id, outcome)
        if isinstance(outcome, Deferred) and outcome.scope is Scope.TRANSPORT:
            halted = outcome


def _attempt(
    delivery: Claimed, mailing: Mailing, transport: Transport, *, now: datetime
) -> tuple[Outcome, str]:
    try:
        message, message_id = mailing.message(delivery, now=now)
    except NotComposed as error:
        return Rejected(diagnostic=str(error)), ""
    return transport.send(message), message_id


def _record(run_id: int, claimed: Claim, results: list[Result], *, clock: Clock) -> None:
    """Record the results, however long PostgreSQL is away: nobody else knows them."""
    policy = RetryPolicy(
        schedule=[timedelta(seconds=wait) for wait in settings.RETRY_SCHEDULE],
        transport_wait=timedelta(seconds=settings.TRANSPORT_WAIT_SECONDS),
    )
    while True:
        try:
            record(run_id, results, lease=claimed.lease, policy=policy, now=clock())
        except OperationalError:
            connection.close()
            time.sleep(1)
        else:
            return
