"""Who writes addresses down and who erases one do not do it at the same time.

A snapshot, an import or a form that read an address a moment ago would else write it down again
behind the back of its erasure, and what a person says would be lost with a row that is merged into
another. Whoever writes takes the lock first in its transaction, shared; an erasure takes it alone,
and waits for nothing while it holds it but for rows that these do not hold.
"""

from django.db import connection

_KEY = "hashtextextended('recipients.erasing', 0)"


def write_addresses() -> None:
    """Let nobody be erased to the end of this transaction; read what is to be written after it."""
    _take("pg_advisory_xact_lock_shared")


def erase_addresses() -> None:
    """Let nobody write addresses to the end of this transaction; wait for those who do."""
    _take("pg_advisory_xact_lock")


def _take(function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}({_KEY})")
