"""Who answers to rules: how many, some of them, and whether somebody does."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models.expressions import RawSQL

from recipients.models import Recipient
from recipients.segments.catalogue import is_with_recipient
from recipients.segments.compiling import Condition, compile_rules
from recipients.segments.grammar import Group, Match, Rule, parse
from recipients.segments.known import Known

SAMPLE = 5
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")

# A count looks at everybody, or nearly. Recipients, subscriptions, tags and what other apps know
# are all at hand in order of recipient, by indexes, so that they are merged in one pass, which
# fits into the processor's caches: two thirds of the time of hash tables of a million entries, and
# never the minutes of an index that is asked a million times, because PostgreSQL expected few. Each
# helper of a merge reads all but one of the tables again, so there is one. And an index whose order
# is not that of the table is for few rows, whatever the disk.
_SETTINGS = {
    "enable_nestloop": "off",
    "enable_hashjoin": "off",
    "max_parallel_workers_per_gather": "1",
    "random_page_cost": "4",
}
_MERGE = "; ".join(f"SET LOCAL {name} = {value}" for name, value in _SETTINGS.items())
_AS_BEFORE = "; ".join(f"SET LOCAL {name} TO DEFAULT" for name in _SETTINGS)

_COUNT = "SELECT count(*) FROM recipients_recipient recipient WHERE "
_SAMPLE = "SELECT address FROM recipients_recipient recipient WHERE {rules} LIMIT %(sample)s"


def count(rules: object, *, now: datetime, known: Known | None = None) -> int:
    """Return how many recipients answer to rules, exactly.

    :raises BadRules: they cannot be asked
    """
    known = known or Known.load()
    # Also where it is counted otherwise: it says what is wrong, and in which rule.
    found = compile_rules(rules, now=now, known=known)
    plain = replace(found, sql=_COUNT + found.sql)
    [(number,)] = _rows(_difference(parse(rules), now=now, known=known) or plain)
    return int(number)


def _difference(group: Group, *, now: datetime, known: Known) -> Condition | None:
    """Count those who answer to one of several rules as all without those who answer to none.

    For `NOT EXISTS AND NOT EXISTS` tables are merged, for `EXISTS OR EXISTS` they cannot be. None
    where that is no gain: the rules ask what stands with the recipient, or more than one group.
    """
    kept, either = _split(group)
    if not either or all(is_with_recipient(rule.about) for rule in either.leaves()):
        return None
    none = {"match": "none", "rules": [rule.as_json() for rule in either.rules]}
    if not kept:
        others = compile_rules(none, now=now, known=known)
        return replace(others, sql=f"SELECT ({_COUNT} true) - ({_COUNT} {others.sql})")
    rules = [rule.as_json() for rule in kept]
    every = compile_rules({"match": "all", "rules": rules}, now=now, known=known, prefix="every")
    others = compile_rules({"match": "all", "rules": [*rules, none]}, now=now, known=known)
    sql = f"SELECT ({_COUNT} {every.sql}) - ({_COUNT} {others.sql})"
    return Condition(sql, {**every.params, **others.params})


def _split(group: Group) -> tuple[list[Group | Rule], Group | None]:
    """Return what everybody has to answer to, and the one group of which one rule is enough."""
    if group.match == Match.ANY:
        return [], group
    inner = [each for each in group.rules if isinstance(each, Group) and each.match == Match.ANY]
    if group.match == Match.NONE or len(inner) != 1:
        return [], None
    return [each for each in group.rules if each is not inner[0]], inner[0]


def sample(
    rules: object, *, now: datetime, size: int = SAMPLE, known: Known | None = None
) -> list[str]:
    """Return the addresses of some recipients who answer to rules, whichever are found first.

    :raises BadRules: they cannot be asked
    """
    found = compile_rules(rules, now=now, known=known)
    statement = Condition(_SAMPLE.format(rules=found.sql), {**found.params, "sample": size})
    return [address for (address,) in _rows(statement)]


def matches(rules: object, recipient: Recipient, *, now: datetime) -> bool:
    """Whether a recipient answers to rules, as the database has it.

    :raises BadRules: they cannot be asked
    """
    found = compile_rules(rules, now=now)
    sql = f"SELECT EXISTS ({_COUNT.replace('count(*)', '')} recipient.id = %(pk)s AND {found.sql})"
    with connection.cursor() as cursor:
        cursor.execute(sql, {**found.params, "pk": recipient.pk})
        return bool(cursor.fetchone()[0])


def those(rules: object, *, now: datetime) -> RawSQL:
    """Return the ids of those who answer to rules, for `queryset.filter(pk__in=…)`.

    :raises BadRules: they cannot be asked
    """
    found = compile_rules(rules, now=now)
    names = _PLACEHOLDER.findall(found.sql)
    sql = _COUNT.replace("count(*)", "recipient.id") + _PLACEHOLDER.sub("%s", found.sql)
    return RawSQL(sql, [found.params[name] for name in names])  # noqa: S611


def _rows(statement: Condition) -> list[tuple[Any, ...]]:
    with _merging() as cursor:
        cursor.execute(statement.sql, statement.params)
        return list(cursor.fetchall())


@contextmanager
def _merging() -> Iterator[CursorWrapper]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MERGE)
        yield cursor
        cursor.execute(_AS_BEFORE)
