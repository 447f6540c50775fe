"""Who asks: a key of a program, or the token of a person's client."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja.security import HttpBearer

from config.accounts import keys, tokens
from config.accounts.acting import actor, address_of
from config.accounts.models import ApiKey, Origin
from recipients.api.refusals import Problem
from recipients.models import MailingList
from recipients.models.lists import hidden_lists

# Who sees some lists alone makes none, which they would not see.
_NOT_LIMITED = frozenset({"recipients.add_mailinglist"})


@dataclass(frozen=True, slots=True)
class Caller:
    user: User
    """As the caller may act: has_perm() and the hidden lists are those of user and key."""
    holder: str
    """`key 5`, `user 3`: by whom requests are counted, and answers kept."""
    name: str
    """As the audit log has it."""


class Bearer(HttpBearer):
    """What the description says of authentication; the door has asked by then (config.api.door)."""

    openapi_bearerFormat = "An API key, or an access token"  # noqa: N815 - as OpenAPI spells it

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        return getattr(request, "caller", None)


def caller_of(request: HttpRequest, *, now: datetime) -> Caller:
    """Return who asks.

    :raises Problem: nobody says, or who is said is nobody.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unknown("Send `Authorization: Bearer` with an API key, or an access token.")
    if key := keys.find_key(token.strip(), now=now):
        keys.note_use(key, now=now)
        return _of_key(key)
    if user := tokens.user_of(token.strip(), now=now):
        return Caller(user, holder=f"user {user.pk}", name=user.get_username())
    raise _unknown("This key or token is not known, or is not valid any more.")


def introduce(request: HttpRequest, caller: Caller) -> None:
    """Let views, services and the audit log know who acts."""
    request.user = caller.user
    request.caller = caller  # type: ignore[attr-defined]
    request.actor = actor(  # type: ignore[attr-defined]
        caller.name, origin=Origin.API, user_id=caller.user.pk, ip=address_of(request)
    )


def _of_key(key: ApiKey) -> Caller:
    user, scopes = key.user, frozenset(key.scopes)
    hidden_lists(user)  # what the user sees, whatever the key is for
    if key.is_limited:
        _limit(user, to=key.lists.values_list("pk", flat=True))
        scopes -= _NOT_LIMITED
    user = narrowed(user, scopes=scopes)
    return Caller(user, holder=f"key {key.pk}", name=f"{key.user.get_username()}: {key.name}")


def narrowed(user: User, *, scopes: frozenset[str]) -> User:
    """Return a user who may do what both the user and the scopes allow.

    It is this object alone that is narrowed, superusers as well: whatever asks it for a permission,
    a page's table, a service or a form, gets the narrower answer.
    """
    may = user.has_perm

    def has_perm(perm: str, obj: Any = None) -> bool:
        return perm in scopes and may(perm, obj)

    user.has_perm = has_perm  # type: ignore[method-assign]
    return user


def _limit(user: User, *, to: Collection[int]) -> None:
    """Hide all lists but these from a user (recipients.models.lists.hidden_lists keeps it)."""
    others = MailingList.objects.exclude(pk__in=to).order_by("pk").values_list("pk", flat=True)
    user._hidden_lists = tuple(sorted({*hidden_lists(user), *others}))  # type: ignore[attr-defined]  # noqa: SLF001


def _unknown(detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="Godwit"'})
