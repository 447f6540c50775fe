"""Who writes addresses down and who erases one do not do it at the same time.

A snapshot, an import or a form that read an address a moment ago would else write it down again
behind the back of its erasure, and what a person says would be lost with a row that is merged into
another. Whoever writes takes the lock first in its transaction, shared; an erasure takes it alone,
and waits for nothing while it holds it but for rows that these do not hold.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connection, connections

_KEY = "hashtextextended('recipients.erasing', 0)"
_ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
_HOWEVER_LONG = "SET LOCAL idle_in_transaction_session_timeout = 0"


def write_addresses() -> None:
    """Let nobody be erased to the end of this transaction; read what is to be written after it."""
    _take("pg_advisory_xact_lock_shared")


def erase_addresses() -> None:
    """Let nobody write addresses to the end of this transaction; wait for those who do."""
    _take("pg_advisory_xact_lock")


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Let one process at a time do what takes minutes; give whether it is this one.

    By a transaction that does nothing else, on a connection of its own: it ends with its process,
    and holds neither rows nor a snapshot. Behind a pooler the lock of a session would stay with
    whoever is given that session next.
    """
    link = connections[DEFAULT_DB_ALIAS].copy()
    try:
        link.set_autocommit(False)
        with link.cursor() as cursor:
            cursor.execute(_HOWEVER_LONG)
            cursor.execute(_ALONE, [name])
            is_ours = bool(cursor.fetchone()[0])
        yield is_ours
        link.rollback()
    finally:
        link.close()


def _take(function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}({_KEY})")
