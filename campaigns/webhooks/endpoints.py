"""What people do with webhooks: make, change, switch, test, and have calls made again."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns import secrets
from campaigns.webhooks.signing import new_secret
from recipients.retention import delete_in_batches
from tracking.models import Call, CallState, Endpoint
from tracking.models.outgoing import TEST

# So long the former secret signs as well: receivers take the new one whenever they like.
BOTH_SIGN = timedelta(hours=24)
_LONGEST_URL = 500


class Refused(Exception):
    """It cannot be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Made:
    endpoint: Endpoint
    secret: str
    """Shown once; kept encrypted."""


def check_url(url: str) -> None:
    """Look whether a URL may be called at all; where it leads is asked at each call.

    :raises Refused:
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(_("It is no URL: %(why)s") % {"why": error}) from None
    if parts.scheme not in {"https", "http"} or not parts.hostname or port == 0:
        raise Refused(_("Write a URL that begins with https://."))
    if parts.scheme == "http" and not settings.WEBHOOK_NETWORKS:
        raise Refused(_("Write a URL that begins with https://: what is told names people."))
    if parts.username is not None or parts.password is not None:
        raise Refused(_("Leave name and password out: calls are signed."))
    if len(url) > _LONGEST_URL or not url.isprintable() or " " in url:
        raise Refused(_("It is too long, or has characters that a URL has not."))


def create_endpoint(name: str, *, url: str, kinds: Iterable[str]) -> Made:
    """Have a URL told of what happens from now on.

    :raises Refused: the URL cannot be called.
    """
    check_url(url)
    secret = new_secret()
    endpoint = Endpoint.objects.create(
        name=name, url=url, kinds=sorted(set(kinds)), encrypted_secret=secrets.encrypt(secret)
    )
    return Made(endpoint, secret)


@transaction.atomic
def change_endpoint(
    endpoint: Endpoint,
    *,
    name: str,
    url: str,
    kinds: Iterable[str],
    is_active: bool,
    now: datetime,
) -> Endpoint:
    """Change an endpoint, and return it. Where it is switched on, it is told from now on.

    :raises Refused: the URL cannot be called.
    """
    check_url(url)
    current = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    if url != current.url or (is_active and not current.is_active):
        current.failures, current.failing_since, current.rest_until = 0, None, None
        current.notice_due_at = None  # somebody looks after it
        current.calls.waiting().filter(leased_until=None).update(next_at=now)
    if is_active:
        current.why_off = ""
    current.name, current.url, current.kinds = name, url, sorted(set(kinds))
    current.is_active = is_active
    current.save()
    return current


@transaction.atomic
def renew_secret(endpoint: Endpoint, *, now: datetime) -> Made:
    """Give an endpoint another secret; for a day calls are signed by both."""
    current = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    secret = new_secret()
    current.encrypted_former_secret = current.encrypted_secret
    current.former_secret_until = now + BOTH_SIGN
    current.encrypted_secret = secrets.encrypt(secret)
    current.save()
    return Made(current, secret)


def delete_endpoint(endpoint: Endpoint) -> None:
    """Forget an endpoint, with its log."""
    endpoint.delete()


def send_test(endpoint: Endpoint, *, now: datetime) -> Call:
    """Have a call made that tells of nothing.

    :raises Refused: it is switched off.
    """
    if not Endpoint.objects.active().filter(pk=endpoint.pk).exists():
        raise Refused(_("It is switched off."))
    return Call.objects.create(
        endpoint=endpoint, event=uuid.uuid4(), kind=TEST, at=now, next_at=now, created_at=now
    )


def replay(endpoint: Endpoint, *, ids: Iterable[int], now: datetime) -> int:
    """Have calls made again that are at their end, with the ids that they had; return how many.

    :raises Refused: it is switched off.
    """
    return _replay(endpoint, {"pk__in": list(ids)}, now=now)


def replay_given_up(endpoint: Endpoint, *, since: datetime, now: datetime) -> int:
    """Have all calls made again that were given up, of what happened since then.

    :raises Refused: it is switched off.
    """
    wanted = {"state": CallState.GIVEN_UP, "at__gte": since}
    return _replay(endpoint, wanted, now=now)


def _replay(endpoint: Endpoint, wanted: dict[str, object], *, now: datetime) -> int:
    if not Endpoint.objects.active().filter(pk=endpoint.pk).exists():
        raise Refused(_("It is switched off."))
    ended = endpoint.calls.exclude(state=CallState.WAITING).filter(**wanted)
    return ended.update(
        state=CallState.WAITING, next_at=now, attempts=0, first_at=None, leased_until=None
    )


def forget_old(*, now: datetime) -> int:
    """Delete calls of WEBHOOK_CALL_DAYS ago and earlier; return how many.

    Those that wait stay, unless nobody is to be told of them any more.
    """
    if not settings.WEBHOOK_CALL_DAYS:
        return 0
    before = now - timedelta(days=settings.WEBHOOK_CALL_DAYS)
    to_make = Q(endpoint__in=Endpoint.objects.active().values("pk"), state=CallState.WAITING)
    return delete_in_batches(Call.objects.filter(created_at__lt=before).exclude(to_make))
