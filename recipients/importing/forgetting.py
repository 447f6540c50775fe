"""Take a person out of what imports have read, wherever they are."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db import ProgrammingError, connection, transaction

from recipients.addresses import BadAddress, parse_address, spellings
from recipients.consent import subject
from recipients.mentions import alone, forget_mentions
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

_FORGET_MENTIONS = """
UPDATE import_read_{id} AS read
   SET fields = regexp_replace(fields::text, alone, 'erased', 'gi')::jsonb,
       filled = regexp_replace(filled::text, alone, 'erased', 'gi')::jsonb
  FROM unnest(%(lines)s::bigint[], %(alone)s::text[]) AS mention (line, alone)
 WHERE read.line = mention.line
"""

# What may be an address, longer where it cannot be told where it begins: boss=ada@example.org.
_ADDRESS = re.compile(r"""([^\s,;:"<>()|@]+)@([\w.-]+)""")
_BEGINS = re.compile(r"^|(?<=\W)(?=\w)")
_AT_ONCE = 2_000  # rows

_TABLES = r"""
SELECT relname FROM pg_class
 WHERE relkind = 'r' AND relname ~ '^import_(read|sorted|rejected)_\d+$'
   AND relnamespace = current_schema()::regnamespace
 ORDER BY relname
"""


def forget(keys: Collection[str]) -> None:
    """Blank the rows of these people, take them out of others', and blank rejected ones of both.

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
                for column in () if "rejected" in table else ("fields", "filled"):
                    forget_mentions(table, column, keys, cast="::jsonb")
        except ProgrammingError:
            if table in _tables():  # else its import has ended at this moment
                raise


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        return [table for (table,) in cursor.fetchall()]


def forget_erased(import_id: int) -> None:
    """Blank the rows that an import has read of people who were erased before; forget mentions."""
    if not Suppression.objects.filter(reason=SuppressionReason.ERASED).exists():
        return
    rejected = _mentions(f"SELECT line, raw FROM import_rejected_{int(import_id)}")
    others = _mentions(
        f"SELECT line, fields::text FROM import_read_{int(import_id)} WHERE fields::text ~ '@'"
    )
    mentions: dict[str, Any] = {
        "lines": list(others),
        "alone": [alone(keys) for keys in others.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(_BLANK_ERASED.format(table=f"import_read_{int(import_id)}"))
        cursor.execute(_BLANK_LINES.format(id=int(import_id)), {"lines": list(rejected)})
        cursor.execute(_FORGET_MENTIONS.format(id=int(import_id)), mentions)


def _mentions(query: str) -> dict[int, set[str]]:
    """Return the lines that have addresses of people who were erased, and which."""
    found: dict[int, set[str]] = {}
    with connection.chunked_cursor() as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(_AT_ONCE):
            found |= _naming_erased(rows)
    return found


def _naming_erased(rows: Iterable[tuple[int, str]]) -> dict[int, set[str]]:
    keys = {line: set(_keys(text)) for line, text in rows}
    digests = {key: subject(key) for key in set().union(*keys.values())}
    known = Suppression.objects.filter(digest__in=list(digests.values()))
    erased = {bytes(digest or b"") for digest in known.values_list("digest", flat=True)}
    named = {key for key, digest in digests.items() if digest in erased}
    return {line: theirs & named for line, theirs in keys.items() if theirs & named}


def _keys(text: str) -> Iterator[str]:
    for local, domain in _ADDRESS.findall(text):
        for begin in _BEGINS.finditer(local):
            try:
                yield parse_address(f"{local[begin.start() :]}@{domain.rstrip('.-')}").key
            except BadAddress:
                continue
