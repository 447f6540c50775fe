"""Make the sums of a run, and what each did, anew from hits, events and the ledger, and compare.

What moves them (`tracking.tallying`, `tracking.verdicts`) goes message by message; this goes table
by table, in PostgreSQL, so that neither can hide a mistake of the other. Of a run whose hits were
deleted the Responses stand for them, and what only hits could tell is not compared.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from recipients import locks
from tracking.models import RunCounters, RunTally
from tracking.tallying.events import fold
from tracking.tallying.facts import FACTS, OF_EVENTS, OF_HITS
from tracking.tallying.lock import hold_sums
from tracking.tallying.moves import REACTIONS

LISTED = 100  # differences named for each table


@dataclass(frozen=True, slots=True)
class Difference:
    run_id: int
    what: str

    def __str__(self) -> str:
        return f"run {self.run_id}: {self.what}"


_OF_HITS = """
    SELECT delivery_id,
           count(*) FILTER (WHERE kind = 'open')::int AS opens,
           count(*) FILTER (WHERE kind = 'click')::int AS clicks,
           min(at) FILTER (WHERE kind = 'open') AS opened_at,
           min(at) FILTER (WHERE kind = 'open' AND verdict = 'person') AS opened_by_person_at,
           min(at) FILTER (WHERE kind = 'click') AS clicked_at,
           min(at) FILTER (WHERE kind = 'click' AND verdict = 'person') AS clicked_by_person_at
      FROM tracking_hit
     WHERE run_id = %(run)s AND delivery_id IS NOT NULL AND NOT is_head
     GROUP BY delivery_id
"""
_OF_RESPONSES = f"""
    SELECT delivery_id, {", ".join(OF_HITS)} FROM tracking_response
     WHERE run_id = %(run)s AND opens + clicks > 0
"""

# Each message's, in the order in which the first of a kind is found; the hard bounce goes first.
_FACTS = """
CREATE TEMPORARY TABLE tracking_facts ON COMMIT DROP AS
WITH hits AS ({hits}), events AS (
    SELECT event.delivery_id,
           min(at) FILTER (WHERE kind = 'bounced') AS bounced_at,
           coalesce(bool_or(is_hard) FILTER (WHERE kind = 'bounced'), false) AS is_hard,
           min(at) FILTER (WHERE kind = 'delivered') AS delivered_at,
           min(at) FILTER (WHERE kind = 'complained') AS complained_at,
           min(at) FILTER (WHERE kind = 'unsubscribed') AS unsubscribed_at,
           (array_agg(coalesce(nullif(category, ''), 'unknown') ORDER BY at, source, source_key)
                FILTER (WHERE kind = 'failed'))[1] AS failure,
           (array_agg(coalesce(nullif(category, ''), 'unknown')
                      ORDER BY is_hard DESC, at, source, source_key)
                FILTER (WHERE kind = 'bounced'))[1] AS bounce,
           max(departure.reason) FILTER (WHERE kind = 'unsubscribed') AS departure
      FROM tracking_deliveryevent event
      LEFT JOIN tracking_departure departure ON departure.delivery_id = event.delivery_id
     WHERE event.run_id = %(run)s AND event.counted_at IS NOT NULL
     GROUP BY event.delivery_id
)
SELECT delivery.id AS delivery_id, delivery.domain, delivery.recipient_id,
       coalesce(opens, 0) AS opens, coalesce(clicks, 0) AS clicks, opened_at,
       opened_by_person_at, clicked_at, clicked_by_person_at, bounced_at,
       coalesce(is_hard, false) AS is_hard, delivered_at, complained_at, unsubscribed_at,
       coalesce(failure, '') AS failure, coalesce(bounce, '') AS bounce,
       coalesce(departure, '') AS departure
  FROM hits FULL JOIN events USING (delivery_id)
  JOIN tracking_delivery delivery ON delivery.id = delivery_id
"""

_FIRSTS: Mapping[str, str] = {
    "opens_people": "LEAST(opened_by_person_at, clicked_by_person_at)",
    "opens_unique": "LEAST(opened_at, clicked_at)",
    "clicks_people": "clicked_by_person_at",
    "clicks_unique": "clicked_at",
    "bounced_hard": "CASE WHEN is_hard THEN bounced_at END",
    "bounced_soft": "CASE WHEN NOT is_hard THEN bounced_at END",
    "delivered": "delivered_at",
    "complained": "complained_at",
    "unsubscribed": "unsubscribed_at",
}
_TOTALS = ("opens_total", "clicks_total")
_COUNTED = ", ".join(
    [f"count({at}) AS {name}" for name, at in _FIRSTS.items()]
    + ["coalesce(sum(opens), 0) AS opens_total", "coalesce(sum(clicks), 0) AS clicks_total"]
)
_NOBODYS = """
    (SELECT count(*) FROM tracking_hit
      WHERE run_id = %(run)s AND delivery_id IS NULL AND NOT is_head AND kind = '{kind}')
"""
_RUN = f"""
    SELECT {", ".join(f"count({at}) AS {name}" for name, at in _FIRSTS.items())},
           coalesce(sum(opens), 0) + {_NOBODYS.format(kind="open")} AS opens_total,
           coalesce(sum(clicks), 0) + {_NOBODYS.format(kind="click")} AS clicks_total
      FROM tracking_facts
"""
_LEDGER = """
    SELECT {key} AS {name}, count(*) FILTER (WHERE state = 'sent') AS sent,
           count(*) FILTER (WHERE state = 'failed') AS failed
      FROM tracking_delivery
     WHERE run_id = %(run)s AND state IN ('sent', 'failed')
     GROUP BY 1
"""
_HOUR = "date_trunc('hour', {at}, 'UTC')"
_DOMAINS = f"""
    SELECT * FROM (SELECT domain, {_COUNTED} FROM tracking_facts GROUP BY domain) AS counted
      FULL JOIN ({_LEDGER.format(key="domain", name="domain")}) AS ledger USING (domain)
"""
_HOURS = f"""
    SELECT hour, {", ".join(f"sum({name}) AS {name}" for name in (*REACTIONS, "sent", "failed"))}
      FROM ({
    " UNION ALL ".join(
        f"SELECT {_HOUR.format(at=at)} AS hour, "
        + ", ".join(
            f"{int(name == column)} AS {column}" for column in (*REACTIONS, "sent", "failed")
        )
        + f" FROM tracking_facts WHERE {at} IS NOT NULL"
        for name, at in _FIRSTS.items()
    )
}
            UNION ALL
            SELECT {_HOUR.format(at="at")}, {
    ", ".join(
        f"(kind = '{column.removesuffix('s_total')}')::int" if column in _TOTALS else "0"
        for column in (*REACTIONS, "sent", "failed")
    )
}
              FROM tracking_hit WHERE run_id = %(run)s AND NOT is_head
            UNION ALL
            SELECT hour, {", ".join("0" for _ in REACTIONS)}, sent, failed
              FROM ({_LEDGER.format(key=_HOUR.format(at="finished_at"), name="hour")}) AS ledger
             WHERE hour IS NOT NULL) AS parts
     GROUP BY hour
"""
_LINKS = """
    SELECT link_number AS number,
           count(DISTINCT delivery_id) FILTER (WHERE verdict = 'person') AS people,
           count(DISTINCT delivery_id) AS "unique", count(*) AS total
      FROM tracking_hit
     WHERE run_id = %(run)s AND kind = 'click' AND NOT is_head
     GROUP BY link_number
"""
# What somebody did who is one person with another row by now may be known here alone.
_DEEDS = """
    SELECT recipient_id, LEAST(told.opened_at, known.opened_at) AS opened_at,
           LEAST(told.clicked_at, known.clicked_at) AS clicked_at
      FROM (SELECT recipient.id AS recipient_id, opened_by_person_at AS opened_at,
                   clicked_by_person_at AS clicked_at
              FROM tracking_facts JOIN recipients_recipient recipient
                ON recipient.id = tracking_facts.recipient_id
             WHERE opened_by_person_at IS NOT NULL OR clicked_by_person_at IS NOT NULL) AS told
      FULL JOIN (SELECT * FROM tracking_engagement engagement
                  WHERE run_id = %(run)s
                    AND EXISTS (SELECT FROM recipients_merge merge
                                 WHERE merge.recipient_id = engagement.recipient_id)) AS known
           USING (recipient_id)
"""
_REASONS = """
    SELECT kind, reason, count(*) AS count
      FROM tracking_facts
     CROSS JOIN LATERAL (VALUES ('failed', failure, failure <> ''),
                                ('bounced', bounce, bounce <> ''),
                                ('unsubscribed', departure, unsubscribed_at IS NOT NULL))
                AS told (kind, reason, is_so)
     WHERE is_so
     GROUP BY kind, reason
"""


@dataclass(frozen=True, slots=True)
class _Sums:
    """A table of sums, and the SELECT that makes them anew."""

    table: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    expected: str
    """Of keys and columns; what is missing in it is nothing."""
    has_empty_rows: bool = True
    """Else a row that says nothing is deleted."""


# Also for the times of Response: a row that is missing says nothing.
_OTHER = """
SELECT {keys}, {expected}, {actual}
  FROM ({select}) AS expected
  FULL JOIN (SELECT {names} FROM {table} WHERE run_id = %(run)s) AS actual {joined}
 WHERE ({expected}) IS DISTINCT FROM ({actual})
"""
_REPAIR = """
INSERT INTO {table} AS tally (run_id, {names})
SELECT %(run)s, {values} FROM ({other}) AS other ({other_keys}{values}, {olds})
    ON CONFLICT ({conflict}) DO UPDATE SET {changes}
"""
_FORGET = """
DELETE FROM {table} AS tally USING ({other}) AS other ({other_keys}{values}, {olds})
 WHERE tally.run_id = %(run)s AND {same} AND ROW({expected_values}) IS NULL
"""


@transaction.atomic
def differences(run_id: int, *, now: datetime, repair: bool = False) -> list[Difference]:
    """Return which sums of a run differ from what they are sums of; mend them, if that is wanted.

    Nobody moves a sum meanwhile, and what was noted until now is counted before.
    """
    if repair:
        locks.write_addresses()  # before the sums, for what recipients did
    fold(now=now)
    hold_sums()
    tally = RunTally.objects.filter(run=run_id).first()
    purged = bool(tally and tally.purged_at)
    params = {"run": run_id}
    found: list[Difference] = []
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.tracking_facts")
        hits = _OF_RESPONSES if purged else _OF_HITS
        cursor.execute(_FACTS.format(hits=hits), params)
        for sums in _sums(purged=purged, is_ledger_counted=_is_ledger_counted(run_id, tally)):
            found += _compare(cursor, sums, params, repair=repair)
    return found


def _is_ledger_counted(run_id: int, tally: RunTally | None) -> bool:
    """Whether the ledger stands where `sent` and `failed` were last counted."""
    moved = RunCounters.objects.filter(run=run_id).values_list("moved_at", flat=True).first()
    return bool(tally and moved and tally.ledger_counted_to == moved)


def _sums(*, purged: bool, is_ledger_counted: bool) -> Iterator[_Sums]:
    ledger = ("sent", "failed") if is_ledger_counted else ()
    of_hits = () if purged else _TOTALS
    yield _Sums(
        "tracking_response",
        ("delivery_id",),
        OF_EVENTS if purged else FACTS,
        "SELECT * FROM tracking_facts",
    )
    yield _Sums("tracking_runtally", (), (*_FIRSTS, *of_hits), _RUN)
    yield _Sums("tracking_domaintally", ("domain",), (*_FIRSTS, *_TOTALS, *ledger), _DOMAINS)
    yield _Sums("tracking_hourtally", ("hour",), (*_FIRSTS, *of_hits, *ledger), _HOURS)
    yield _Sums("tracking_reasontally", ("kind", "reason"), ("count",), _REASONS)
    yield _Sums(
        "tracking_engagement",
        ("recipient_id",),
        ("opened_at", "clicked_at"),
        _DEEDS,
        has_empty_rows=False,
    )
    if not purged:
        yield _Sums("tracking_linktally", ("number",), ("people", '"unique"', "total"), _LINKS)


def _compare(
    cursor: Any, sums: _Sums, params: Mapping[str, int], *, repair: bool
) -> Iterator[Difference]:
    words = _words(sums)
    other = _OTHER.format(**words)
    cursor.execute(f"{other} LIMIT {LISTED}", params)
    rows = cursor.fetchall()
    if repair and rows:
        if not sums.has_empty_rows:
            cursor.execute(_FORGET.format(other=other, **words), params)
        cursor.execute(_REPAIR.format(other=other, **words), params)
    return (Difference(params["run"], text) for row in rows for text in _texts(sums, row))


def _words(sums: _Sums) -> dict[str, str]:
    values = [f"v{place}" for place in range(len(sums.keys) + len(sums.columns))]
    return {
        "table": sums.table,
        "keys": ", ".join(sums.keys) or "0",
        "names": ", ".join((*sums.keys, *sums.columns)),
        "select": sums.expected,
        "expected": ", ".join(_or_nothing("expected", column) for column in sums.columns),
        "actual": ", ".join(_or_nothing("actual", column) for column in sums.columns),
        "joined": f"USING ({', '.join(sums.keys)})" if sums.keys else "ON true",
        "other_keys": "" if sums.keys else "no_key, ",
        "values": ", ".join(values),
        "expected_values": ", ".join(values[len(sums.keys) :]),
        "same": " AND ".join(
            f"tally.{key} = {value}" for key, value in zip(sums.keys, values, strict=False)
        ),
        "olds": ", ".join(f"old{place}" for place in range(len(sums.columns))),
        "conflict": ", ".join(
            ("delivery_id",) if sums.table == "tracking_response" else ("run_id", *sums.keys)
        ),
        "changes": ", ".join(f"{column} = excluded.{column}" for column in sums.columns),
    }


def _or_nothing(table: str, column: str) -> str:
    if column.endswith("_at"):
        return f"{table}.{column}"
    nothing = {"is_hard": "false", "failure": "''", "bounce": "''", "departure": "''"}
    return f"coalesce({table}.{column}, {nothing.get(column, '0')})"


def _texts(sums: _Sums, row: tuple[Any, ...]) -> Iterator[str]:
    keys = row[: max(1, len(sums.keys))]
    width = len(sums.columns)
    expected, actual = row[-2 * width : -width], row[-width:]
    name = " ".join([sums.table.removeprefix("tracking_"), *map(str, keys if sums.keys else ())])
    for column, right, stored in zip(sums.columns, expected, actual, strict=True):
        if right != stored:
            yield f"{name}: {column} is {stored}, and should be {right}"
