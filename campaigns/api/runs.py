"""Runs: the firings of campaigns, and how far each has come."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from campaigns.api.figures import FiguresOut, LinkOut, figures_out, links_out
from campaigns.models import Run, RunQuerySet, RunStatus
from campaigns.reporting.figures import figures
from campaigns.reporting.links import links_of_run
from recipients.api.paging import Key, Page, Paging, page_of
from recipients.api.things import found, shown
from recipients.models import Tracking
from tracking.models import DeliveryState, RunCounters

router = Router()


class RunOut(Schema):
    id: int
    campaign: int
    occurrence: datetime = Field(description="When it was due.")
    status: RunStatus
    held_reason: str
    warning: str
    tracking: Tracking
    counts: dict[DeliveryState, int] = Field(description="Deliveries in each state.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @staticmethod
    def resolve_campaign(run: Run) -> int:
        return run.campaign_id

    @staticmethod
    def resolve_counts(run: Run) -> dict[str, int]:
        counters: RunCounters = getattr(run, "counters", None) or RunCounters()
        return {state: count or 0 for state, count in counters.as_dict().items()}

    @staticmethod
    def resolve_held_reason(run: Run) -> str:
        return run.why_held

    @staticmethod
    def resolve_warning(run: Run) -> str:
        return run.why_warned


class RunsAsked(Paging):
    campaign: Key | None = None
    status: RunStatus | None = None


def runs_of(request: HttpRequest) -> RunQuerySet:
    """Return the runs that the caller sees."""
    return Run.objects.visible_to(request.user).select_related("counters")


@router.get("", response=Page[RunOut])
def list_runs(request: HttpRequest, asked: Query[RunsAsked]) -> dict[str, Any]:
    """Runs, the newest first."""
    rows = runs_of(request)
    if asked.campaign:
        rows = rows.filter(campaign=asked.campaign)
    if asked.status:
        rows = rows.having(asked.status)
    return page_of(request, rows, asked)


@router.get("/{int:pk}", response=RunOut)
def get_run(request: HttpRequest, response: HttpResponse, pk: Key) -> RunOut:
    """One run, and what became of its messages so far."""
    return shown(response, found(runs_of(request), pk), RunOut)


@router.get("/{int:pk}/report", response=FiguresOut)
def get_run_report(request: HttpRequest, pk: Key) -> FiguresOut:
    """What it came to."""
    run = found(runs_of(request), pk)
    return figures_out(figures(Run.objects.filter(pk=run.pk)))


@router.get("/{int:pk}/links", response=list[LinkOut])
def get_run_links(request: HttpRequest, pk: Key) -> list[LinkOut]:
    """The links of its message, in their places, and who followed each."""
    return links_out(links_of_run(found(runs_of(request), pk).pk))
