"""What is encrypted with SECRET_KEY, and how all of it comes to be encrypted with a new one.

A row is one UPDATE of its own, on condition that it is as it was read: whoever is killed in the
midst of it has done a part, whoever changes a row meanwhile wins, and nobody waits.
"""

from dataclasses import dataclass, field
from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models import Manager

from campaigns import secrets
from campaigns.models import DKIMKey, Transport
from tracking.models import Endpoint

COLUMNS: tuple[tuple[Manager[Any], str], ...] = (
    (Transport.objects, "encrypted_url"),
    (DKIMKey.objects, "encrypted_key"),
    (Endpoint.objects, "encrypted_secret"),
    (Endpoint.objects, "encrypted_former_secret"),
    (Authenticator.objects, "data"),
)
# What allauth encrypts of a second factor, in `data`.
_OF_FACTORS = ("secret", "seed", "migrated_codes")


@dataclass
class Found:
    """How much was encrypted with SECRET_KEY, how much with a fallback, and what with neither."""

    current: int = 0
    old: int = 0
    unreadable: list[str] = field(default_factory=list)


def look() -> Found:
    """Return with which keys everything is encrypted now."""
    return _go_through(write=False)


def rotate() -> Found:
    """Encrypt with SECRET_KEY what a fallback had encrypted; return what was found before."""
    return _go_through(write=True)


def _go_through(*, write: bool) -> Found:
    found = Found()
    for manager, column in COLUMNS:
        rows = manager.exclude(**{column: ""})
        for row in rows.order_by("pk").iterator(chunk_size=100):
            value = getattr(row, column)
            try:
                renewed = _renewed(value)
            except secrets.Undecipherable:
                found.unreadable.append(_name(row))
                continue
            found.current += renewed == value
            found.old += renewed != value
            if write and renewed != value:
                rows.filter(**{"pk": row.pk, column: value}).update(**{column: renewed})
    return found


def _name(row: Any) -> str:
    match row:
        case Transport():
            return f"transport {row}"
        case DKIMKey():
            return f"DKIM key {row}"
        case Endpoint():
            return f"webhook {row}"
        case _:
            return f"second factor of {row.user}"


def _renewed(value: Any) -> Any:
    """Return what is encrypted, in a column or a part of it, as SECRET_KEY encrypts it.

    :raises Undecipherable: where neither SECRET_KEY nor a fallback made it.
    """
    if isinstance(value, dict):
        return {**value, **{name: _renewed(value[name]) for name in _OF_FACTORS if name in value}}
    if isinstance(value, list):
        return [_renewed(each) for each in value]
    return secrets.renew(value)
