"""Celery's doors into tracking. Messages are wake-up calls: lost or repeated, they do no harm."""

import time

from celery import shared_task
from celery.utils.log import get_task_logger
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from redis import RedisError

from tracking import consuming, feedback
from tracking.hits.stream import Stream, connect
from tracking.inbound import handling as inbound
from tracking.inbound import polling
from tracking.tallying import events, sent
from tracking.webhooks import handling as webhooks

CONSUME_SECONDS = 2.0  # then others have their turn, ticks among them; Beat calls again
POLL_EVERY = 60.0  # seconds; one that waited so long has another behind it
POLL_SECONDS = 300  # then a mailbox's server hangs in a way that no time-out notices
HANDLE_SECONDS = 2.0  # then others have their turn; Beat calls again
TALLY_SECONDS = 2.0  # the same; it goes on where it was
EVENTS_AT_ONCE = 500
INBOUND_AT_ONCE = 300  # some ten milliseconds each; then others have their turn

logger = get_task_logger(__name__)


@shared_task(name="tracking.consume", ignore_result=True)
def consume() -> None:
    """Store and count the hits that wait; Beat calls this each second."""
    try:
        consuming.consume(Stream(connect()), clock=timezone.now, seconds=CONSUME_SECONDS)
    except (RedisError, OperationalError, InterfaceError) as error:
        logger.warning("Hits wait, because a server is away: %s", error)


@shared_task(name="tracking.tally", ignore_result=True)
def tally() -> None:
    """Count what was noted of messages, and the ledger by domain and hour; Beat calls this."""
    until = time.monotonic() + TALLY_SECONDS
    events.fold(now=timezone.now(), until=until)
    sent.recount_due(now=timezone.now(), until=until)


@shared_task(name="tracking.handle_inbound", ignore_result=True)
def handle_inbound() -> None:
    """Read what has come in; Beat calls this every five seconds."""
    inbound.handle_new(now=timezone.now(), at_most=INBOUND_AT_ONCE)


@shared_task(name="tracking.poll_mailboxes", ignore_result=True)
def poll_mailboxes() -> None:
    """Have each mailbox of bounces emptied; Beat calls this each minute."""
    for address in polling.mailboxes():
        # By its name, not by its URL: the broker is to see no password.
        poll_mailbox.apply_async((str(address),), expires=POLL_EVERY)


@shared_task(name="tracking.poll_mailbox", ignore_result=True, time_limit=POLL_SECONDS)
def poll_mailbox(name: str) -> None:
    """Empty one mailbox."""
    for address in polling.mailboxes():
        if str(address) == name:
            polling.poll(address, clock=timezone.now)


@shared_task(name="tracking.handle_webhooks", ignore_result=True)
def handle_webhooks() -> None:
    """Work off what providers told; Beat calls this every three seconds."""
    until = time.monotonic() + HANDLE_SECONDS
    count = EVENTS_AT_ONCE
    while count == EVENTS_AT_ONCE and time.monotonic() < until:
        count = webhooks.handle_new(now=timezone.now(), at_most=EVENTS_AT_ONCE)


@shared_task(name="tracking.follow_feedback", ignore_result=True)
def follow_feedback() -> None:
    """Do what failures and bounces mean for their addresses; Beat calls this every ten seconds."""
    feedback.follow_due(now=timezone.now())
