"""Questions that somebody waits for: what takes too long is cut off, and said."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

PATIENCE = 5.0  # seconds that a person waits for a page


class TookTooLong(Exception):
    """PostgreSQL was not done in the time that a person waits."""


@contextmanager
def at_most(*, seconds: float) -> Iterator[None]:
    """Let each statement in it take so long at most.

    :raises TookTooLong: one of them did not end in time.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
            yield
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong from None
        raise
