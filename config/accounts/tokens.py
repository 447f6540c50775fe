"""Tokens of people's own clients: a short one that opens, a longer one that asks for it anew."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.utils.crypto import constant_time_compare, salted_hmac

from config.accounts.models import SignedIn

ACCESS = timedelta(minutes=10)
REFRESH = timedelta(days=1)

_ALGORITHM = "HS256"
_AUDIENCE = "godwit-api"
_REQUIRED = ["sub", "sid", "exp", "aud"]


@dataclass(frozen=True, slots=True)
class Tokens:
    access: str
    refresh: str


@transaction.atomic
def sign_in(user: User, *, session_key: str = "", now: datetime) -> Tokens:
    """Return the tokens of somebody who has just shown who they are.

    :param session_key: of the web session that shows it; with that they end.
    """
    refresh = _secret()
    signed_in = SignedIn.objects.create(
        user=user,
        digest=_digest(refresh),
        session_key=session_key,
        auth_hash=user.get_session_auth_hash(),
        created_at=now,
        expires_at=now + REFRESH,
    )
    return Tokens(_access(signed_in, now=now), refresh)


@transaction.atomic
def refresh(token: str, *, now: datetime) -> Tokens | None:
    """Return new tokens for a refresh token, which is used up; None: it opens nothing."""
    rows = SignedIn.objects.select_for_update(of=("self",)).select_related("user")
    signed_in = rows.filter(digest=_digest(token)).first()
    if signed_in is None or not _holds(signed_in, now=now):
        return None
    following = _secret()
    signed_in.digest = _digest(following)
    signed_in.save(update_fields=["digest"])
    return Tokens(_access(signed_in, now=now), following)


def user_of(access: str, *, now: datetime) -> User | None:
    """Return whose access token this is, if they are still signed in."""
    for key in _keys():
        try:
            claims: dict[str, Any] = jwt.decode(
                access,
                key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            continue
        if claims["exp"] <= now.timestamp():
            return None
        signed_in = SignedIn.objects.select_related("user").filter(pk=claims["sid"]).first()
        is_in = signed_in is not None and _holds(signed_in, now=now)
        return signed_in.user if signed_in and is_in else None
    return None


def sign_out(token: str) -> bool:
    """Let a refresh token, and the access tokens that came with it, open nothing any more."""
    deleted, _ = SignedIn.objects.filter(digest=_digest(token)).delete()
    return bool(deleted)


def elsewhere(user: User, *, session_key: str, now: datetime) -> QuerySet[SignedIn]:
    """Return the clients of somebody that this session of theirs has not let in."""
    signed_in = SignedIn.objects.filter(user=user, expires_at__gt=now)
    return signed_in.exclude(session_key=session_key)


def forget_old(*, now: datetime) -> int:
    """Delete what has expired; return how many."""
    deleted, _ = SignedIn.objects.filter(expires_at__lte=now).delete()
    return deleted


def _holds(signed_in: SignedIn, *, now: datetime) -> bool:
    """Whether the person may still sign in, with this password, and the session is still there."""
    user = signed_in.user
    if signed_in.expires_at <= now or not user.is_active:
        return False
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    if not any(constant_time_compare(signed_in.auth_hash, each) for each in hashes):
        return False
    if not signed_in.session_key:
        return True
    session = Session.objects.filter(session_key=signed_in.session_key, expire_date__gt=now)
    return session.exists()


def _access(signed_in: SignedIn, *, now: datetime) -> str:
    expires = min(now + ACCESS, signed_in.expires_at)
    claims = {
        "sub": str(signed_in.user_id),
        "sid": signed_in.pk,
        "iat": now,
        "exp": expires,
        "aud": _AUDIENCE,
    }
    return jwt.encode(claims, _keys()[0], algorithm=_ALGORITHM)


def _keys() -> list[bytes]:
    """Return the keys that sign, the newest first: made for this, of the installation's secrets."""
    known = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [
        salted_hmac("api.token", "", secret=each, algorithm="sha256").digest() for each in known
    ]


def _secret() -> str:
    return secrets.token_urlsafe(32)


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
