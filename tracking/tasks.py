"""Celery's doors into what comes back. Messages are wake-up calls: lost or repeated, they do no
harm.
"""

from celery import shared_task
from django.utils import timezone

from tracking.inbound import handling, polling

POLL_SECONDS = 300  # then a mailbox's server hangs in a way that no time-out notices


@shared_task(name="tracking.handle_inbound", ignore_result=True)
def handle_inbound() -> None:
    """Read what has come in; Beat calls this every five seconds."""
    handling.handle_new(now=timezone.now())


@shared_task(name="tracking.poll_mailboxes", ignore_result=True)
def poll_mailboxes() -> None:
    """Have each mailbox of bounces emptied; Beat calls this each minute."""
    for address in polling.mailboxes():
        # By its name, not by its URL: the broker is to see no password.
        poll_mailbox.delay(str(address))


@shared_task(name="tracking.poll_mailbox", ignore_result=True, time_limit=POLL_SECONDS)
def poll_mailbox(name: str) -> None:
    """Empty one mailbox."""
    for address in polling.mailboxes():
        if str(address) == name:
            polling.poll(address, clock=timezone.now)
