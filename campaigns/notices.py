"""Messages of ours to one person (recipients.Notice): claim, act, record.

A worker that dies between the two ends leaves its message claimed for a day: nobody gets two.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.template.loader import render_to_string

from campaigns import reasons, secrets
from campaigns.models import Sender
from campaigns.product_mail import product_mail
from campaigns.sending import compose
from campaigns.sending.outcomes import (
    Accepted,
    Cause,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
)
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.retry_policy import RetryPolicy, expired
from campaigns.sending.signing import NoKey
from campaigns.sending.transports import BadTransportURL, Transport
from campaigns.sending.way_out import transport_of
from recipients import signup
from recipients.addresses import BadAddress
from recipients.consent import subject
from recipients.headers import BadHeader
from recipients.models import Notice, NoticeKind, Suppression
from recipients.models.signup import QUIET
from recipients.privacy import LINK_HOLDS
from recipients.recognising import kept
from tracking import links

AT_ONCE = 200  # by one task; the sweep sends the rest
TIME_TO_LIVE = timedelta(hours=72)
NOTHING_TO_CONFIRM = kept("there is nothing to confirm any more")
NOT_SUBSCRIBED = kept("the recipient is not subscribed any more")
_OTHER_ADDRESS = kept("the recipient has another address now")
_SUPPRESSED = kept("the address is suppressed")
_TOO_OLD = kept("its link would be too old")

# One row, so that a worker that dies takes no others with it. Two workers find different ones.
_CLAIM = """
UPDATE recipients_notice SET claimed_at = %(now)s, next_attempt_at = %(again)s
 WHERE id = (SELECT id FROM recipients_notice
              WHERE sent_at IS NULL AND failed_at IS NULL AND next_attempt_at <= %(now)s
                AND kind = ANY(%(kinds)s)
              ORDER BY next_attempt_at LIMIT 1
                FOR UPDATE SKIP LOCKED)
RETURNING id
"""


class NotToBeSent(Exception):
    """There is no reason, or no right, to send this message any more; the text says why."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of message says."""

    template: str
    """Of three files: NAME.subject.txt, NAME.txt, NAME.html."""
    context: Callable[[Notice, datetime], dict[str, Any]]
    """What they are filled with. Raises NotToBeSent."""
    is_for_suppressed: bool = False
    """Whether it answers a request of who reads the mailbox, and is no mail that they refused."""


def are_due(*, now: datetime) -> bool:
    return Notice.objects.due(now=now).filter(kind__in=list(KINDS)).exists()


def send_due(*, clock: Callable[[], datetime]) -> int:
    """Send the messages whose time has come, some hundred at most; return how many were tried."""
    used: set[Transport] = set()
    tried = 0
    try:
        while tried < AT_ONCE and (notice := claim(now=clock())):
            tried += 1
            _send(notice, used=used, clock=clock)
    finally:
        for transport in used:
            transport.close()  # the next message may be hours away
    return tried


def claim(*, now: datetime) -> Notice | None:
    """Take one message, for a day: who takes it tells what became of it, or nobody does."""
    params: dict[str, Any] = {"now": now, "again": now + QUIET, "kinds": list(KINDS)}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, params)
        claimed = cursor.fetchone()
    if claimed is None:
        return None
    return Notice.objects.select_related("recipient", "form__sender").filter(pk=claimed[0]).first()


def record(notice: Notice, outcome: Outcome, *, now: datetime) -> None:
    """Write down what became of a message, if it is still ours to tell."""
    ours = Notice.objects.open().filter(pk=notice.pk, claimed_at=notice.claimed_at)
    diagnostic = _in_words(outcome)
    match outcome:
        case Accepted():
            ours.update(sent_at=now, diagnostic=diagnostic)
        case InDoubt():
            ours.update(failed_at=now, diagnostic=reasons.PERHAPS_ARRIVED % {"answer": diagnostic})
        case Rejected():
            ours.update(failed_at=now, diagnostic=diagnostic)
        case Deferred():
            _put_off(notice, outcome, now=now)


def _send(notice: Notice, *, used: set[Transport], clock: Callable[[], datetime]) -> None:
    sender = _sender_of(notice)
    outcome = _outcome(notice, sender, used=used, now=clock())
    record(notice, outcome, now=clock())
    if isinstance(outcome, Deferred) and outcome.scope is Scope.TRANSPORT:
        _put_off_others(sender, now=clock())


def _outcome(
    notice: Notice, sender: Sender | None, *, used: set[Transport], now: datetime
) -> Outcome:
    if sender is None:
        return _to_be_repaired(reasons.NO_SENDER)
    try:
        message = _compose(notice, sender, now=now)
        transport = transport_of(sender)
    except NotToBeSent as reason:
        return Rejected(diagnostic=str(reason))
    except _REPAIRABLE as error:
        return _to_be_repaired(str(error))
    used.add(transport)
    return transport.send(message)


# What a person has to repair; the message waits meanwhile.
_REPAIRABLE = (BadAddress, BadHeader, BadTransportURL, NoKey, secrets.Undecipherable)


def _to_be_repaired(what: str) -> Deferred:
    return Deferred(scope=Scope.TRANSPORT, cause=Cause.AUTHENTICATION, diagnostic=what)


def _sender_of(notice: Notice) -> Sender | None:
    """Return the form's sender, or the oldest one."""
    own = notice.form.sender if notice.form else None
    return own or Sender.objects.order_by("pk").first()


def _compose(notice: Notice, sender: Sender, *, now: datetime) -> Outgoing:
    """Write a message; its Message-ID is the same at each attempt.

    :raises NotToBeSent:
    """
    recipient, kind = notice.recipient, KINDS[NoticeKind(notice.kind)]
    if recipient.key != notice.key:
        raise NotToBeSent(_OTHER_ADDRESS)
    lasting = Suppression.objects.lasting(
        key=recipient.key, domain=recipient.domain, digest=subject(recipient.key)
    )
    if lasting.exists() and not kind.is_for_suppressed:
        raise NotToBeSent(_SUPPRESSED)
    context = {"address": recipient.address, "site": settings.SITE_URL} | kind.context(notice, now)
    parts = {
        part: render_to_string(f"{kind.template}.{part}", context)
        for part in ("subject.txt", "txt", "html")
    }
    return product_mail(
        sender,
        to=recipient.address,
        subject=parts["subject.txt"].strip(),
        text=parts["txt"],
        html=parts["html"],
        message_id=compose.message_id(links.notice_message_token(notice.pk), sender.domain),
        envelope_sender=compose.envelope_sender(
            links.notice_bounce_token(notice.pk), sender.domain
        ),
        now=now,
    )


def _put_off(notice: Notice, deferral: Deferred, *, now: datetime) -> None:
    """Have a deferred message wait, or give it up when it was deferred too often or too long."""
    ours = Notice.objects.open().filter(pk=notice.pk, claimed_at=notice.claimed_at)
    counts = deferral.scope is Scope.RECIPIENT
    attempts = notice.attempts + counts
    wait = _policy().wait(deferral, attempts=attempts, random=random.random)
    diagnostic = _in_words(deferral)
    if wait is None:
        ours.update(failed_at=now, attempts=attempts, diagnostic=diagnostic)
    elif now + wait > notice.created_at + TIME_TO_LIVE:
        ours.update(failed_at=now, attempts=attempts, diagnostic=expired(TIME_TO_LIVE, diagnostic))
    else:
        # Nothing was handed over, so the day of quiet begins with the next attempt.
        ours.update(
            claimed_at=None, next_attempt_at=now + wait, attempts=attempts, diagnostic=diagnostic
        )


def _put_off_others(sender: Sender | None, *, now: datetime) -> None:
    """Let what would go the same way wait as well: that of other senders has its turn."""
    same = Q(form__sender=sender)
    if sender == Sender.objects.order_by("pk").first():
        same |= Q(form__sender=None)
    wait = timedelta(seconds=settings.TRANSPORT_WAIT_SECONDS)
    due = Notice.objects.due(now=now).filter(same)
    Notice.objects.filter(pk__in=due.values("pk")).update(next_attempt_at=now + wait)


def _policy() -> RetryPolicy:
    return RetryPolicy(
        schedule=[timedelta(seconds=wait) for wait in settings.RETRY_SCHEDULE],
        transport_wait=timedelta(seconds=settings.TRANSPORT_WAIT_SECONDS),
    )


def _in_words(outcome: Outcome) -> str:
    parts = (str(outcome.reply_code or ""), outcome.enhanced_status_code, outcome.diagnostic)
    return " ".join(part for part in parts if part)


def _confirmation(notice: Notice, now: datetime) -> dict[str, Any]:
    lists = [str(each) for each in signup.to_confirm(notice.recipient, now=now).order_by("name")]
    if not lists:
        raise NotToBeSent(NOTHING_TO_CONFIRM)
    return {"lists": lists, "url": links.confirm_url(notice.pk)}


def _welcome(notice: Notice, now: datetime) -> dict[str, Any]:
    is_away = Suppression.objects.filter(key=notice.key).exists()
    lists = [str(each) for each in signup.confirmed(notice.recipient)]
    if is_away or not lists or notice.form is None:
        raise NotToBeSent(NOT_SUBSCRIBED)
    return {
        "lists": lists,
        "form": notice.form,
        "url": links.notice_preferences_url(notice.pk),
    }


def _privacy(notice: Notice, now: datetime) -> dict[str, Any]:
    if now - notice.created_at > LINK_HOLDS:
        raise NotToBeSent(_TOO_OLD)
    return {"url": links.privacy_url(notice.pk)}


KINDS: Mapping[NoticeKind, Kind] = {
    NoticeKind.CONFIRMATION: Kind("campaigns/notice_confirmation", _confirmation),
    NoticeKind.WELCOME: Kind("campaigns/notice_welcome", _welcome),
    NoticeKind.PRIVACY: Kind("campaigns/notice_privacy", _privacy, is_for_suppressed=True),
}
