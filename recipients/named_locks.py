"""Locks that have a name: one process at a time does what is called so, and nobody waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_TAKE = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
_HOWEVER_LONG = "SET LOCAL idle_in_transaction_session_timeout = 0"


def take(name: str) -> bool:
    """Take a lock to the end of this transaction; False: somebody else has it."""
    return _take(connection, name)


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
        yield _take(link, name)
        link.rollback()
    finally:
        link.close()


def _take(link: BaseDatabaseWrapper, name: str) -> bool:
    with link.cursor() as cursor:
        cursor.execute(_TAKE, [name])
        return bool(cursor.fetchone()[0])
