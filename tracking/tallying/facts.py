"""What is counted of a message, and stored as its Response."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from tracking.ledger import array, bigints


class Facts(NamedTuple):
    """What came back for one message: the columns of Response."""

    opens: int = 0
    clicks: int = 0
    opened_at: datetime | None = None
    opened_by_person_at: datetime | None = None
    clicked_at: datetime | None = None
    clicked_by_person_at: datetime | None = None
    bounced_at: datetime | None = None
    is_hard: bool = False
    delivered_at: datetime | None = None
    complained_at: datetime | None = None
    unsubscribed_at: datetime | None = None
    failure: str = ""
    bounce: str = ""
    departure: str = ""


NOTHING = Facts()
FACTS = Facts._fields
OF_HITS, OF_EVENTS = FACTS[:6], FACTS[6:]

_KNOWN = f"""
SELECT delivery_id, {", ".join(FACTS)}
  FROM tracking_response WHERE delivery_id = ANY(%(ids)s::bigint[])
"""
_KEEP = """
INSERT INTO tracking_response AS response (delivery_id, run_id, {columns})
SELECT * FROM unnest(%s::bigint[], %s::bigint[], {arrays})
 ORDER BY 1
    ON CONFLICT (delivery_id) DO UPDATE SET {changes}
"""
_TYPES: Mapping[str, str] = {"opens": "integer", "clicks": "integer", "is_hard": "boolean"} | {
    name: "timestamptz" for name in FACTS if name.endswith("_at")
}


def known(deliveries: Iterable[int]) -> dict[int, Facts]:
    """Return what is counted of these messages; there is nothing of who did nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, {"ids": bigints(deliveries)})
        return {row[0]: Facts._make(row[1:]) for row in cursor.fetchall()}


def keep(facts: Mapping[int, Facts], runs: Mapping[int, int], *, columns: Sequence[str]) -> None:
    """Store these columns of what is counted of messages, whose runs are told."""
    if not facts:
        return
    sql = _KEEP.format(
        columns=", ".join(columns),
        arrays=", ".join(f"%s::{_TYPES.get(column, 'text')}[]" for column in columns),
        changes=", ".join(f"{column} = excluded.{column}" for column in columns),
    )
    ids = [bigints(facts), bigints(runs[delivery] for delivery in facts)]
    values = [array(getattr(each, column) for each in facts.values()) for column in columns]
    with connection.cursor() as cursor:
        cursor.execute(sql, ids + values)


def earliest(*times: datetime | None) -> datetime | None:
    return min((at for at in times if at), default=None)
