"""All campaigns: the list, and the calendar of what goes out when."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from cronsim import CronSim
from django.core.paginator import Paginator
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from campaigns import wording
from campaigns.models import Campaign, CampaignStatus, Run
from campaigns.progress import Progress, progress
from recipients.models import MailingList
from recipients.models.lists import Viewer

SIZE = 50
_LENGTH = 200  # of what is searched
_OCCURRENCES = 62  # of one recurring campaign in a month: twice a day; of more, the first


@dataclass(frozen=True, slots=True)
class Row:
    campaign: Campaign
    state: str
    word: str
    when: str
    newest: Progress | None


@require_safe
def campaign_list(request: HttpRequest) -> HttpResponse:
    """Show the campaigns that a filter in the address lets through, the newest first."""
    now = timezone.now()
    asked = asked_of(request, "q", "status", "list")
    found = _filtered(request, asked)
    page = Paginator(found.order_by("-pk"), SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": _rows(list(page.object_list), now=now),
        "asked": asked,
        "is_filtered": any(asked.values()),
        "statuses": CampaignStatus.choices,
        "lists": MailingList.objects.visible_to(request.user).order_by("name"),
    }
    return render(request, "campaigns/campaign_list.html", context)


def asked_of(request: HttpRequest, *names: str) -> dict[str, str]:
    """Return what the address asks for by these names, without NUL, which PostgreSQL refuses."""
    return {name: request.GET.get(name, "")[:_LENGTH].replace("\0", "") for name in names}


def _filtered(request: HttpRequest, asked: dict[str, str]) -> "QuerySet[Campaign]":
    found = Campaign.objects.visible_to(request.user).select_related("sender")
    if asked["q"]:
        found = found.filter(Q(name__icontains=asked["q"]) | Q(pk=_number(asked["q"])))
    if asked["status"]:
        found = found.filter(status=asked["status"])
    if asked["list"]:
        found = found.filter(lists=_number(asked["list"]))
    shown = Run.objects.visible_to(request.user).filter(campaign=OuterRef("pk"))
    newest = shown.order_by("-pk").values("pk")[:1]
    return found.annotate(newest_run_id=Subquery(newest)).prefetch_related("lists", "segments")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _rows(campaigns: list[Any], *, now: datetime) -> list[Row]:
    ids = [each.newest_run_id for each in campaigns if each.newest_run_id]
    runs = {run.pk: run for run in Run.objects.filter(pk__in=ids).with_counters()}
    return [_row(each, runs.get(each.newest_run_id), now=now) for each in campaigns]


def _row(campaign: Campaign, run: Run | None, *, now: datetime) -> Row:
    state, word = wording.standing(campaign, run, now=now)
    when = wording.schedule(campaign)
    if not when and run:
        when = wording.moment(run.occurrence, campaign.time_zone)
    return Row(campaign, state, word, when, progress(run, now=now) if run else None)


# --- calendar ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that goes out, or has gone out, on a day."""

    at: datetime
    campaign: Campaign
    url: str
    state: str
    word: str


@dataclass(frozen=True, slots=True)
class Day:
    date: date
    is_today: bool
    is_past: bool
    column: int
    """Its weekday, 1 for Monday."""
    entries: list[Entry] = field(default_factory=list)


@require_safe
def campaign_calendar(request: HttpRequest) -> HttpResponse:
    """Show a month in the reader's time zone: what has gone out, and what is going to."""
    today = timezone.localdate()
    first = _month(request.GET.get("month", ""), otherwise=today)
    upto = _next_month(first)
    entries = defaultdict(list)
    start, end = (_midnight(day) for day in (first, upto))
    for entry in sorted(_entries(request.user, start, end), key=lambda each: each.at):
        entries[timezone.localtime(entry.at).date()].append(entry)
    days = [
        Day(day, day == today, day < today, day.isoweekday(), entries[day])
        for day in (first + timedelta(n) for n in range((upto - first).days))
    ]
    context = {
        "days": days,
        "first": first,
        "previous": _previous_month(first),
        "next": upto,
        "is_empty": not any(day.entries for day in days),
        "coming": Campaign.objects.visible_to(request.user)
        .coming()
        .filter(next_fire_at__gte=end)
        .order_by("next_fire_at")
        .first(),
    }
    return render(request, "campaigns/campaign_calendar.html", context)


def _month(text: str, *, otherwise: date) -> date:
    try:
        asked = date.fromisoformat(f"{text}-01")
    except ValueError:
        return otherwise.replace(day=1)
    return asked if 2000 <= asked.year < 3000 else otherwise.replace(day=1)


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _previous_month(first: date) -> date:
    return (first - timedelta(days=1)).replace(day=1)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _entries(user: Viewer, start: datetime, end: datetime) -> Iterator[Entry]:
    runs = (
        Run.objects.visible_to(user)
        .filter(occurrence__gte=start, occurrence__lt=end)
        .select_related("campaign")
    )
    for run in runs:
        yield Entry(
            run.occurrence,
            run.campaign,
            reverse("campaigns:campaign_detail", args=[run.campaign_id]),
            run.status,
            run.get_status_display(),
        )
    for campaign in Campaign.objects.visible_to(user).coming().filter(next_fire_at__lt=end):
        url = reverse("campaigns:campaign_detail", args=[campaign.pk])
        due = _occurrences(campaign, campaign.next_fire_at or end, start, end)
        for at in due:
            yield Entry(at, campaign, url, campaign.status, campaign.get_status_display())


def _occurrences(
    campaign: Campaign, at: datetime, start: datetime, end: datetime
) -> Iterator[datetime]:
    """Yield when a campaign whose next time is `at` is going to fire in these days."""
    if at >= start:
        yield at
    if not campaign.cron:
        return
    after = max(at, start - timedelta(seconds=1)).astimezone(wording.zone(campaign.time_zone))
    for number, later in enumerate(CronSim(campaign.cron, after)):
        if later >= end or number >= _OCCURRENCES:
            return
        yield later.astimezone(UTC)
