"""How messages fared at the domains of recipients."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    return [Domain(*row) for row in _rows(runs)[:SHOWN]]


def all_domains(runs: "QuerySet[Run]") -> Iterator[Domain]:
    """Yield each domain, the largest first."""
    return (Domain(*row) for row in _rows(runs).iterator())


def _rows(runs: "QuerySet[Run]") -> "QuerySet[DomainTally, tuple[Any, ...]]":
    runs_ids = list(runs.order_by().values_list("pk", flat=True)[:2])
    if len(runs_ids) == 1:  # as the index has them, the largest first
        one = DomainTally.objects.filter(run=runs_ids[0]).order_by("-sent", "domain")
        return one.values_list("domain", *_COUNTS)
    sums = {f"n_{name}": Sum(name) for name in _COUNTS}
    grouped = DomainTally.objects.filter(run__in=runs.order_by().values("pk")).values("domain")
    largest = grouped.annotate(**sums).order_by(F("n_sent").desc(), "domain")
    return largest.values_list("domain", *sums)
