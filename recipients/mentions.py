"""Addresses in texts that people or servers wrote: found whole, and taken out."""

import re
from collections.abc import Iterable

from django.db import connection

from recipients.addresses import spellings

# A regular expression of PostgreSQL for the address alone, not as a part of a longer one.
_ALONE = r"(?<![[:alnum:]._%%+-])(%s)(?![[:alnum:]-]|[.][[:alnum:]])"

# Without an @ there is no address: so a million rows take a quarter of the time.
_FORGET = """
UPDATE {table}
   SET {column} = regexp_replace({column}::text, %(alone)s, {instead}, 'gi'){cast}
 WHERE {column}::text LIKE '%%@%%' AND {column}::text ~* %(alone)s
"""


def alone(keys: Iterable[str]) -> str:
    """Return the regular expression of PostgreSQL for these addresses, in any spelling."""
    return _ALONE % "|".join(re.escape(spelling) for spelling in spellings(keys))


def forget_mentions(
    table: str, column: str, keys: Iterable[str], *, cast: str = "", unique: bool = False
) -> int:
    """Take these addresses out of a column of texts, in any case; return from how many rows.

    All of the table is read: for those that people write, not for those of the engine.

    :param cast: of a column that is no text, as in `::jsonb`
    :param unique: whether no two rows may have the same text
    """
    instead = "'erased ' || id" if unique else "'erased'"
    sql = _FORGET.format(table=table, column=column, instead=instead, cast=cast)
    with connection.cursor() as cursor:
        cursor.execute(sql, {"alone": alone(keys)})
        return int(cursor.rowcount)
