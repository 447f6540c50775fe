"""The lock that whoever moves sums holds."""

from typing import Any

from django.db import connection, transaction

_KEY = "hashtextextended('tracking.tallies', 0)"


def hold_sums() -> None:
    """Be the only one who moves sums, to the end of this transaction; wait for who does.

    Take it before rows, and after `locks.write_addresses` where recipients are written as well:
    an erasure, which holds that one and recipients, moves sums too.
    """
    _lock("pg_advisory_xact_lock")


def sums_are_held() -> bool:
    """Whether somebody else is at it."""
    with transaction.atomic():
        return not _lock("pg_try_advisory_xact_lock")


def _lock(function: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}({_KEY})")
        return cursor.fetchone()[0]
