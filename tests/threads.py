"""Work in threads that meet at locks of the database."""

from collections.abc import Callable
from typing import TypeVar

from django.db import connection

_T = TypeVar("_T")


def in_a_connection_of_its_own(act: Callable[[], _T]) -> _T:
    """Do something in another thread, and leave no connection of it behind."""
    try:
        return act()
    finally:
        connection.close()


def waiting_for_locks() -> int:
    """Return how many connections wait for a lock that another one has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])
