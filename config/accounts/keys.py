"""API keys: made, shown once, found again by what programs send, revoked."""

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from config.accounts.models import ApiKey
from recipients.models import MailingList

_BEGINNING = "gdw"  # by which programs that look for lost secrets know one
_TO_THE_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Made:
    key: ApiKey
    secret: str
    """The whole key, which nobody can be shown again."""


@transaction.atomic
def make_key(
    user: User,
    *,
    name: str,
    scopes: Iterable[str],
    lists: Collection[MailingList] | None = None,
    expires_at: datetime | None = None,
    now: datetime,
) -> Made:
    """Make a key by which a program acts as this user.

    :param scopes: permissions, `app.codename`; what the user has not is of no use in it
    :param lists: the only ones that it sees; None: those that its user sees
    """
    prefix = secrets.token_hex(6)
    secret = f"{_BEGINNING}_{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        user=user,
        name=name,
        prefix=prefix,
        digest=_digest(secret),
        scopes=sorted(set(scopes)),
        is_limited=lists is not None,
        created_at=now,
        expires_at=expires_at,
    )
    key.lists.set(lists or ())
    return Made(key, secret)


def find_key(secret: str, *, now: datetime) -> ApiKey | None:
    """Return the key that this is, with its user, if it works."""
    parts = secret.split("_", 2)
    if len(parts) != 3 or parts[0] != _BEGINNING or "\0" in secret:
        return None
    key = ApiKey.objects.usable(now=now).select_related("user").filter(prefix=parts[1]).first()
    return key if key and compare_digest(bytes(key.digest), _digest(secret)) else None


def note_use(key: ApiKey, *, now: datetime) -> None:
    """Write down that a key was used, once in a minute at most."""
    if key.last_used_at is None or key.last_used_at <= now - _TO_THE_MINUTE:
        longer_ago = Q(last_used_at=None) | Q(last_used_at__lte=now - _TO_THE_MINUTE)
        ApiKey.objects.filter(longer_ago, pk=key.pk).update(last_used_at=now)


def revoke_key(key: ApiKey, *, now: datetime) -> bool:
    """Let a key open nothing any more; return whether it did until now."""
    return ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now) == 1


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
