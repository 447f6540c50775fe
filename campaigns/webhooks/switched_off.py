"""Tell staff by mail of webhooks that Godwit switched off: claim, act, record.

When they are to be told is written down where an endpoint is switched off, in that transaction. It
is moved on before anything is sent: a worker that dies then leaves it to be told an hour later, to
those again who have been told already. Of a message nobody is robbed, some may get it twice.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import User
from django.urls import reverse

from campaigns import staff_mail
from campaigns.sending.outcomes import Accepted, InDoubt, Outcome
from tracking.models import Endpoint

AGAIN = timedelta(hours=1)
TIME_TO_LIVE = timedelta(hours=72)  # since its calls fail
_MAY_REPAIR = "tracking.change_endpoint"

logger = logging.getLogger(__name__)


def tell_staff(*, clock: Callable[[], datetime]) -> int:
    """Send what is due, to all who could switch an endpoint on again; return how many took it.

    Where nobody did, all are told again in an hour, and at last they are not.
    """
    due = Endpoint.objects.notice_due(now=clock())
    return sum(_tell(endpoint, clock=clock) for endpoint in due if claim(endpoint, now=clock()))


def claim(endpoint: Endpoint, *, now: datetime) -> bool:
    """Take it for an hour; False where another worker has it, or a person switched it on."""
    endpoint.notice_due_at = now + AGAIN
    due = Endpoint.objects.notice_due(now=now).filter(pk=endpoint.pk)
    return bool(due.update(notice_due_at=endpoint.notice_due_at))


def _tell(endpoint: Endpoint, *, clock: Callable[[], datetime]) -> int:
    said = _context(endpoint)
    outcomes = [_send(endpoint, said, to=user, now=clock()) for user in _readers(endpoint)]
    took_it = sum(isinstance(outcome, Accepted | InDoubt) for outcome in outcomes)
    if not outcomes:
        logger.error("nobody with an address can be told that webhook %s is switched off", endpoint)
    if took_it or clock() >= _failing_since(endpoint) + TIME_TO_LIVE:
        ours = Endpoint.objects.filter(pk=endpoint.pk, notice_due_at=endpoint.notice_due_at)
        ours.update(notice_due_at=None)
    return took_it


def _failing_since(endpoint: Endpoint) -> datetime:
    return cast("datetime", endpoint.failing_since)  # endpoint_notice_of_failing says so


def _readers(endpoint: Endpoint) -> list[User]:
    may = User.objects.with_perm(_MAY_REPAIR).exclude(email="").order_by("pk")
    return [
        user for user in may if Endpoint.objects.visible_to(user).filter(pk=endpoint.pk).exists()
    ]


def _send(endpoint: Endpoint, said: dict[str, Any], *, to: User, now: datetime) -> Outcome:
    written = staff_mail.written("campaigns/notice_webhook_off", said, to=to)
    began = int(_failing_since(endpoint).timestamp())
    token = f"webhook-{endpoint.pk}-{began}-{to.pk}"  # the same where it is told twice
    return staff_mail.send_or_log(to=to.email, **written, token=token, now=now)


def _context(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "endpoint": endpoint,
        "given_up": endpoint.calls.given_up().count(),
        "url": settings.SITE_URL + reverse("campaigns:webhook_detail", args=[endpoint.pk]),
    }
