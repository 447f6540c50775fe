"""Differences between what messages counted for and what they count for now, written as sums."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from tracking.ledger import array
from tracking.models import EventKind, HitKind
from tracking.tallying.facts import Facts, earliest

REACTIONS = (
    "opens_people", "opens_unique", "opens_total", "clicks_people", "clicks_unique",
    "clicks_total", "bounced_hard", "bounced_soft", "delivered", "complained", "unsubscribed",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table of sums: what tells its rows of a run apart, and what is counted."""

    name: str
    keys: Mapping[str, str]
    """Their types in PostgreSQL, by the columns."""
    columns: tuple[str, ...]

    @property
    def all_keys(self) -> dict[str, str]:
        return {"run_id": "bigint", **self.keys}


RUNS = Table("tracking_runtally", {}, REACTIONS)
DOMAINS = Table("tracking_domaintally", {"domain": "text"}, (*REACTIONS, "sent", "failed"))
HOURS = Table("tracking_hourtally", {"hour": "timestamptz"}, (*REACTIONS, "sent", "failed"))
LINKS = Table("tracking_linktally", {"number": "smallint"}, ("people", '"unique"', "total"))
REASONS = Table("tracking_reasontally", {"kind": "text", "reason": "text"}, ("count",))

Key = tuple[Any, ...]
Firsts = Sequence[tuple[str, datetime]]


class Moves:
    """By how much each sum is to move; `write` moves them."""

    def __init__(self) -> None:
        self._moves: dict[Table, dict[Key, dict[str, int]]] = {
            table: defaultdict(lambda: defaultdict(int))
            for table in (RUNS, DOMAINS, HOURS, LINKS, REASONS)
        }

    def replace(self, run_id: int, domain: str, before: Facts, after: Facts) -> None:
        """Count a message as `after` that was counted as `before`."""
        if before != after:
            self._message(run_id, domain, before, -1)
            self._message(run_id, domain, after, 1)

    def add(self, table: Table, key: Key, column: str, count: int) -> None:
        self._moves[table][key][column] += count

    def hit(self, run_id: int, kind: str, number: int | None, at: datetime) -> None:
        """Count a hit in the totals that are of no message: by hour, and by link."""
        self.add(HOURS, (run_id, hour_of(at)), _TOTALS[kind], 1)
        if number is not None:
            self.add(LINKS, (run_id, number), "total", 1)

    def nobodys_hit(self, run_id: int, kind: str, number: int | None, at: datetime) -> None:
        """Count a hit of a run that is measured anonymously."""
        self.add(RUNS, (run_id,), _TOTALS[kind], 1)
        self.hit(run_id, kind, number, at)

    def _message(self, run_id: int, domain: str, facts: Facts, sign: int) -> None:
        firsts = _firsts(facts)
        self._whole(RUNS, (run_id,), firsts, facts, sign)
        self._whole(DOMAINS, (run_id, domain), firsts, facts, sign)
        for column, at in firsts:
            self.add(HOURS, (run_id, hour_of(at)), column, sign)
        for kind, reason in _reasons(facts):
            self.add(REASONS, (run_id, kind, reason), "count", sign)

    def _whole(self, table: Table, key: Key, firsts: Firsts, facts: Facts, sign: int) -> None:
        sums = self._moves[table][key]
        for column, _ in firsts:
            sums[column] += sign
        sums["opens_total"] += sign * facts.opens
        sums["clicks_total"] += sign * facts.clicks

    def rename_domain(self, run_id: int, domain: str, facts: Facts, *, state: str) -> None:
        """Count a message as one to no domain.

        :param state: of its delivery, where the ledger's last count has it
        """
        for name, sign in ((domain, -1), ("", 1)):
            self._whole(DOMAINS, (run_id, name), _firsts(facts), facts, sign)
            if state in DOMAINS.columns:
                self.add(DOMAINS, (run_id, name), state, sign)

    def write(self) -> None:
        for table, rows in self._moves.items():
            moved = {key: sums for key, sums in rows.items() if any(sums.values())}
            if moved:
                _move(table, moved)


_TOTALS: Mapping[str, str] = {HitKind.OPEN: "opens_total", HitKind.CLICK: "clicks_total"}


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _firsts(facts: Facts) -> Firsts:
    """Return what a message counts for once, and when it did. Who clicks has opened."""
    times = {
        "opens_people": earliest(facts.opened_by_person_at, facts.clicked_by_person_at),
        "opens_unique": earliest(facts.opened_at, facts.clicked_at),
        "clicks_people": facts.clicked_by_person_at,
        "clicks_unique": facts.clicked_at,
        "bounced_hard" if facts.is_hard else "bounced_soft": facts.bounced_at,
        "delivered": facts.delivered_at,
        "complained": facts.complained_at,
        "unsubscribed": facts.unsubscribed_at,
    }
    return [(column, at) for column, at in times.items() if at]


def _reasons(facts: Facts) -> Iterable[tuple[str, str]]:
    if facts.failure:
        yield EventKind.FAILED.value, facts.failure
    if facts.bounce:
        yield EventKind.BOUNCED.value, facts.bounce
    if facts.unsubscribed_at:
        yield EventKind.UNSUBSCRIBED.value, facts.departure


# In two statements, because a row that is proposed must pass the checks of its columns, and a
# difference may be less than nothing.
_MAKE = """
INSERT INTO {table} ({keys})
SELECT * FROM unnest({key_arrays}) AS moved ({keys})
 ORDER BY {keys}
    ON CONFLICT DO NOTHING
"""
_MOVE = """
UPDATE {table} AS tally
   SET {changes}
  FROM unnest({key_arrays}, {arrays}) AS moved ({keys}, {columns})
 WHERE {same}
"""


def _move(table: Table, rows: Mapping[Key, Mapping[str, int]]) -> None:
    keys = table.all_keys
    arrays = [array(column) for column in zip(*rows, strict=True)]
    counts = [array(sums.get(column, 0) for sums in rows.values()) for column in table.columns]
    words = {
        "table": table.name,
        "keys": ", ".join(keys),
        "key_arrays": ", ".join(f"%s::{kind}[]" for kind in keys.values()),
        "columns": ", ".join(table.columns),
        "arrays": ", ".join("%s::integer[]" for _ in table.columns),
        "changes": ", ".join(f"{c} = tally.{c} + moved.{c}" for c in table.columns),
        "same": " AND ".join(f"tally.{key} = moved.{key}" for key in keys),
    }
    with connection.cursor() as cursor:
        cursor.execute(_MAKE.format(**words), arrays)
        cursor.execute(_MOVE.format(**words), arrays + counts)
