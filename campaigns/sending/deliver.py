"""Deliver: admit, claim, act, record. One chunk of a run, from ids to outcomes."""

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import OperationalError, connection
from structlog.contextvars import bind_contextvars

from campaigns import reasons
from campaigns.models import Run, RunStatus
from campaigns.secrets import Undecipherable
from campaigns.sending import domain_gates, gates, hours, instance, retries
from campaigns.sending.chunk import Chunk, Clock
from campaigns.sending.claim import Claim, claim
from campaigns.sending.gates import Admission
from campaigns.sending.hopeless import hold_if_hopeless
from campaigns.sending.journal import Journal
from campaigns.sending.mailing import Mailing, NoMailing
from campaigns.sending.meter import METER
from campaigns.sending.outcomes import Cause, Deferred, Outcome, Scope
from campaigns.sending.record import Result, policy_of_installation, record
from campaigns.sending.transports import BadTransportURL
from campaigns.sending.way_out import transport_at
from templates_app.media import storing

CONNECTIONS = 4  # that one worker asks for where a transport's connections are limited
UNLIMITED = 1_000  # where they are not: as many as its URL allows


def deliver(run_id: int, ids: list[int], *, clock: Clock) -> dict[str, int]:
    """Attempt those of `ids` that may be attempted now; return how often each outcome came out.

    What the run's transports do not admit stays as it is. Each delivery that was claimed is
    recorded, also where this breaks off in the middle.
    """
    if instance.check():
        return {"held": len(ids)}
    run = Run.objects.select_related("campaign__sender", "message").get(pk=run_id)
    try:
        mailing = Mailing(run)
    except NoMailing as error:
        _give_up(run, str(error))
        return {"held": len(ids)}
    except OSError as error:
        said = reasons.NOT_FETCHED % {"error": storing.in_words(error)}
        Run.objects.filter(pk=run_id).note_obstacle(said)
        raise
    if run.obstacle:
        Run.objects.filter(pk=run_id).note_obstacle("")
    if rules := hours.hours_of(run):
        wanted, ids = len(ids), hours.hold_back(run_id, ids, rules, now=clock())
        if not ids:
            return {"waiting": wanted}
    lease = uuid.uuid4()
    bind_contextvars(run=run_id, chunk=str(lease))  # in logs, until the task ends
    admission = _admit(run_id, len(ids), lease, clock)
    if not admission.granted:
        retries.put_back(ids)
        return {"waiting": len(ids)}
    with _claimed(run_id, ids, admission, clock=clock) as (claimed, journal):
        chunk = Chunk(run_id, claimed, mailing, journal, clock)
        untouched: Outcome | None = None
        began = time.perf_counter()
        try:
            untouched = _send(chunk, admission, clock=clock)
        except Exception as error:
            untouched = _ours(f"the worker broke off: {error!r}")
            raise
        finally:
            deliveries = [(delivery.id, delivery.attempts) for delivery in claimed.deliveries]
            results = journal.notes.conclude(deliveries, untouched=untouched)
            _record(run_id, claimed, results, clock=clock)
            METER.chunk(time.perf_counter() - began)
    if chunk.failures.reason:
        hold_if_hopeless(run_id, chunk.failures.reason)
    return Counter(_name(result.outcome) for result in results)


def _give_up(run: Run, reason: str) -> None:
    """Have a campaign wait for a person; a message waits by itself until it can be made."""
    sending = Run.objects.having(RunStatus.SENDING).filter(pk=run.pk)
    if run.message:
        sending.note_obstacle(reason)
    else:
        sending.hold(reason)


def _admit(run_id: int, wanted: int, lease: uuid.UUID, clock: Clock) -> Admission:
    return gates.admit(
        run_id,
        wanted,
        lease=lease,
        now=clock(),
        lease_for=_lease_time(),
        connections=CONNECTIONS,
    )


@contextmanager
def _claimed(
    run_id: int, ids: list[int], admission: Admission, *, clock: Clock
) -> Iterator[tuple[Claim, Journal]]:
    """Claim what was admitted; have the gates know what of it did not leave, also if this fails."""
    with ExitStack() as stack:
        now = clock()
        try:
            retries.put_back(ids[admission.granted :])
            journal = stack.enter_context(_journal(run_id, admission))
            claimed = claim(
                run_id,
                ids[: admission.granted],
                now=now,
                lease_for=_lease_time(),
                lease=admission.lease,
                admission=admission,
            )
        except Exception:
            gates.report(admission, [], now=clock())
            raise
        journal.claimed()
        yield claimed, journal
    if admission.way.guards_domains:
        notes = journal.notes
        told = notes.begun.keys() | notes.answered.keys()
        left = [one.address for one in claimed.deliveries if one.id not in told]
        domain_gates.give_back(admission.way.transport, left, at=now)


def _journal(run_id: int, admission: Admission) -> Journal:
    return Journal(settings.STATE_DIR / "journal", run_id=run_id, lease=admission.lease)


def _lease_time() -> timedelta:
    return timedelta(seconds=settings.LEASE_SECONDS)


def _send(chunk: Chunk, admission: Admission, *, clock: Clock) -> Outcome | None:
    """Hand the chunk over, by another transport where one refuses; return what stopped it.

    Only what was definitely not handed over goes to another one: what is in doubt stays so.
    """
    while True:
        stopped: Deferred | None = None
        try:
            stopped = _hand_over(chunk, admission)
        finally:
            METER.messages(admission.way.name, (outcome for _, outcome in chunk.answers))
            gates.report(admission, chunk.answers, now=clock(), stopped=stopped)
        if stopped is None or not chunk.left:
            return stopped
        admission = _admit(chunk.run_id, chunk.left, admission.lease, clock)
        if not admission.granted:
            return stopped
        if admission.way.guards_domains:
            # What it may send to whom is asked at a claim: the rest is to be claimed for it.
            gates.report(admission, [], now=clock())
            return None
        chunk.again(room=admission.granted)


def _hand_over(chunk: Chunk, admission: Admission) -> Deferred | None:
    if not chunk.left:
        return None
    try:
        transport = transport_at(admission.way.encrypted_url)
    except (BadTransportURL, Undecipherable) as error:
        return _ours(str(error))
    connections = UNLIMITED if admission.way.is_plain else admission.connections
    try:
        return transport.send_many(chunk, connections=connections)
    finally:
        if not admission.keeps_connection:
            transport.close()


def _ours(reason: str) -> Deferred:
    """A person has to do something about it; nothing was attempted."""
    return Deferred(scope=Scope.TRANSPORT, cause=Cause.AUTHENTICATION, diagnostic=reason)


def _name(outcome: Outcome | None) -> str:
    return type(outcome).__name__.lower() if outcome else "untouched"


def _record(run_id: int, claimed: Claim, results: list[Result], *, clock: Clock) -> None:
    """Record the results, however long PostgreSQL is away: the journal alone knows them."""
    if not results:
        return
    policy = policy_of_installation()
    while True:
        try:
            record(run_id, results, lease=claimed.lease, policy=policy, now=clock())
        except OperationalError:
            connection.close()
            time.sleep(1)
        else:
            return
