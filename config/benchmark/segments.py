"""The question of `benchmark_segments`: how long it takes to count who answers to a segment."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from config.benchmark import machine, report
from recipients.models import Field, FieldKind, MailingList, Tag
from recipients.segments.asking import count
from recipients.segments.indexes import mend_indexes
from recipients.segments.words import describe

ROUNDS = 7

_FIELDS = {
    "city": FieldKind.TEXT,
    "age": FieldKind.NUMBER,
    "born": FieldKind.DATE,
    "vip": FieldKind.BOOLEAN,
    "plan": FieldKind.CHOICE,
}
_PLANS = ["free", "pro", "team"]

# A thousand cities, four languages, two years of growth; some 280 bytes a row.
_RECIPIENTS = """
INSERT INTO recipients_recipient
       (address, key, domain, needs_smtputf8, fields, language, time_zone, created_at, updated_at)
SELECT 'r' || n || '@' || domain, 'r' || n || '@' || domain, domain, false,
       jsonb_build_object('first_name', 'Ada', 'city', 'City ' || n %% 1000, 'age', 18 + n %% 60,
                          'born', to_char(date '1950-01-01' + n %% 20000, 'YYYY-MM-DD'),
                          'vip', n %% 50 = 0, 'plan', (%(plans)s::text[])[1 + n %% 3]),
       (array['en', 'vi', 'de', 'pt-BR'])[1 + n / 7 %% 4], 'Europe/Berlin',
       now() - (%(count)s - n) * (interval '2 years' / %(count)s), now()
  FROM generate_series(1, %(count)s::int) AS n,
       LATERAL (SELECT 'd' || n %% 50 || '.example' AS domain) AS place
"""
# Nine of ten, of whom one in ten has left, and one of ten.
_SUBSCRIPTIONS = """
INSERT INTO recipients_subscription (mailing_list_id, recipient_id, state, created_at, changed_at)
SELECT list, id, CASE WHEN id / 3 %% 10 = 0 THEN 'unsubscribed' ELSE 'confirmed' END, now(), now()
  FROM (VALUES (%(large)s::bigint, 9), (%(small)s, 1)) AS lists (list, tenths), recipients_recipient
 WHERE id * 7919 %% 10 < tenths
 ORDER BY list, id
"""
_TAGGINGS = """
INSERT INTO recipients_tagging (tag_id, recipient_id)
SELECT %(tag)s, id FROM recipients_recipient WHERE id %% 20 = 0
"""
# As folded runs and three years of opens leave it.
_ACTIVITY = """
INSERT INTO tracking_activity
       (recipient_id, mailed_at, mailed_run, opened_at, opened_run, clicked_at, clicked_run)
SELECT id, now() - id %% 60 * interval '1 day', 9, opened, CASE WHEN opened < now() THEN 8 END,
       CASE WHEN id %% 10 = 0 THEN opened END, CASE WHEN id %% 10 = 0 THEN 8 END
  FROM recipients_recipient,
       LATERAL (SELECT CASE WHEN id %% 5 < 2
                            THEN now() - id %% 900 * interval '1 day' END) AS o (opened)
 WHERE id %% 10 < 9
"""


@dataclass(frozen=True, slots=True)
class Measured:
    name: str
    words: str
    found: int
    seconds: float


def make_base(recipients: int) -> tuple[MailingList, MailingList, Tag]:
    """Make so many recipients, two lists of them, a tag, fields and what they did."""
    for name, kind in _FIELDS.items():
        choices = _PLANS if kind == FieldKind.CHOICE else []
        Field.objects.create(name=name, kind=kind, choices=choices)
    large, small = (MailingList.objects.create(name=name) for name in ("News", "Events"))
    tag = Tag.objects.create(name="VIP")
    params = {"count": recipients, "large": large.pk, "small": small.pk, "tag": tag.pk}
    with connection.cursor() as cursor:
        for statement in (_RECIPIENTS, _SUBSCRIPTIONS, _TAGGINGS, _ACTIVITY):
            cursor.execute(statement, {**params, "plans": _PLANS})
        mend_indexes()
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")
    return large, small, tag


def segments(large: MailingList, small: MailingList, tag: Tag) -> Mapping[str, Any]:
    """Return what is asked: three rules each."""

    def rule(about: str, operator: str, value: object = None) -> dict[str, object]:
        return {"about": about, "operator": operator, "value": value}

    def group(*rules: dict[str, Any], match: str = "all") -> dict[str, Any]:
        return {"match": match, "rules": list(rules)}

    language, on_large = rule("language", "one_of", ["vi", "de"]), rule("list", "on", large.pk)
    return {
        "selective": group(
            rule("field:city", "is", "City 7"), rule("field:age", "less", 50), language
        ),
        "unselective": group(
            rule("language", "is_not", "vi"),
            rule("field:age", "more", 20),
            rule("field:plan", "is_not", "free"),
        ),
        "dates": group(
            rule("created_at", "last_days", 365),
            rule("field:born", "before", "2000-01-01"),
            rule("field:vip", "not_yes"),
        ),
        "list and tag": group(on_large, rule("tag", "has_not", tag.pk), language),
        "two lists": group(on_large, rule("list", "never", small.pk), language),
        "engagement": group(
            on_large, rule("mailed", "not_last_days", 30), rule("opened", "last_days", 365)
        ),
        "parts of texts": group(
            rule("field:city", "contains", "7"),
            rule("domain", "contains", "1"),
            rule("list", "not_on", large.pk),
        ),
        "one of two": group(
            rule("language", "is", "vi"), group(on_large, rule("tag", "has", tag.pk), match="any")
        ),
        "any of them": group(
            rule("list", "on", small.pk), rule("tag", "has", tag.pk), language, match="any"
        ),
    }


def measure(asked: Mapping[str, Any], *, now: datetime) -> Iterator[Measured]:
    """Count each segment some times, after once for nothing; the median counts."""
    for name, rules in asked.items():
        found, times = count(rules, now=now), []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            count(rules, now=now)
            times.append(time.perf_counter() - start)
        yield Measured(name, describe(rules), found, statistics.median(times))


def run(recipients: int, *, say: Callable[[str], object]) -> None:
    """Make the recipients, count, and say what was found."""
    for line in report.named(machine.describe()):
        say(line)
    say(f"\nmaking {recipients:,} recipients")
    found = list(measure(segments(*make_base(recipients)), now=timezone.now()))
    head = ("segment", "recipients", "ms")
    cells = [(one.name, f"{one.found:,}", f"{one.seconds * 1000:.0f}") for one in found]
    for line in ("", *report.table([head, *cells]), "", *(f"{m.name}: {m.words}" for m in found)):
        say(line)
