"""Take a person out of what imports have read, wherever they are."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db import ProgrammingError, connection, transaction

from recipients.addresses import BadAddress, parse_address, spellings
from recipients.consent import subject
from recipients.models import Suppression, SuppressionReason

# The digest stays: by it the row is recognised as that of somebody who was erased, and not merged.
# The number of rows stays, too: a table that has lost some is read from the file once more.
_SET = """
UPDATE {table}
   SET key = 'erased ' || encode(subject, 'hex'), address = '', domain = '',
       needs_smtputf8 = false, fields = '{{}}', filled = NULL, language = '', time_zone = ''
"""
_BLANK = f"{_SET} WHERE subject = ANY(%(subjects)s)"
_BLANK_ERASED = f"{_SET} FROM recipients_suppression erased WHERE erased.digest = subject"

_BLANK_REJECTED = """
UPDATE {table} SET reason = 'erased', raw = '' WHERE raw ~* %(mentioned)s OR reason ~* %(mentioned)s
"""

_BLANK_LINES = """
UPDATE import_rejected_{id} SET reason = 'erased', raw = '' WHERE line = ANY(%(lines)s::bigint[])
"""
_ADDRESS = re.compile(r"""[^\s,;"'<>()|]+@[^\s,;"'<>()|]+""")
_AT_ONCE = 2_000  # rows

_TABLES = r"""
SELECT relname FROM pg_class
 WHERE relkind = 'r' AND relname ~ '^import_(read|sorted|rejected)_\d+$'
   AND relnamespace = current_schema()::regnamespace
 ORDER BY relname
"""


def forget(keys: Collection[str]) -> None:
    """Blank the rows of these people, and those rejected rows that mention them.

    :param keys: as Recipient.key has them; they have to be suppressed in the same transaction, so
        that nobody makes them anew.
    """
    mentioned = "|".join(re.escape(spelling) for spelling in spellings(keys))
    params: dict[str, Any] = {"subjects": [subject(key) for key in keys], "mentioned": mentioned}
    for table in _tables():
        blank = _BLANK_REJECTED if "rejected" in table else _BLANK
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(blank.format(table=table), params)
        except ProgrammingError:
            if table in _tables():  # else its import has ended at this moment
                raise


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        return [table for (table,) in cursor.fetchall()]


def forget_erased(import_id: int) -> None:
    """Blank the rows that an import has read of people who were erased before."""
    if not Suppression.objects.filter(reason=SuppressionReason.ERASED).exists():
        return
    lines = [line for rows in _rejected(import_id) for line in _naming_erased(rows)]
    with connection.cursor() as cursor:
        cursor.execute(_BLANK_ERASED.format(table=f"import_read_{int(import_id)}"))
        cursor.execute(_BLANK_LINES.format(id=int(import_id)), {"lines": lines})


def _rejected(import_id: int) -> Iterator[list[tuple[int, str]]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(f"SELECT line, raw FROM import_rejected_{int(import_id)}")
        while rows := cursor.fetchmany(_AT_ONCE):
            yield rows


def _naming_erased(rows: Iterable[tuple[int, str]]) -> set[int]:
    """Return the lines that have an address of somebody who was erased."""
    lines: dict[bytes, set[int]] = defaultdict(set)
    for line, raw in rows:
        for text in _ADDRESS.findall(raw):
            if key := _key(text):
                lines[subject(key)].add(line)
    found = Suppression.objects.filter(digest__in=list(lines)).values_list("digest", flat=True)
    return {line for digest in found for line in lines[bytes(digest or b"")]}


def _key(text: str) -> str | None:
    try:
        return parse_address(text).key
    except BadAddress:
        return None
