"""The steps of a campaign: content, audience, schedule, check; each is saved as it is left."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from cronsim import CronSim, CronSimError
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from campaigns import departure, services, wording
from campaigns.forms import overtaking
from campaigns.forms.path import (
    NOT_YET,
    AudienceForm,
    ContentForm,
    ScheduleForm,
)
from campaigns.models import Campaign, Plan, When
from campaigns.services import Refused
from campaigns.views import checking, counting
from campaigns.views.frame import found, page, url_of
from recipients.fragments import fragment
from recipients.sentences import sentence

NEXT = 5


# --- content ----------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@transaction.atomic
def campaign_content(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = found(request, pk, to_change=request.method == "POST")
    form = ContentForm(request.POST or None, instance=campaign)
    if request.method == "POST" and not wording.why_locked(campaign) and form.is_valid():
        if theirs := overtaking.theirs(form):
            return _overtaken(request, "content", campaign, form=form, theirs=theirs)
        form.save()
        services.attach(campaign, files=list(form.cleaned_data["attached"]))
        return _saved(request, campaign, "audience")
    if request.method == "POST" and not form.errors:
        return _locked(request, campaign)
    return page(request, "campaign_content", campaign, here="content", form=form)


def _saved(request: HttpRequest, campaign: Campaign, following: str) -> HttpResponse:
    stays = "stay" in request.POST
    messages.success(request, _("Saved."))
    return redirect(url_of(campaign, "detail" if stays else following))


def _overtaken(request: HttpRequest, step: str, campaign: Campaign, **shown: Any) -> HttpResponse:
    """Show the form once more, with what somebody else has saved meanwhile."""
    return page(request, f"campaign_{step}", campaign, here=step, status=409, **shown)


def _locked(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    text = _("Nothing was saved. %s") % wording.why_locked(campaign)
    messages.error(request, text)
    return redirect(url_of(campaign))


# --- audience ---------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@transaction.atomic
def campaign_audience(request: HttpRequest, pk: int) -> HttpResponse:
    """Choose lists and segments, and see the sum, some of them, and why (not) somebody."""
    is_saved = request.method == "POST" and "recount" not in request.POST
    campaign = found(request, pk, to_change=is_saved)
    form = AudienceForm(request.POST or None, campaign=campaign, user=request.user)
    counted: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        if wording.why_locked(campaign):
            return _locked(request, campaign)
        if is_saved and (theirs := overtaking.theirs(form)):
            shown = {"form": form, "theirs": theirs}
            counted = _recounted(request, campaign, form.cleaned_data)
            return _overtaken(request, "audience", campaign, counted=counted, **shown)
        if is_saved:
            _choose(campaign, form.cleaned_data)
            return _saved(request, campaign, "schedule")
        counted = _recounted(request, campaign, form.cleaned_data)
    elif request.method != "POST":
        counted = counting.audience_context(request, campaign, now=timezone.now())
    return page(request, "campaign_audience", campaign, here="audience", form=form, counted=counted)


@require_http_methods(["POST"])
def campaign_count(request: HttpRequest, pk: int) -> HttpResponse:
    """Count what is ticked on the page, without saving it."""
    campaign = found(request, pk)
    form = AudienceForm(request.POST, campaign=campaign, user=request.user)
    counted = _recounted(request, campaign, form.cleaned_data) if form.is_valid() else {}
    context = {"campaign": campaign, "form": form, "counted": counted}
    return render(request, "campaigns/_audience_sum.html", context)


def _recounted(
    request: HttpRequest, campaign: Campaign, chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """Count another choice than the saved one: it is undone again."""
    with transaction.atomic():
        _choose(campaign, chosen)
        counted = counting.audience_context(request, campaign, now=timezone.now())
        transaction.set_rollback(True)
    return {**counted, "is_unsaved": True}


def _choose(campaign: Campaign, chosen: Mapping[str, Any]) -> None:
    for name in ("lists", "segments", "excluded_lists", "excluded_segments"):
        getattr(campaign, name).set(chosen[name])


# --- schedule ---------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@transaction.atomic
def campaign_schedule(request: HttpRequest, pk: int) -> HttpResponse:
    is_saved = request.method == "POST" and "look" not in request.POST
    campaign = found(request, pk, to_change=is_saved)
    form = _schedule_form(request, campaign)
    if request.method == "POST" and form.is_valid():
        if wording.why_locked(campaign):
            return _locked(request, campaign)
        if is_saved and (theirs := overtaking.theirs(form)):
            shown = {"form": form, "theirs": theirs}
            return _overtaken(request, "schedule", campaign, times=_times(form), **shown)
        if is_saved and _plan(campaign, form):
            return _saved(request, campaign, "check")
    times = _times(form) if form.is_bound and not form.errors else []
    return page(request, "campaign_schedule", campaign, here="schedule", form=form, times=times)


@require_http_methods(["POST"])
def campaign_times(request: HttpRequest, pk: int) -> HttpResponse:
    """Say when that is: in both time zones, and the next five times of what is repeated."""
    form = _schedule_form(request, found(request, pk))
    times = _times(form) if form.is_valid() else []
    context = {"times": times, "form": form}
    return render(request, "campaigns/_schedule_times.html", context)


def _schedule_form(request: HttpRequest, campaign: Campaign) -> ScheduleForm:
    plan = Plan.objects.filter(campaign=campaign).first()
    mine = timezone.get_current_timezone_name()
    zone = mine if campaign.time_zone == "UTC" else campaign.time_zone
    return ScheduleForm(request.POST or None, plan=plan, time_zone=zone, campaign=campaign)


def _plan(campaign: Campaign, form: ScheduleForm) -> bool:
    """Note what was chosen; return False where it was refused, which the form says then."""
    if form.cleaned_data["when"] == NOT_YET:
        departure.unplan(campaign)
        return True
    try:
        departure.plan(campaign, now=timezone.now(), **form.plan())
    except Refused as refusal:
        form.add_error(None, sentence(refusal))
        return False
    return True


def _times(form: ScheduleForm) -> list[str]:
    """Return the next times in words; none where nothing is chosen."""
    if form.cleaned_data["when"] in (NOT_YET, When.NOW):
        return []
    plan, now = form.plan(), timezone.now()
    if plan["at"]:
        return [wording.departure(plan["at"], plan["time_zone"], now=now)]
    try:
        coming = CronSim(plan["cron"], now.astimezone(wording.zone(plan["time_zone"])))
        return [wording.departure(at, plan["time_zone"], now=now) for at in islice(coming, NEXT)]
    except CronSimError as error:
        form.add_error("cron", _("It cannot be read: %s.") % error)
        return []


# --- check ------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def campaign_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what was found before the campaign is sent, and ask about warnings."""
    campaign = found(request, pk)
    if request.method == "POST":
        checking.act(request, campaign, now=timezone.now())
        return redirect(url_of(campaign, "check"))
    context = checking.preflight_context(request, campaign, now=timezone.now())
    return page(request, "campaign_check", campaign, here="check", **context)


@require_safe
def campaign_check_job(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = found(request, pk)
    context = checking.preflight_context(request, campaign, now=timezone.now())
    may_act = request.user.has_perm("campaigns.change_campaign")
    return fragment(
        request,
        "campaigns/_check_job.html",
        {"campaign": campaign, "may_act": may_act, "is_polled": True, **context},
        page=url_of(campaign, "check"),
    )
