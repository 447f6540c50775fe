"""Deliver: claim, act, record. One chunk of a run, from ids to outcomes."""

import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import OperationalError, connection

from campaigns.models import Run
from campaigns.secrets import Undecipherable
from campaigns.sending.claim import Claim, Claimed, claim, still_allowed
from campaigns.sending.journal import Journal
from campaigns.sending.mailing import Mailing, NotComposed
from campaigns.sending.outcomes import Deferred, Outcome, Rejected, Scope
from campaigns.sending.record import Result, RetryPolicy, record
from campaigns.sending.transports import BadTransportURL, Transport
from campaigns.sending.way_out import transport_of
from recipients.addresses import BadAddress
from recipients.headers import BadHeader
from templates_app.rendering import RenderError

Clock = Callable[[], datetime]

LOOK_AGAIN = timedelta(seconds=1)  # how long a permission to mail is taken for granted


def deliver(run_id: int, ids: list[int], *, clock: Clock) -> dict[str, int]:
    """Attempt those of `ids` that may be attempted now; return how often each outcome came out.

    Each delivery that was claimed is recorded, also where this breaks off in the middle.
    """
    lease = uuid.uuid4()
    with Journal(settings.STATE_DIR / "journal", run_id=run_id, lease=lease) as journal:
        lease_for = timedelta(seconds=settings.LEASE_SECONDS)
        claimed = claim(run_id, ids, now=clock(), lease_for=lease_for, lease=lease)
        untouched: Outcome | None = None
        try:
            if claimed.deliveries:
                untouched = _attempt_all(run_id, claimed, journal, clock=clock)
        except Exception as error:
            untouched = _halt(f"the worker broke off: {error!r}")
            raise
        finally:
            deliveries = [(delivery.id, delivery.attempts) for delivery in claimed.deliveries]
            results = journal.notes.conclude(deliveries, untouched=untouched)
            _record(run_id, claimed, results, clock=clock)
    return Counter(_name(result.outcome) for result in results)


def _attempt_all(run_id: int, claimed: Claim, journal: Journal, *, clock: Clock) -> Outcome | None:
    """Attempt one after the other, while there is time, permission and a transport that works.

    A worker that slept too long sends nothing. Whoever leaves, and a run that is paused, is heeded
    within `LOOK_AGAIN`. Returned is the outcome of those that were not attempted: they wait like
    the one that found the transport missing, or are due at once.
    """
    run = Run.objects.select_related("campaign__sender__transport").get(pk=run_id)
    try:
        transport = transport_of(run.campaign.sender)
    except (BadTransportURL, Undecipherable) as error:
        return _halt(str(error))
    try:
        mailing = Mailing(run)
    except (BadAddress, BadHeader, RenderError) as error:
        return _halt(str(error))
    ids = [delivery.id for delivery in claimed.deliveries]
    allowed = set(ids)
    looked_at = clock()
    for delivery in claimed.deliveries:
        now = clock()
        if now >= claimed.act_until:
            return None
        if now - looked_at >= LOOK_AGAIN:
            allowed, looked_at = still_allowed(run_id, ids), now
        if delivery.id in allowed:
            outcome = _attempt(delivery, mailing, transport, journal, now=now)
            if isinstance(outcome, Deferred) and outcome.scope is Scope.TRANSPORT:
                return outcome
    return None


def _attempt(
    delivery: Claimed, mailing: Mailing, transport: Transport, journal: Journal, *, now: datetime
) -> Outcome:
    """Attempt one delivery, and note in the journal what is about to happen and what happened.

    It counts as begun before it is composed: one that brings the process down is not tried again.
    """
    journal.begin(delivery.id)
    outcome: Outcome
    try:
        message, message_id = mailing.message(delivery, now=now)
    except NotComposed as error:
        outcome, message_id = Rejected(diagnostic=str(error)), ""
    else:
        outcome = transport.send(message)
    journal.answer(Result(delivery.id, delivery.attempts, message_id, outcome))
    return outcome


def _name(outcome: Outcome | None) -> str:
    return type(outcome).__name__.lower() if outcome else "untouched"


def _halt(reason: str) -> Outcome:
    return Deferred(scope=Scope.TRANSPORT, diagnostic=reason)


def _record(run_id: int, claimed: Claim, results: list[Result], *, clock: Clock) -> None:
    """Record the results, however long PostgreSQL is away: the journal alone knows them."""
    if not results:
        return
    policy = RetryPolicy.of_installation()
    while True:
        try:
            record(run_id, results, lease=claimed.lease, policy=policy, now=clock())
        except OperationalError:
            connection.close()
            time.sleep(1)
        else:
            return
