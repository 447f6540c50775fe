# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from campaigns import services, trial, wording
from campaigns.admin import preflight
from campaigns.admin.audience import audience_context
from campaigns.admin.reports import others
from campaigns.admin.reports import pages as reports
from campaigns.audience import Audience
from campaigns.forms import CampaignForm, ConfirmForm, ScheduleForm, TrialForm
from campaigns.models import (
    Campaign,
    CampaignStatus,
    Run,
    RunStatus,
)
from campaigns.preflight.findings import Finding
from campaigns.progress import Progress, progress
from campaigns.sending import waiting
from campaigns.sending.outcomes import Accepted
from campaigns.services import Refused
from campaigns.tasks import go_on
from recipients.admin.base import state_tag
from recipients.admin.recipients import COUNTED
from recipients.hurry import hurry_after_commit
from recipients.segments.grammar import BadRules
from recipients.sentences import sentence
from templates_app.services import Refused as ContentRefused

OPEN = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that staff do with a campaign: a page that says what it means, and a button."""

    title: str
    meaning: str
    button: str
    act: Callable[[Campaign, Any, datetime], str]
    """Does it and says what came of it, for (campaign, the valid form, now)."""
    form: type[ConfirmForm] = ConfirmForm
    is_final: bool = False


def _schedule(campaign: Campaign, form: ScheduleForm, now: datetime) -> str:
    services.schedule(campaign, now=now, by=form.by, **form.schedule(now=now))
    return f"{wording.situation(campaign)} The content is frozen as {campaign.version}."


def _send_test(campaign: Campaign, form: TrialForm, now: datetime) -> str:
    address = form.cleaned_data["address"]
    outcome = trial.send_test(campaign, address=address, now=now)
    if not isinstance(outcome, Accepted):
        raise Refused(f"{address}: {trial.in_words(outcome)}")
    return f"{address}: {trial.in_words(outcome)}"


def _pause(campaign: Campaign, _form: ConfirmForm, _now: datetime) -> str:
    services.pause(campaign)
    return "Paused. What a worker holds at this moment still goes out."


def _resume(campaign: Campaign, _form: ConfirmForm, now: datetime) -> str:
    for run_id in services.resume(campaign, now=now):
        hurry_after_commit(go_on, run_id)
    return "It goes on."


def _cancel(campaign: Campaign, _form: ConfirmForm, now: datetime) -> str:
    count = services.cancel(campaign, now=now)
    return f"Cancelled. Recipients who will not be mailed: {count:,}."


SCHEDULE = Verb(
    "Schedule",
    "The content is frozen at this moment: what changes in the template later is not sent.",
    "Schedule",
    _schedule,
    ScheduleForm,
)
SEND_TEST = Verb(
    "Send a test",
    "One message, with the fields of the first recipient and [Test] before the subject. It is"
    " counted nowhere, and its unsubscribe link leads to nobody.",
    "Send the test",
    _send_test,
    TrialForm,
)
PAUSE = Verb(
    "Pause",
    "No more messages leave until it is resumed; what a worker holds still goes out.",
    "Pause",
    _pause,
)
RESUME = Verb("Resume", "The messages that wait leave now.", "Resume", _resume)
CANCEL = Verb(
    "Cancel",
    "It cannot be taken back. Who was not mailed yet will not be; what a worker holds at this"
    " moment still goes out.",
    "Cancel the campaign",
    _cancel,
    is_final=True,
)


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):
    form = CampaignForm
    list_display = ("name", "state", "when", "audience", "sender", "newest_run")
    list_filter = ("status",)
    list_select_related = ("sender", "version__template")
    search_fields = ("name",)
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("name", "sender", "template", "priority")}),
        ("To", {"fields": ("lists", "segments")}),
        ("But not to", {"fields": ("excluded_lists", "excluded_segments")}),
        ("With", {"fields": ("attached",)}),
        ("Measuring", {"fields": ("tracking",)}),
        ("Limits", {"fields": ("late_limit", "time_to_live", "unconfirmed_policy")}),
    )
    autocomplete_fields = (
        "sender",
        "template",
        "lists",
        "segments",
        "excluded_lists",
        "excluded_segments",
    )
    change_form_outer_before_template = "campaigns/_campaign_situation.html"
    actions_list: Any = ("compare", "summaries")
    actions_detail = (
        "report",
        "audience_page",
        "preflight_page",
        "schedule",
        "send_test",
        "pause",
        "resume",
        "cancel",
    )

    # --- the list ------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Campaign]":
        runs = Run.objects.filter(campaign=OuterRef("pk")).order_by("-occurrence")
        return Campaign.objects.prefetch_related("lists", "segments").annotate(
            newest_run_id=Subquery(runs.values("pk")[:1]),
            newest_run_status=Subquery(runs.values("status")[:1]),
            newest_run_at=Subquery(runs.values("occurrence")[:1]),
        )

    @display(description="State")
    def state(self, campaign: Campaign) -> SafeString:
        return state_tag(campaign.status, campaign.get_status_display())

    @display(description="When")
    def when(self, campaign: Any) -> str:
        if campaign.next_fire_at or not campaign.newest_run_at:
            return wording.schedule(campaign)
        return wording.moment(campaign.newest_run_at, campaign.time_zone)

    @display(description="Audience")
    def audience(self, campaign: Campaign) -> str:
        return ", ".join(map(str, [*campaign.lists.all(), *campaign.segments.all()]))

    @display(description="Newest run")
    def newest_run(self, campaign: Any) -> SafeString | str:
        if campaign.newest_run_id is None:
            return ""
        url = reverse("admin:campaigns_run_change", args=[campaign.newest_run_id])
        status = RunStatus(campaign.newest_run_status)
        return format_html('<a href="{}">{}</a>', url, state_tag(status, status.label))

    @display(description="Attachments")
    def attached(self, campaign: Campaign) -> str:
        """Say it where the campaign can only be looked at."""
        rows = campaign.attachments.wanted_by(campaign.pk).select_related("file")
        return ", ".join(map(str, rows))

    # --- one campaign --------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = bool(super().has_change_permission(request, obj))
        return allowed and not (isinstance(obj, Campaign) and _why_locked(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = bool(super().has_delete_permission(request, obj))
        return allowed and not (isinstance(obj, Campaign) and _why_locked(obj))

    def has_act_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this user may act on campaigns, also on those that cannot be edited any more."""
        return bool(super().has_change_permission(request))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        campaign = self.get_object(request, object_id)
        extra = extra_context or {}
        if campaign is not None:
            why_locked = _why_locked(campaign)
            if request.method == "POST" and why_locked and self.has_act_permission(request):
                self.message_user(request, f"Nothing was saved. {why_locked}", messages.ERROR)
                return HttpResponseRedirect(request.path)
            extra = {**extra, **_situation(campaign, why_locked)}
        return super().change_view(request, object_id, form_url, extra)  # type: ignore[no-any-return]

    def save_model(
        self, request: HttpRequest, obj: Campaign, form: ModelForm[Any], change: bool
    ) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        # Only what was typed: the state may move while somebody types.
        typed = ["name", "sender", "template", "priority", "tracking", "late_limit"]
        typed += ["time_to_live", "unconfirmed_policy", "updated_at"]
        obj.save(update_fields=typed)
        if obj.status == CampaignStatus.SCHEDULED:
            message = (
                f"What is sent is still {obj.version}. Schedule again to freeze the content anew."
            )
            self.message_user(request, message, messages.WARNING)

    def save_related(
        self, request: HttpRequest, form: ModelForm[Any], formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        services.attach(form.instance, files=list(form.cleaned_data["attached"]))

    # --- reports -------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        return [*reports.urls_of(self), *others.urls_of(self), *super().get_urls()]

    @action(description="Report", url_path="report", icon="monitoring", permissions=["view"])
    def report(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        subject = reports.subject_of(self, request, object_id)
        return reports.overview_page(request, subject)

    @action(description="Compare", url_path="compare", icon="compare", permissions=["view"])
    def compare(self, request: HttpRequest) -> HttpResponseBase:
        return others.compare_page(self, request)

    @action(description="Summaries by mail", url_path="summaries", icon="mail")
    def summaries(self, request: HttpRequest) -> HttpResponseBase:
        return others.summaries_page(self, request)

    # --- verbs ---------------------------------------------------------------------------------

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what can be done in the campaign's state, and nothing else."""
        offered = super().get_actions_detail(request, object_id)
        campaign = self.get_object(request, str(object_id))
        fitting = _fitting_verbs(campaign) if campaign else set()
        return [each for each in offered if each.path in fitting]

    @action(description="Audience", url_path="audience", icon="groups", permissions=["view"])
    def audience_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.get_object(request, object_id)
        if campaign is None:
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            **audience_context(request, campaign, now=timezone.now()),
            "title": f"Audience: {campaign}",
            "opts": self.opts,
            "original": campaign,
        }
        return TemplateResponse(request, "campaigns/campaign_audience.html", context)

    @action(description="Preflight", url_path="preflight", icon="fact_check", permissions=["view"])
    def preflight_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        campaign = self.get_object(request, object_id)
        if campaign is None:
            raise Http404
        may_act = self.has_act_permission(request)
        if request.method == "POST":
            if not may_act:
                raise PermissionDenied
            preflight.act(request, campaign, now=timezone.now())
            return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            **preflight.preflight_context(request, campaign, now=timezone.now()),
            "title": f"Preflight: {campaign}",
            "opts": self.opts,
            "original": campaign,
            "may_act": may_act,
        }
        return TemplateResponse(request, "campaigns/campaign_preflight.html", context)

    @action(description="Schedule", url_path="schedule", icon="schedule", permissions=["act"])
    def schedule(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, SCHEDULE)

    @action(description="Send a test", url_path="test", icon="science", permissions=["act"])
    def send_test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, SEND_TEST)

    @action(description="Pause", url_path="pause", icon="pause", permissions=["act"])
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, PAUSE)

    @action(description="Resume", url_path="resume", icon="play_arrow", permissions=["act"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, RESUME)

    @action(
        description="Cancel the campaign",
        url_path="cancel",
        icon="cancel",
        permissions=["act"],
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, CANCEL)

    def _do(self, request: HttpRequest, object_id: str, verb: Verb) -> HttpResponse:
        """Show the page of a verb (GET), or do it (POST): a refusal stands on the same page."""
        campaign = self.get_object(request, object_id)
        if campaign is None:
            raise Http404
        form = verb.form(request.POST if request.method == "POST" else None, campaign=campaign)
        if isinstance(form, ScheduleForm):
            form.ask_about(_asking(campaign), by=request.user.get_username())
        if form.is_valid():
            try:
                message = verb.act(campaign, form, timezone.now())
            except Refused as refusal:
                form.add_error(None, sentence(refusal))
            else:
                self.log_change(request, campaign, verb.title)
                self.message_user(request, message, messages.SUCCESS)
                change = reverse("admin:campaigns_campaign_change", args=[campaign.pk])
                return HttpResponseRedirect(change)
        context = {
            **self.admin_site.each_context(request),
            **_situation(campaign, _why_locked(campaign)),
            "title": f"{verb.title}: {campaign}",
            "opts": self.opts,
            "original": campaign,
            "verb": verb,
            "form": form,
            "audience": self.audience(campaign),
            "reachable": _reachable(campaign),
        }
        status = 422 if form.errors else 200
        return TemplateResponse(request, "campaigns/campaign_verb.html", context, status=status)


def _why_locked(campaign: Campaign) -> str:
    """Return why a campaign may not be edited, or an empty text."""
    if campaign.status not in OPEN:
        return f"It is {campaign.get_status_display().lower()}; nothing of it can be edited."
    if campaign.runs.active().exists():
        return "It is being sent; it can be edited when the run has ended."
    return ""


def _fitting_verbs(campaign: Campaign) -> set[str]:
    verbs = {"report", "audience", "test"}
    if campaign.status in OPEN:
        verbs |= {"cancel", "preflight"}
        if not campaign.runs.exists():
            verbs.add("schedule")
    if campaign.runs.having(RunStatus.PREPARING, RunStatus.SENDING).exists():
        verbs.add("pause")
    if campaign.runs.having(RunStatus.PAUSED, RunStatus.HELD).exists():
        verbs.add("resume")
    return verbs


def _asking(campaign: Campaign) -> list[Finding]:
    """Return the warnings that nobody has accepted; of content with a fault, scheduling says so."""
    try:
        return preflight.look(campaign, now=timezone.now()).open_warnings
    except ContentRefused:
        return []


def _situation(campaign: Campaign, why_locked: str) -> dict[str, Any]:
    run = campaign.runs.newest_first().with_counters().first()
    newest: Progress | None = progress(run, now=timezone.now()) if run else None
    return {
        "situation": wording.situation(campaign),
        "state": state_tag(campaign.status, campaign.get_status_display()),
        "why_locked": why_locked,
        "progress": newest,
        "waiting": waiting.why(run, now=timezone.now()) if run else "",
    }


def _reachable(campaign: Campaign) -> str:
    """Say how many recipients could be mailed at this moment, counted to a limit."""
    try:
        count, is_all = Audience(campaign).receiving(now=timezone.now(), of_first=COUNTED)
    except BadRules:
        return "an unknown number"
    return f"{count:,}" if is_all else f"more than {count:,}"
