"""The indexes of custom fields: one for each, made and dropped behind the fields' backs.

An index of a large table takes minutes. So none is made in the transaction that saves a field: a
job compares what there is with what there should be, and makes it so.
"""

from collections.abc import Iterator

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from recipients import named_locks
from recipients.models import Field, FieldKind
from recipients.segments.custom import BLANK, VALUES

_PREFIX = "recipient_field_"
_LOCK = "recipients.indexes"  # of who is at work: another one would take its index for a ruin

# Of a field that most leave blank, the index is small. Rules for what is not blank find it, because
# PostgreSQL sees that what is equal to "Rome" is not "".
_CREATE = """
CREATE INDEX CONCURRENTLY {index} ON recipients_recipient ({expression})
 WHERE NOT ({blank})
"""
# How many have which value; an index that leaves out the blank ones does not tell the planner.
_KNOW = "CREATE STATISTICS IF NOT EXISTS {index} ON ({expression}) FROM recipients_recipient"
_FORGET = "DROP STATISTICS IF EXISTS {index}"
_THERE_ARE = """
SELECT relation.relname, index.indisvalid
  FROM pg_index index JOIN pg_class relation ON relation.oid = index.indexrelid
 WHERE index.indrelid = 'recipients_recipient'::regclass
   AND starts_with(relation.relname, %(prefix)s)
"""


def mend_indexes() -> list[str]:
    """Make the indexes that are missing, drop those of deleted fields and those that broke off.

    Outside of transactions: PostgreSQL asks for that. Returns what was done, in words.
    """
    with named_locks.alone(_LOCK) as is_ours, connection.cursor() as cursor:
        return list(_mend(cursor)) if is_ours else []


def _mend(cursor: CursorWrapper) -> Iterator[str]:
    wanted = {f"{_PREFIX}{field.pk}": field for field in Field.objects.order_by("pk")}
    cursor.execute(_THERE_ARE, {"prefix": _PREFIX})
    there_are = dict(cursor.fetchall())
    for name, is_valid in there_are.items():
        if name not in wanted or not is_valid:
            for statement in ("DROP INDEX CONCURRENTLY {index}", _FORGET):
                cursor.execute(sql.SQL(statement).format(index=sql.Identifier(name)))
            yield f"dropped {name}"
    missing = [name for name in wanted if not there_are.get(name)]
    for name in missing:
        for statement in (_CREATE, _KNOW):
            cursor.execute(_of_field(statement, name, wanted[name]))
        yield f"made {name}, of {wanted[name]}"
    if missing:
        # Otherwise the planner guesses, until autovacuum looks.
        cursor.execute("ANALYZE recipients_recipient")


def _of_field(statement: str, name: str, field: Field) -> sql.Composed:
    kind = FieldKind(field.kind)
    # The same expression as in rules, where the table has a name.
    value = sql.SQL(VALUES[kind].replace("recipient.fields", "fields"))
    expression = value.format(name=sql.Literal(field.name))
    return sql.SQL(statement).format(
        index=sql.Identifier(name),
        expression=expression,
        blank=sql.SQL(BLANK[kind]).format(value=expression),
    )
