"""The audit log: what is told to it beside changes of rows, and what it forgets."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Q
from django.http import HttpRequest

from config.accounts.acting import actor, address_of
from config.accounts.models import AuditEntry, Origin

_SLICE = 10_000


def signed_in(request: HttpRequest | None, user: User, **_: Any) -> None:
    _note(request, "signed in", user)


def signed_out(request: HttpRequest | None, user: User | None, **_: Any) -> None:
    if user is not None:
        _note(request, "signed out", user)


def sign_in_failed(
    credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    """Note whose password was wrong; of nobody's, what was typed may be a password itself."""
    name, email = credentials.get("username") or "", credentials.get("email") or ""
    by_email = Q(email__iexact=email) if email else Q()
    user = User.objects.filter(Q(username=name) | by_email).first() if name or email else None
    _note(request, "failed to sign in", user)


@transaction.atomic
def _note(request: HttpRequest | None, act: str, user: User | None) -> None:
    who = actor(
        user.get_username() if user else "unknown",
        origin=Origin.WEB,
        user_id=user.pk if user else None,
        ip=address_of(request),
    )
    kind, pk, name = ("auth.user", str(user.pk), user.get_username()) if user else ("", "", "")
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('godwit.actor', %s, true)", [who])
        cursor.execute(
            "SELECT accounts_audit_write(%s, %s, %s, %s, NULL, NULL, 1)", [act, kind, pk, name]
        )
        cursor.execute("SELECT set_config('godwit.actor', '', true)")


def forget_old(*, now: datetime) -> int:
    """Delete entries older than AUDIT_DAYS, some thousand at a time; return how many."""
    if not settings.AUDIT_DAYS:
        return 0
    count = 0
    before = now - timedelta(days=settings.AUDIT_DAYS)
    while deleted := _forget_some(before):
        count += deleted
    return count


@transaction.atomic
def _forget_some(before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('godwit.keeping', 'yes', true)")
        old = AuditEntry.objects.filter(at__lt=before).order_by("at")
        ids = list(old.values_list("pk", flat=True)[:_SLICE])
        deleted, _ = AuditEntry.objects.filter(pk__in=ids).delete()
        cursor.execute("SELECT set_config('godwit.keeping', '', true)")
    return deleted
