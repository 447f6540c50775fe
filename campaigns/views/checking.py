"""What was found before a campaign is sent, and what people say to it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import tasks
from campaigns.models import AcceptedWarning, Campaign, Preflight, PreflightStatus
from campaigns.preflight import dry_run, jobs, verdict
from campaigns.preflight.findings import Finding, Place, Severity
from campaigns.preflight.verdict import Verdict
from recipients.sentences import sentence
from templates_app.services import Refused as ContentRefused

_TITLES = {
    Severity.ERROR: gettext_lazy("Blocks sending"),
    Severity.WARNING: gettext_lazy("Warnings"),
    Severity.ADVICE: gettext_lazy("Advice"),
}
_OPEN = {
    Place.TEMPLATE: gettext_lazy("Open the template"),
    Place.SENDER: gettext_lazy("Open the sender"),
    Place.CAMPAIGN: gettext_lazy("Open the campaign"),
    Place.RECIPIENTS: gettext_lazy("Open the recipients"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding as the page has it: with where it is mended, and who has accepted it."""

    finding: Finding
    mend: str
    """Address of a page; empty where it is mended elsewhere."""
    open: str | Promise
    accepted: AcceptedWarning | None


def look(campaign: Campaign, *, now: datetime) -> Verdict:
    """Judge a campaign as it is; a version that is made for it is not kept.

    :raises ContentRefused: the content has a fault.
    """
    with transaction.atomic():
        found = verdict.judge(campaign, jobs.version_of(campaign), now=now)
        transaction.set_rollback(True)
    return found


def act(request: HttpRequest, campaign: Campaign, *, now: datetime) -> None:
    """Do what the page's buttons say, and tell what came of it."""
    by = request.user.get_username()
    try:
        done = _do(request, campaign, by=by, now=now)
    except (jobs.Refused, ContentRefused) as refusal:
        messages.error(request, sentence(refusal))
    else:
        messages.success(request, done)


def _do(request: HttpRequest, campaign: Campaign, *, by: str, now: datetime) -> str:
    if "start" in request.POST:
        tasks.wake_preflight(jobs.start(campaign, by=by, now=now).pk)
        return _("The preflight has begun.")
    if "stop" in request.POST:
        running = campaign.preflights.running().first()
        if running is None:
            raise jobs.Refused(_("it is not under way any more"))
        jobs.stop(running, now=now)
        return _("The preflight is stopped.")
    names = request.POST.getlist("name")
    if not names:
        raise jobs.Refused(_("tick the warnings that you accept"))
    jobs.accept(campaign, names=names, by=by, now=now)
    return _("Accepted: %s.") % ", ".join(names)


def preflight_context(request: HttpRequest, campaign: Campaign, *, now: datetime) -> dict[str, Any]:
    """Return what the page shows."""
    try:
        found = look(campaign, now=now)
    except ContentRefused as refusal:
        problem = _("The template has a fault: %s") % refusal
        return {"problem": problem, "mend": _mend(campaign)}
    groups = [
        (title, severity.value, [_shown(each, campaign, found) for each in found.of(severity)])
        for severity, title in _TITLES.items()
    ]
    return {
        "groups": groups,
        "verdict": found,
        "may_see_people": request.user.has_perm("recipients.view_recipient"),
        **_job(campaign, found),
    }


def _job(campaign: Campaign, found: Verdict) -> dict[str, Any]:
    """Say how the work stands, also where what it says is out of date."""
    newest = found.preflight or campaign.preflights.order_by("-pk").first()
    if newest is None:
        return {}
    tally = dry_run.tally_of(newest)
    return {
        "preflight": newest,
        "is_stale": found.preflight is None,
        "is_running": newest.status == PreflightStatus.RUNNING,
        **_steps(newest),
        "tally": tally,
        "languages": sorted(tally.languages.items(), key=lambda each: -each[1]),
    }


def _steps(preflight: Preflight) -> dict[str, int]:
    total = preflight.steps.count()
    return {"steps_total": total, "steps_done": total - jobs.steps_left(preflight.pk)}


def _shown(finding: Finding, campaign: Campaign, found: Verdict) -> Shown:
    is_asking = finding.severity is Severity.WARNING
    accepted = found.accepted.get(finding.name) if is_asking else None
    mend = _mend(campaign).get(finding.place, "")
    return Shown(finding, mend, _OPEN.get(finding.place, ""), accepted)


def _mend(campaign: Campaign) -> dict[str, str]:
    return {
        Place.TEMPLATE: reverse("campaigns:template_edit", args=[campaign.template_id]),
        Place.SENDER: reverse("campaigns:sender_detail", args=[campaign.sender_id]),
        Place.CAMPAIGN: reverse("campaigns:campaign_content", args=[campaign.pk]),
        Place.RECIPIENTS: reverse("recipients:recipient_list"),
    }
