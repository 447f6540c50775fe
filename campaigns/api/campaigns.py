"""Campaigns: made, changed, scheduled, held, ended, and what they came to."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import partial
from typing import Annotated, Any, Literal

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import AwareDatetime, Field

from campaigns import departure, services, wording
from campaigns.api.figures import FiguresOut, LinkOut, figures_out, links_out
from campaigns.api.runs import RunOut, runs_of
from campaigns.departure import Shown
from campaigns.forms.path import AudienceForm, ContentForm
from campaigns.models import (
    Campaign,
    CampaignAttachment,
    CampaignStatus,
    Priority,
    UnconfirmedPolicy,
    When,
)
from campaigns.preflight import jobs, verdict
from campaigns.reporting.figures import figures
from campaigns.reporting.links import links_of_runs
from campaigns.sending import reconcile
from campaigns.services import Refused
from campaigns.tasks import go_on
from recipients.api.paging import Key, Page, Paging, page_of
from recipients.api.refusals import Fault, Problem, invalid, refuse_form
from recipients.api.things import found, held, shown
from recipients.hurry import hurry_after_commit
from recipients.models import Tracking
from recipients.sentences import sentence
from templates_app.services import Refused as ContentRefused

router = Router()

Name = Annotated[str, Field(min_length=1, max_length=200)]
Ids = Annotated[list[Key], Field(max_length=200)]
Span = Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(days=3_650))]

_AUDIENCE = ("lists", "segments", "excluded_lists", "excluded_segments")


class CampaignOut(Schema):
    id: int
    name: str
    status: CampaignStatus
    sender: int
    template: int | None
    lists: list[int]
    segments: list[int]
    excluded_lists: list[int]
    excluded_segments: list[int]
    attachments: list[int]
    tracking: Tracking
    priority: Priority
    unconfirmed_policy: UnconfirmedPolicy
    late_limit: timedelta
    time_to_live: timedelta
    next_fire_at: datetime | None
    cron: str
    time_zone: str
    follows_recipients: bool
    hours_from: time | None
    hours_until: time | None
    created_at: datetime
    updated_at: datetime

    @staticmethod
    def resolve_sender(campaign: Campaign) -> int:
        return campaign.sender_id

    @staticmethod
    def resolve_template(campaign: Campaign) -> int | None:
        return campaign.template_id

    @staticmethod
    def resolve_lists(campaign: Campaign) -> list[int]:
        return _ids(campaign.lists)

    @staticmethod
    def resolve_segments(campaign: Campaign) -> list[int]:
        return _ids(campaign.segments)

    @staticmethod
    def resolve_excluded_lists(campaign: Campaign) -> list[int]:
        return _ids(campaign.excluded_lists)

    @staticmethod
    def resolve_excluded_segments(campaign: Campaign) -> list[int]:
        return _ids(campaign.excluded_segments)

    @staticmethod
    def resolve_attachments(campaign: Campaign) -> list[int]:
        wanted = CampaignAttachment.objects.wanted_by(campaign.pk)
        return [row.file_id for row in wanted]


class CampaignPatch(Schema):
    name: Name | None = None
    sender: Key | None = None
    template: Key | None = None
    lists: Ids | None = None
    segments: Ids | None = None
    excluded_lists: Ids | None = None
    excluded_segments: Ids | None = None
    attachments: Ids | None = None
    tracking: Tracking | None = None
    priority: Priority | None = None
    unconfirmed_policy: UnconfirmedPolicy | None = None
    late_limit: Span | None = None
    time_to_live: Span | None = None


class CampaignIn(CampaignPatch):
    name: Name
    sender: Key
    template: Key


class CampaignsAsked(Paging):
    status: CampaignStatus | None = None


class FindingOut(Schema):
    name: str = Field(description="By which a warning is accepted.")
    detail: str


class Look(Schema):
    """What would be sent at this moment, and to how many."""

    fingerprint: str
    receiving: int
    errors: list[FindingOut]
    warnings: list[FindingOut] = Field(description="Those that nobody has accepted.")


class Schedule(Schema):
    when: Literal["now", "at", "cron"]
    at: AwareDatetime | None = None
    cron: Annotated[str, Field(max_length=100, description="`0 9 * * MON`")] = ""
    time_zone: Annotated[str, Field(max_length=64)] = "UTC"
    follows_recipients: Annotated[
        bool, Field(description="At that time of each recipient's own clock.")
    ] = False
    hours_from: Annotated[
        time | None, Field(description="Messages leave between these hours alone.")
    ] = None
    hours_until: time | None = None
    accepted: Annotated[
        list[str], Field(max_length=100, description="Names of warnings in spite of which it goes.")
    ] = []
    fingerprint: Annotated[
        str,
        Field(max_length=64, description="As it was shown; where it is another now, nothing goes."),
    ] = ""
    receiving: Annotated[int, Field(ge=0, le=2**31)] | None = None


class Cancelled(Schema):
    status: CampaignStatus
    runs: list[int]


@router.get("", response=Page[CampaignOut])
def list_campaigns(request: HttpRequest, asked: Query[CampaignsAsked]) -> dict[str, Any]:
    """The campaigns that the caller sees, the newest first."""
    rows = _campaigns(request)
    return page_of(request, rows.filter(status=asked.status) if asked.status else rows, asked)


@router.post("", response={201: CampaignOut})
def add_campaign(request: HttpRequest, given: CampaignIn) -> Status[Campaign]:
    """Make a draft."""
    campaign = Campaign()
    _save(request, campaign, given)
    return Status(201, campaign)


@router.get("/{int:pk}", response=CampaignOut)
def get_campaign(request: HttpRequest, response: HttpResponse, pk: Key) -> CampaignOut:
    """One campaign."""
    return shown(response, found(_campaigns(request), pk), CampaignOut)


@router.patch("/{int:pk}", response=CampaignOut)
def change_campaign(
    request: HttpRequest, response: HttpResponse, pk: Key, given: CampaignPatch
) -> CampaignOut:
    """Change what is given of a draft; the rest stays."""
    campaign = held(request, _campaigns(request), pk, CampaignOut)
    if why := wording.why_locked(campaign):
        raise Problem(409, why)
    _save(request, campaign, given)
    return shown(response, campaign, CampaignOut)


@router.delete("/{int:pk}", response={204: None})
def remove_campaign(request: HttpRequest, pk: Key) -> Status[None]:
    """Delete a draft that was never sent."""
    campaign = held(request, _campaigns(request), pk, CampaignOut)
    _do(services.delete, campaign)
    return Status(204, None)


# --- from a draft to its departure ----------------------------------------------------------------


@router.get("/{int:pk}/look", response=Look)
def look_at_campaign(request: HttpRequest, pk: Key) -> Look:
    """What scheduling it would send now, to how many, and what is wrong with it."""
    campaign, now = found(_campaigns(request), pk), timezone.now()
    seen: Shown = _do(departure.look, campaign, now=now)
    with transaction.atomic():
        judged = verdict.judge(campaign, jobs.version_of(campaign), now=now)
        transaction.set_rollback(True)  # a version that was made for it is not kept
    return Look(
        fingerprint=seen.fingerprint,
        receiving=seen.receiving,
        errors=[FindingOut(name=each.name, detail=str(each)) for each in judged.errors],
        warnings=[FindingOut(name=each.name, detail=str(each)) for each in judged.open_warnings],
    )


@router.post("/{int:pk}/schedule", response=CampaignOut)
def schedule_campaign(
    request: HttpRequest, response: HttpResponse, pk: Key, given: Schedule
) -> CampaignOut:
    """Freeze the content of a draft and schedule it: once, or again and again."""
    campaign, now = held(request, _campaigns(request), pk, CampaignOut), timezone.now()
    _plan(campaign, given, now=now)
    seen: Shown = _do(departure.look, campaign, now=now)
    if given.fingerprint or given.receiving is not None:
        receiving = seen.receiving if given.receiving is None else given.receiving
        fingerprint = given.fingerprint or seen.fingerprint
        seen = replace(seen, fingerprint=fingerprint, receiving=receiving)
    by = request.user.get_username()
    _do(departure.confirm, campaign, seen, now=now, accepted=given.accepted, by=by)
    return shown(response, campaign, CampaignOut)


def _plan(campaign: Campaign, given: Schedule, *, now: datetime) -> None:
    if (given.hours_from is None) != (given.hours_until is None):
        raise invalid([Fault("/hours_until", "Write both hours, or neither.")])
    if given.when == "at" and given.at is None:
        raise invalid([Fault("/at", "Say at which time.")])
    if given.when == "cron" and not given.cron:
        raise invalid([Fault("/cron", "Write a crontab expression.")])
    hours = (given.hours_from, given.hours_until) if given.hours_from else None
    _do(
        departure.plan,
        campaign,
        when=When(given.when),
        now=now,
        at=given.at if given.when == "at" else None,
        cron=given.cron if given.when == "cron" else "",
        time_zone=given.time_zone,
        follows_recipients=given.follows_recipients,
        hours=hours,
    )
    campaign.refresh_from_db()


@router.post("/{int:pk}/withdraw", response=CampaignOut)
def withdraw_campaign(request: HttpRequest, response: HttpResponse, pk: Key) -> CampaignOut:
    """Take a scheduled campaign back: it is a draft again."""
    campaign = found(_campaigns(request), pk)
    _do(services.withdraw, campaign)
    return shown(response, campaign, CampaignOut)


@router.post("/{int:pk}/pause", response=list[RunOut])
def pause_campaign(request: HttpRequest, pk: Key) -> list[Any]:
    """Let nothing more leave; it takes effect within a second or two."""
    campaign = found(_campaigns(request), pk)
    _do(services.pause, campaign)
    return list(runs_of(request).filter(campaign=campaign).active())


@router.post("/{int:pk}/resume", response=list[RunOut])
def resume_campaign(request: HttpRequest, pk: Key) -> list[Any]:
    """Let paused and held runs go on."""
    campaign = found(_campaigns(request), pk)
    for run_id in _do(services.resume, campaign, now=timezone.now()):
        hurry_after_commit(go_on, run_id)
    return list(runs_of(request).filter(campaign=campaign).active())


@router.post("/{int:pk}/cancel", response=Cancelled)
def cancel_campaign(request: HttpRequest, pk: Key) -> Cancelled:
    """End it for good; who was not mailed yet will not be."""
    campaign, now = found(_campaigns(request), pk), timezone.now()
    runs: list[int] = _do(services.mark_cancelled, campaign, now=now)
    for run_id in runs:
        transaction.on_commit(partial(reconcile.cancel_open, run_id, now=now), robust=True)
    return Cancelled(status=CampaignStatus.CANCELLED, runs=runs)


# --- what it came to ------------------------------------------------------------------------------


@router.get("/{int:pk}/report", response=FiguresOut)
def get_campaign_report(request: HttpRequest, pk: Key) -> FiguresOut:
    """The sums of all of its runs."""
    return figures_out(figures(runs_of(request).filter(campaign=found(_campaigns(request), pk))))


@router.get("/{int:pk}/links", response=list[LinkOut])
def get_campaign_links(request: HttpRequest, pk: Key) -> list[LinkOut]:
    """Where its links lead, and who followed them; what most people followed first."""
    campaign = found(_campaigns(request), pk)
    return links_out(links_of_runs(runs_of(request).filter(campaign=campaign)))


def _campaigns(request: HttpRequest) -> "QuerySet[Campaign]":
    return Campaign.objects.visible_to(request.user)


def _ids(related: Any) -> list[int]:
    return list(related.order_by("pk").values_list("pk", flat=True))


def _do(act: Any, campaign: Campaign, *given: Any, **named: Any) -> Any:
    """Call a service, and say what it refuses."""
    try:
        return act(campaign, *given, **named)
    except (Refused, ContentRefused, jobs.Refused) as refusal:
        raise Problem(409, sentence(refusal)) from None


def _save(request: HttpRequest, campaign: Campaign, given: CampaignPatch) -> None:
    said = given.dict(exclude_none=True)
    content = _content(campaign, said)
    if not content.is_valid():
        refuse_form(content, names={"attached": "attachments"})
    campaign = content.save()
    audience = AudienceForm(_audience(campaign, said), campaign=campaign, user=request.user)
    if not audience.is_valid():
        refuse_form(audience)
    for name in _AUDIENCE:
        getattr(campaign, name).set(audience.cleaned_data[name])
    _do(services.attach, campaign, files=list(content.cleaned_data["attached"]))
    campaign.refresh_from_db()


def _content(campaign: Campaign, said: dict[str, Any]) -> ContentForm:
    data = {name: getattr(campaign, name, None) for name in ContentForm.Meta.fields[3:]}
    if campaign.pk:
        data |= {
            "name": campaign.name,
            "sender": campaign.sender_id,
            "template": campaign.template_id,
            "attached": CampaignOut.resolve_attachments(campaign),
        }
    if "attachments" in said:
        data["attached"] = said["attachments"]
    return ContentForm({**data, **said}, instance=campaign)


def _audience(campaign: Campaign, said: dict[str, Any]) -> dict[str, Any]:
    return {name: said.get(name, _ids(getattr(campaign, name))) for name in _AUDIENCE}
