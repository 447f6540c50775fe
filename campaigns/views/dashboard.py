"""The start: does anything need me, what runs, what is next, how did the last ones end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from campaigns import wording
from campaigns.models import ACTIVE_RUN_STATUSES, Campaign, Gate, Run, RunStatus, Transport
from campaigns.preflight import watching
from campaigns.progress import Progress, progress
from campaigns.sending import instance, waiting
from recipients.fragments import fragment
from recipients.models import Import, ImportStatus
from recipients.recognising import read

RUNS, UPCOMING, LAST, TRANSPORTS = 20, 20, 5, 20
AHEAD = timedelta(days=7)
SOON = timedelta(minutes=1)
OFTEN, SELDOM = 3, 30  # seconds


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a person must look at."""

    state: str
    word: str
    text: str
    url: str


@require_safe
@never_cache
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show what needs a person, what is sent, what is next, and how the last runs ended."""
    return render(request, "campaigns/dashboard.html", _context(request))


@require_safe
def dashboard_now(request: HttpRequest) -> HttpResponse:
    page = reverse("campaigns:dashboard")
    return fragment(request, "campaigns/_dashboard_now.html", _context(request), page=page)


def _context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    if not request.user.has_perm("campaigns.view_run"):
        return {"may_see": False}
    shown = Run.objects.visible_to(request.user)
    active = shown.having(*ACTIVE_RUN_STATUSES).newest_first().with_counters()[:RUNS]
    ended = shown.having(RunStatus.COMPLETED, RunStatus.CANCELLED).newest_first()
    coming = Campaign.objects.visible_to(request.user).coming().filter(next_fire_at__lt=now + AHEAD)
    runs = [progress(run, now=now) for run in active]
    upcoming = list(coming.order_by("next_fire_at")[:UPCOMING])
    return {
        "may_see": True,
        "needs": _needs(request, runs, now=now),
        "runs": runs,
        "upcoming": [(campaign, wording.schedule(campaign)) for campaign in upcoming],
        "last": [progress(run, now=now) for run in ended.with_counters()[:LAST]],
        "every": _seconds(runs, upcoming, now=now),
    }


def _seconds(runs: Sequence[Progress], upcoming: Sequence[Campaign], *, now: datetime) -> int:
    """Return how often the page is worth asking for again; 0 where nothing is to come."""
    is_near = any(each.next_fire_at and each.next_fire_at - now < SOON for each in upcoming)
    if is_near or any(each.moves for each in runs):
        return OFTEN
    return SELDOM if upcoming or runs else 0


def _needs(request: HttpRequest, runs: Sequence[Progress], *, now: datetime) -> list[Need]:
    needs = _of_installation() + _of_runs(request, runs)
    if request.user.has_perm("campaigns.view_transport"):
        needs += _of_transports(now=now)
    if request.user.has_perm("campaigns.view_sender"):
        needs += _of_senders()
    if request.user.has_perm("recipients.view_import"):
        needs += _of_imports(request)
    return needs


def _of_installation() -> list[Need]:
    problem = instance.check()
    if not problem:
        return []
    return [Need("held", _("Held"), _("Nothing goes out: %s.") % read(problem), "")]


def _of_runs(request: HttpRequest, runs: Sequence[Progress]) -> list[Need]:
    held = [each.run for each in runs if each.run.status in (RunStatus.HELD, RunStatus.PAUSED)]
    needs = [
        Need(run.status, run.get_status_display(), f"{run.campaign}: {_why(run)}", _run(run.pk))
        for run in held
    ]
    shown = Run.objects.visible_to(request.user).newest_first().with_counters()
    doubtful = shown.filter(counters__unconfirmed__gt=0)
    for run in doubtful[:RUNS]:
        count = run.counters.unconfirmed
        text = _("%(campaign)s: of %(count)d messages nobody knows whether they arrived.")
        said = text % {"campaign": run.campaign, "count": count}
        needs.append(Need("unconfirmed", _("In doubt"), said, _deliveries(run)))
    return needs


def _why(run: Run) -> str:
    return run.why_held or _("a person must say go")


def _of_transports(*, now: datetime) -> list[Need]:
    shut = Gate.objects.filter(group="", shut_until__gt=now).values("transport")
    transports = Transport.objects.filter(pk__in=shut).order_by("name")[:TRANSPORTS]
    said = [(each, waiting.of_transport(each, now=now)) for each in transports]
    return [
        Need(
            "failed",
            _("Waits"),
            f"{transport}: {text}",
            reverse("campaigns:transport_detail", args=[transport.pk]),
        )
        for transport, text in said
        if text
    ]


def _of_senders() -> list[Need]:
    return [
        Need(
            "warning",
            _("Sender"),
            _("Receivers may refuse what %(sender)s sends: %(why)s.")
            % {"sender": sender.address, "why": "; ".join(each.message for each in errors)},
            reverse("campaigns:sender_detail", args=[sender.pk]),
        )
        for sender, errors in watching.troubled()
    ]


def _of_imports(request: HttpRequest) -> list[Need]:
    shown = Import.objects.visible_to(request.user)
    asking = shown.filter(status__in=(ImportStatus.MAPPING, ImportStatus.CHECKED))
    return [
        Need(
            each.status,
            _("Import"),
            f"{each.file_name}: {each.get_status_display()}",
            reverse("recipients:import_detail", args=[each.pk]),
        )
        for each in asking.order_by("-pk")[:RUNS]
    ]


def _run(pk: int) -> str:
    return reverse("campaigns:run_detail", args=[pk])


def _deliveries(run: Run) -> str:
    return reverse("campaigns:run_doubts", args=[run.pk])
