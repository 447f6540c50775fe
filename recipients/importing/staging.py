"""The tables of one import: its rows as they were read, before anything is done with them.

They are the import's own, not logged by PostgreSQL, and gone when it has ended. What a crash of
PostgreSQL empties is read from the file once more, and sorted in the same order.
"""

from collections.abc import Iterable, Iterator

from django.db import connection

from recipients.importing.reading import Rejected

# `import_read_N`: what can be imported. `import_rejected_N`: what cannot. `import_sorted_N`: the
# first row of each address, numbered in the order of addresses, in which they are merged. The keys
# have the collation of Recipient.key: compared by another they would not be found by its index.
_CREATE = """
CREATE UNLOGGED TABLE IF NOT EXISTS import_read_{id} (
    line bigint NOT NULL, key text NOT NULL, address text NOT NULL,
    domain text NOT NULL, needs_smtputf8 boolean NOT NULL, subject bytea NOT NULL,
    fields jsonb NOT NULL, filled jsonb, language text NOT NULL, time_zone text NOT NULL
);
CREATE UNLOGGED TABLE IF NOT EXISTS import_rejected_{id} (
    line bigint PRIMARY KEY, last bigint NOT NULL, reason text NOT NULL, raw text NOT NULL
)
"""

_COPY = """
COPY import_read_{id} (line, key, address, domain, needs_smtputf8, subject, fields, filled,
                       language, time_zone) FROM STDIN
"""

_REJECT = """
INSERT INTO import_rejected_{id} (line, last, reason, raw) VALUES (%s, %s, %s, %s)
"""

_SORT = """
SET LOCAL work_mem = '64MB';
DROP TABLE IF EXISTS import_sorted_{id};
CREATE UNLOGGED TABLE import_sorted_{id} AS
SELECT row_number() OVER () AS position, first.*
  FROM (SELECT DISTINCT ON (key COLLATE "C") * FROM import_read_{id}
         ORDER BY key COLLATE "C", line) first;
CREATE UNIQUE INDEX import_sorted_{id}_position ON import_sorted_{id} (position);
ANALYZE import_sorted_{id} (position, key)
"""

_DROP = """
DROP TABLE IF EXISTS import_read_{id}, import_rejected_{id}, import_sorted_{id}
"""

_DROP_ROWS = "DROP TABLE IF EXISTS import_read_{id}, import_sorted_{id}"

_KEPT = r"""
SELECT DISTINCT substring(relname FROM '\d+$')::bigint FROM pg_class
 WHERE relkind = 'r' AND relname ~ '^import_(read|rejected|sorted)_\d+$'
   AND relnamespace = current_schema()::regnamespace
"""

_COUNT = """
SELECT (SELECT count(*) FROM import_read_{id}), (SELECT count(*) FROM import_rejected_{id})
"""

_REJECTED = """
SELECT line, last, reason, raw FROM import_rejected_{id}
 WHERE line > %(after)s ORDER BY line LIMIT %(most)s
"""

_ROWS_AT_ONCE = 10_000
_LINES_AT_ONCE = 1_000


def create(import_id: int) -> None:
    """Make the tables of an import, if they are not there."""
    _execute(_CREATE, import_id)


def drop(import_id: int) -> None:
    """Forget all that was read; may be repeated."""
    _execute(_DROP, import_id)


def drop_rows(import_id: int) -> None:
    """Forget what could be imported, and keep what could not; may be repeated."""
    _execute(_DROP_ROWS, import_id)


def kept() -> set[int]:
    """Return the imports that have tables."""
    with connection.cursor() as cursor:
        cursor.execute(_KEPT)
        return {import_id for (import_id,) in cursor.fetchall()}


def load(import_id: int, rows: Iterable[str | Rejected]) -> tuple[int, int]:
    """Add rows, as RowReader reads them; return how many, and how many of them are rejected."""
    rejected: list[Rejected] = []
    read = 0
    with connection.cursor() as cursor:
        with cursor.copy(_COPY.format(id=int(import_id))) as copy:
            for lines in _bundled(rows, rejected):
                copy.write("".join(lines))
                read += len(lines)
        if rejected:
            values = [(each.line, each.last, each.reason, each.raw) for each in rejected]
            cursor.executemany(_REJECT.format(id=int(import_id)), values)
    return read + len(rejected), len(rejected)


def _bundled(rows: Iterable[str | Rejected], rejected: list[Rejected]) -> Iterator[list[str]]:
    lines: list[str] = []
    for row in rows:
        if isinstance(row, str):
            lines.append(row)
            if len(lines) == _LINES_AT_ONCE:
                yield lines
                lines = []
        else:
            rejected.append(row)
    yield lines


def counts(import_id: int) -> tuple[int, int]:
    """Return how many rows are there: those that were read, and rejected ones."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(id=int(import_id)))
        read, rejected = cursor.fetchone()
        return read, rejected


def sort(import_id: int) -> int:
    """Number the first row of each address; return how many addresses there are."""
    _execute(_SORT, import_id)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(position), 0) FROM import_sorted_{int(import_id)}")
        return int(cursor.fetchone()[0])


def rejected(import_id: int) -> Iterator[Rejected]:
    """Return the rejected rows in the order of the file, some at a time."""
    after = 0
    with connection.cursor() as cursor:
        while True:
            params = {"after": after, "most": _ROWS_AT_ONCE}
            cursor.execute(_REJECTED.format(id=int(import_id)), params)
            rows = [Rejected(*row) for row in cursor.fetchall()]
            yield from rows
            if len(rows) < _ROWS_AT_ONCE:
                return
            after = rows[-1].line


def _execute(sql: str, import_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.format(id=int(import_id)))
