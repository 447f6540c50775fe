"""How messages fared at the domains of recipients."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet, Sum

from campaigns.models import Run
from tracking.models import DomainTally

SHOWN = 50
_COUNTS = (
    "sent",
    "failed",
    "bounced_hard",
    "bounced_soft",
    "opens_people",
    "clicks_people",
    "unsubscribed",
    "complained",
)


# What is sent to the last domain that is shown, at least: the largest of each run, added up.
_LEAST = f"""
WITH likely AS MATERIALIZED (
    SELECT DISTINCT largest.domain
      FROM unnest(%(runs)s::bigint[]) AS run (id)
     CROSS JOIN LATERAL (SELECT domain FROM tracking_domaintally WHERE run_id = run.id
                          ORDER BY sent DESC LIMIT {SHOWN}) AS largest
)
SELECT sum(sent)
  FROM tracking_domaintally JOIN likely USING (domain)
 WHERE run_id = ANY(%(runs)s::bigint[])
 GROUP BY domain ORDER BY 1 DESC OFFSET {SHOWN - 1} LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Domain:
    domain: str
    sent: int
    failed: int
    hard: int
    soft: int
    opened: int
    clicked: int
    unsubscribed: int
    complained: int

    @property
    def bounced(self) -> int:
        return self.hard + self.soft


def domains(runs: "QuerySet[Run]") -> list[Domain]:
    """Return those that most messages were sent to."""
    ids = _ids(runs)
    found = _sums(ids).filter(domain__in=_possible(ids).values("domain"))
    return [Domain(*row) for row in found[:SHOWN]]


def all_domains(runs: "QuerySet[Run]") -> Iterator[Domain]:
    """Yield each domain, the largest first."""
    return (Domain(*row) for row in _sums(_ids(runs)).iterator())


def _ids(runs: "QuerySet[Run]") -> list[int]:
    return list(runs.order_by().values_list("pk", flat=True))


def _possible(runs: list[int]) -> "QuerySet[DomainTally]":
    """Return tallies of single runs, of which each domain that is to be shown has one.

    Some of tens of thousands: of as much as a domain has in all, it has its share in one run.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LEAST, {"runs": runs})
        least = sum(sent for (sent,) in cursor.fetchall())
    return DomainTally.objects.filter(run__in=runs, sent__gte=least // max(len(runs), 1))


def _sums(runs: list[int]) -> "QuerySet[DomainTally, tuple[Any, ...]]":
    of_runs = DomainTally.objects.filter(run__in=runs)
    if len(runs) == 1:  # as the index has them, the largest first
        return of_runs.order_by("-sent", "domain").values_list("domain", *_COUNTS)
    sums = {f"n_{name}": Sum(name) for name in _COUNTS}
    largest = of_runs.values("domain").annotate(**sums).order_by(F("n_sent").desc(), "domain")
    return largest.values_list("domain", *sums)
