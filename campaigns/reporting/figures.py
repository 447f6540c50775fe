"""The sums of a run, or of all runs of a campaign, in one query."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Coalesce

from campaigns.models import Run
from tracking.models import DeliveryState

_STATES = tuple(DeliveryState.values)
_REACTIONS = (
    "opens_people",
    "opens_unique",
    "opens_total",
    "clicks_people",
    "clicks_unique",
    "clicks_total",
    "bounced_hard",
    "bounced_soft",
    "delivered",
    "complained",
    "unsubscribed",
)
_SUMS: Mapping[str, Any] = (
    {name: Coalesce(Sum(f"counters__{name}"), 0) for name in _STATES}
    | {name: Coalesce(Sum(f"tally__{name}"), 0) for name in _REACTIONS}
    | {"runs": Count("pk")}
)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far opens, or clicks, went."""

    people: int = 0
    unique: int = 0
    total: int = 0

    @property
    def machines(self) -> int:
        """Recipients of whom a machine's hit is known, and none of a person."""
        return self.unique - self.people

    def as_dict(self) -> dict[str, int]:
        return {"people": self.people, "unique": self.unique, "total": self.total}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    runs: int = 0
    audience: int = 0
    sent: int = 0
    failed: int = 0
    skipped: int = 0
    open: int = 0
    """Deliveries that are not at their end."""
    hard: int = 0
    soft: int = 0
    delivered: int = 0
    """As providers say; most mail systems say nothing."""
    opens: Reach = Reach()
    clicks: Reach = Reach()
    unsubscribes: int = 0
    complaints: int = 0

    @property
    def bounces(self) -> int:
        return self.hard + self.soft

    @property
    def arrived(self) -> int:
        """Sent, and not come back."""
        return self.sent - self.bounces

    def as_dict(self) -> dict[str, Any]:
        """Return what `campaign_report --json` prints."""
        return {
            "sent": self.sent,
            "failed": self.failed,
            "bounces": {"hard": self.hard, "soft": self.soft},
            "opens": self.opens.as_dict(),
            "clicks": self.clicks.as_dict(),
            "unsubscribes": self.unsubscribes,
            "complaints": self.complaints,
        }


def figures(runs: "QuerySet[Run]") -> Figures:
    """Return the sums of these runs."""
    return _figures(runs.order_by().aggregate(**_SUMS))


def figures_by_run(runs: "QuerySet[Run]") -> dict[int, Figures]:
    """Return the sums of each of these runs."""
    rows = runs.values("pk").annotate(**_SUMS)
    return {row["pk"]: _figures(row) for row in rows}


def figures_by_campaign(campaigns: Iterable[int], *, among: "QuerySet[Run]") -> dict[int, Figures]:
    """Return the sums of these campaigns, of these of their runs; one that has none has no sums."""
    rows = among.filter(campaign__in=list(campaigns)).order_by().values("campaign")
    return {row["campaign"]: _figures(row) for row in rows.annotate(**_SUMS)}


def _figures(row: Mapping[str, Any]) -> Figures:
    return Figures(
        runs=row["runs"],
        audience=sum(row[state] for state in _STATES),
        sent=row["sent"],
        failed=row["failed"],
        skipped=row["skipped"],
        open=row["queued"] + row["sending"] + row["retry"],
        hard=row["bounced_hard"],
        soft=row["bounced_soft"],
        delivered=row["delivered"],
        opens=Reach(row["opens_people"], row["opens_unique"], row["opens_total"]),
        clicks=Reach(row["clicks_people"], row["clicks_unique"], row["clicks_total"]),
        unsubscribes=row["unsubscribed"],
        complaints=row["complained"],
    )
