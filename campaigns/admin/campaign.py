# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from typing import Any

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from campaigns import services, wording
from campaigns.forms.campaigns import CampaignForm
from campaigns.models import (
    Campaign,
    CampaignStatus,
    Run,
    RunStatus,
)
from campaigns.progress import Progress, progress
from campaigns.sending import waiting
from recipients.admin.base import NarrowedAdmin, state_tag

OPEN = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)


@admin.register(Campaign)
class CampaignAdmin(NarrowedAdmin):
    form = CampaignForm
    list_display = ("name", "state", "when", "audience", "sender", "newest_run")
    list_filter = ("status",)
    list_select_related = ("sender", "version__template")
    search_fields = ("name",)
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("name", "sender", "template", "priority")}),
        (_("To"), {"fields": ("lists", "segments")}),
        (_("But not to"), {"fields": ("excluded_lists", "excluded_segments")}),
        (_("With"), {"fields": ("attached",)}),
        (_("Measuring"), {"fields": ("tracking",)}),
        (_("Limits"), {"fields": ("late_limit", "time_to_live", "unconfirmed_policy")}),
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
    actions_detail = ("open", "report")

    # --- the list ------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Campaign]":
        runs = Run.objects.filter(campaign=OuterRef("pk")).order_by("-occurrence")
        shown = Campaign.objects.visible_to(request.user)
        return shown.prefetch_related("lists", "segments").annotate(
            newest_run_id=Subquery(runs.values("pk")[:1]),
            newest_run_status=Subquery(runs.values("status")[:1]),
            newest_run_at=Subquery(runs.values("occurrence")[:1]),
        )

    @display(description=_("State"))
    def state(self, campaign: Campaign) -> SafeString:
        return state_tag(campaign.status, campaign.get_status_display())

    @display(description=_("When"))
    def when(self, campaign: Any) -> str:
        if campaign.next_fire_at or not campaign.newest_run_at:
            return wording.schedule(campaign)
        return wording.moment(campaign.newest_run_at, campaign.time_zone)

    @display(description=_("Audience"))
    def audience(self, campaign: Campaign) -> str:
        return ", ".join(map(str, [*campaign.lists.all(), *campaign.segments.all()]))

    @display(description=_("Newest run"))
    def newest_run(self, campaign: Any) -> SafeString | str:
        if campaign.newest_run_id is None:
            return ""
        url = reverse("admin:campaigns_run_change", args=[campaign.newest_run_id])
        status = RunStatus(campaign.newest_run_status)
        return format_html('<a href="{}">{}</a>', url, state_tag(status, str(status.label)))

    @display(description=_("Attachments"))
    def attached(self, campaign: Campaign) -> str:
        """Say it where the campaign can only be looked at."""
        rows = campaign.attachments.wanted_by(campaign.pk).select_related("file")
        return ", ".join(map(str, rows))

    # --- one campaign --------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = bool(super().has_change_permission(request, obj))
        return allowed and not (isinstance(obj, Campaign) and wording.why_locked(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = bool(super().has_delete_permission(request, obj))
        return allowed and not (isinstance(obj, Campaign) and wording.why_locked(obj))

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
            why_locked = wording.why_locked(campaign)
            if request.method == "POST" and why_locked and self.has_act_permission(request):
                self.message_user(request, _("Nothing was saved. %s") % why_locked, messages.ERROR)
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

    def save_related(
        self, request: HttpRequest, form: ModelForm[Any], formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        services.attach(form.instance, files=list(form.cleaned_data["attached"]))

    # --- pages of staff ------------------------------------------------------------------------

    @action(description=_("Report"), url_path="report", icon="monitoring", permissions=["view"])
    def report(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("campaigns:campaign_report", args=[object_id]))

    @action(description=_("Open"), url_path="open", icon="open_in_new", permissions=["view"])
    def open(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lead to the campaign's own page, where it is checked, scheduled, paused and stopped."""
        return HttpResponseRedirect(reverse("campaigns:campaign_detail", args=[object_id]))


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
