"""One campaign: new, and how it stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from campaigns import services, wording
from campaigns.forms.path import (
    NewForm,
)
from campaigns.models import Campaign, CampaignStatus, Plan, Run, When
from campaigns.progress import progress
from campaigns.sending import waiting
from campaigns.views import checking
from campaigns.views.frame import STEPS, found, page, url_of
from recipients.fragments import fragment
from recipients.sentences import sentence
from templates_app.models import EmailTemplate
from templates_app.services import Refused as ContentRefused

RUNS = 20


@dataclass(frozen=True, slots=True)
class Step:
    title: str | Promise
    url: str
    state: str
    word: str
    note: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
def campaign_new(request: HttpRequest) -> HttpResponse:
    chosen = {"template": request.GET["template"]} if "template" in request.GET else {}
    form = NewForm(request.POST or None, initial=chosen)
    if request.method == "POST" and form.is_valid():
        campaign = services.create_campaign(**form.cleaned_data)
        return redirect("campaigns:campaign_audience", campaign.pk)
    context = {
        "form": form,
        "has_templates": EmailTemplate.objects.exists(),
        "has_senders": form.fields["sender"].queryset.exists(),  # type: ignore[attr-defined]
    }
    return render(
        request, "campaigns/campaign_new.html", context, status=422 if form.errors else 200
    )


@require_safe
def campaign_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how a campaign stands, what is still to be done, and its runs."""
    campaign = found(request, pk)
    now = timezone.now()
    tasks = _tasks(campaign, now=now) if campaign.status == CampaignStatus.DRAFT else []
    return page(
        request,
        "campaign_detail",
        campaign,
        tasks=tasks,
        sources=sources(campaign),
        **_standing(request, campaign, now=now),
    )


@require_safe
def campaign_standing(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = found(request, pk)
    context = {
        "campaign": campaign,
        "may_act": request.user.has_perm("campaigns.change_campaign"),
        **_standing(request, campaign, now=timezone.now()),
    }
    return fragment(request, "campaigns/_campaign_standing.html", context, page=url_of(campaign))


def _standing(request: HttpRequest, campaign: Campaign, *, now: datetime) -> dict[str, Any]:
    shown = Run.objects.visible_to(request.user).filter(campaign=campaign).newest_first()
    runs = [progress(run, now=now) for run in shown.with_counters()[:RUNS]]
    newest = runs[0].run if runs else None
    state, word = wording.standing(campaign, newest, now=now)
    departs = campaign.next_fire_at
    is_soon = bool(departs and departs - now < wording.SOON)
    return {
        "state": state,
        "word": word,
        "situation": wording.situation(campaign),
        "why_locked": ""
        if campaign.status == CampaignStatus.DRAFT
        else wording.why_locked(campaign),
        "runs": runs,
        "waits": waiting.why(newest, now=now) if newest else "",
        "departs": wording.departure(departs, campaign.time_zone, now=now) if departs else "",
        "has_report": bool(runs),
        "verbs": _verbs(campaign, runs[0].run.status if runs else ""),
        "every": 3 if is_soon or any(each.moves for each in runs) else 30 if departs else 0,
    }


def _verbs(campaign: Campaign, run_status: str) -> set[str]:
    """Return what can be done with a campaign in its state, and nothing else."""
    verbs = {"copy"}
    is_open = campaign.status in (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
    if campaign.status == CampaignStatus.SCHEDULED and campaign.next_fire_at:
        verbs.add("withdraw")
    if run_status in ("preparing", "sending"):
        verbs.add("pause")
    if run_status in ("paused", "held"):
        verbs.add("resume")
    if run_status in ("preparing", "sending", "paused", "held") or (
        is_open and campaign.status == CampaignStatus.SCHEDULED
    ):
        verbs.add("cancel")
    if campaign.status == CampaignStatus.DRAFT and not run_status:
        verbs.add("delete")
    return verbs


def sources(campaign: Campaign) -> dict[str, str]:
    """Name the lists and segments of a campaign, and those that it leaves out."""
    to = [*campaign.lists.all(), *campaign.segments.all()]
    without = [*campaign.excluded_lists.all(), *campaign.excluded_segments.all()]
    return {"to": ", ".join(map(str, to)), "without": ", ".join(map(str, without))}


def _tasks(campaign: Campaign, *, now: datetime) -> list[Step]:
    """Say of each step whether it is done."""
    done, open_, wrong = ("done", _("Complete")), ("draft", _("Not started")), "failed"
    plan = Plan.objects.filter(campaign=campaign).first()
    is_for_somebody = campaign.lists.exists() or campaign.segments.exists()
    problem, judged = "", None
    try:
        judged = checking.look(campaign, now=now)
    except ContentRefused as refusal:
        problem = sentence(refusal)
    content = (wrong, _("There is a problem")) if problem else done
    if judged is None or judged.errors:
        check = (wrong, _("There is a problem"))
    elif judged.open_warnings:
        check = ("warning", _("Warnings"))
    else:
        check = ("done", _("Nothing in the way"))
    steps = dict(STEPS)
    return [
        Step(
            steps["content"],
            url_of(campaign, "content"),
            *content,
            note=problem or str(campaign.template),
        ),
        Step(
            steps["audience"],
            url_of(campaign, "audience"),
            *(done if is_for_somebody else open_),
            note=sources(campaign)["to"],
        ),
        Step(
            steps["schedule"],
            url_of(campaign, "schedule"),
            *(done if plan else open_),
            note=when(plan, now=now),
        ),
        Step(steps["check"], url_of(campaign, "check"), *check),
    ]


def when(plan: Plan | None, *, now: datetime) -> str:
    if plan is None:
        return ""
    if plan.when == When.NOW:
        return _("As soon as it is confirmed")
    if plan.at:
        return wording.departure(plan.at, plan.time_zone, now=now)
    return _("By the crontab expression “%(cron)s” in %(zone)s") % {
        "cron": plan.cron,
        "zone": plan.time_zone,
    }
