"""Sums, as programs read them."""

from collections.abc import Iterable

from ninja import Schema
from pydantic import Field

from campaigns.reporting.figures import Figures, Reach
from campaigns.reporting.links import FollowedLink


class ReachOut(Schema):
    people: int = Field(description="By people, as far as that can be told.")
    unique: int = Field(description="Recipients, those of machines included.")
    total: int


class FiguresOut(Schema):
    runs: int
    audience: int
    sent: int
    failed: int
    skipped: int
    open: int = Field(description="Without an outcome yet.")
    bounced_hard: int
    bounced_soft: int
    opens: ReachOut
    clicks: ReachOut
    unsubscribes: int
    complaints: int


class LinkOut(Schema):
    number: int
    label: str
    target: str
    people: int
    unique: int
    total: int


def figures_out(found: Figures) -> FiguresOut:
    return FiguresOut(
        runs=found.runs,
        audience=found.audience,
        sent=found.sent,
        failed=found.failed,
        skipped=found.skipped,
        open=found.open,
        bounced_hard=found.hard,
        bounced_soft=found.soft,
        opens=_reach(found.opens),
        clicks=_reach(found.clicks),
        unsubscribes=found.unsubscribes,
        complaints=found.complaints,
    )


def _reach(found: Reach) -> ReachOut:
    return ReachOut(people=found.people, unique=found.unique, total=found.total)


def links_out(links: Iterable[FollowedLink]) -> list[LinkOut]:
    return [
        LinkOut(
            number=link.number,
            label=link.label,
            target=link.target,
            people=link.people,
            unique=link.unique,
            total=link.total,
        )
        for link in links
    ]
