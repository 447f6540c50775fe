"""Empty the mailboxes of bounces: fetch, store, commit, and only then delete.

Who dies between two of these fetches the same messages again, and stores them once.
"""

import imaplib
import poplib
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F

from recipients import named_locks
from tracking.inbound.imap import IMAPSession
from tracking.inbound.mailboxes import Address, Protocol
from tracking.inbound.pop3 import POP3Session
from tracking.inbound.sessions import Fault, Session
from tracking.inbound.storing import store_all
from tracking.models import Mailbox

AT_A_TIME = timedelta(seconds=50)  # the next tick goes on
# The last: numbers that are none, and secrets that the protocol cannot say.
_FAULTS = (Fault, imaplib.IMAP4.error, poplib.error_proto, OSError, ValueError)


def mailboxes() -> tuple[Address, ...]:
    """Return those of BOUNCE_MAILBOXES, and forget how others were read."""
    found: tuple[Address, ...] = settings.BOUNCE_MAILBOXES
    Mailbox.objects.exclude(address__in=list(map(str, found))).delete()
    return found


def poll(address: Address, *, clock: Callable[[], datetime]) -> Mailbox | None:
    """Empty a mailbox into the table of inbound messages; None: another process is at it.

    What goes wrong is in the row that is returned, for people to see.
    """
    with named_locks.alone(f"tracking.mailbox {address}") as is_ours:
        if not is_ours:
            return None
        Mailbox.objects.get_or_create(address=str(address))
        error = ""
        try:
            _empty(address, clock)
        except _FAULTS as fault:
            error = _words(fault, address)
        own = Mailbox.objects.filter(address=str(address))
        own.update(read_at=clock(), error=error)
        return own.get()


def _empty(address: Address, clock: Callable[[], datetime]) -> None:
    until = clock() + AT_A_TIME
    with _session(address) as session:
        while clock() < until and (messages := session.fetch()):
            now = clock()
            store_all(messages, origin=str(address)[:200], now=now)
            own = Mailbox.objects.filter(address=str(address))
            own.update(received_at=now, messages=F("messages") + len(messages))
            session.delete()


def _session(address: Address) -> Session:
    if address.protocol == Protocol.IMAP:
        return IMAPSession(address)
    return POP3Session(address)


def _words(fault: Exception, address: Address) -> str:
    """Return what went wrong in one line, without the password, should a server repeat it."""
    said = fault.args[0] if fault.args else ""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(fault)
    text = " ".join((text or type(fault).__name__).replace("\0", "").split())
    return text.replace(address.password, "…")[:500]
