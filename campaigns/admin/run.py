# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from campaigns.models import Page, Run
from campaigns.progress import progress
from campaigns.sending import waiting
from recipients.admin.base import ManyRowsAdmin, state_tag
from templates_app.admin import ReadOnlyAdmin


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ("campaign", "state", "outcomes", "occurrence", "started_at", "finished_at")
    list_filter = ("status",)
    search_fields = ("campaign__name",)
    ordering = ("-id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "campaign",
                    "state",
                    "why_held",
                    "why_warned",
                    "waiting",
                    "outcomes",
                    "rate",
                )
            },
        ),
        (_("Content and audience"), {"fields": (("version", "audience"), "measuring")}),
        (
            _("Times"),
            {
                "fields": (
                    ("occurrence", "created_at"),
                    ("prepared_at", "started_at"),
                    "finished_at",
                )
            },
        ),
        (_("The engine"), {"fields": ("pages",)}),
    )
    readonly_fields = (
        "state",
        "why_held",
        "why_warned",
        "waiting",
        "outcomes",
        "rate",
        "pages",
        "audience",
        "measuring",
    )
    actions_detail: Any = ("open",)

    @action(description=_("Open"), url_path="open", icon="open_in_new", permissions=["view"])
    def open(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lead to the run's own page, where it is watched, and to its report."""
        return HttpResponseRedirect(reverse("campaigns:run_detail", args=[object_id]))

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Run]":
        return (
            Run.objects.visible_to(request.user).with_counters().select_related("version__template")
        )

    @display(description=_("State"))
    def state(self, run: Run) -> SafeString:
        return state_tag(run.status, run.get_status_display())

    @display(description=_("Progress"))
    def outcomes(self, run: Run) -> str:
        context = {"progress": progress(run, now=timezone.now())}
        return render_to_string("campaigns/_progress.html", context)

    @display(description=_("Measured of opens and clicks"))
    def measuring(self, run: Run) -> str:
        return run.get_tracking_display()

    @display(description=_("Held reason"))
    def why_held(self, run: Run) -> str:
        return run.why_held

    @display(description=_("Warning"))
    def why_warned(self, run: Run) -> str:
        return run.why_warned

    @display(description=_("Waits"))
    def waiting(self, run: Run) -> str:
        return waiting.why(run, now=timezone.now())

    @display(description=_("Rate"))
    def rate(self, run: Run) -> str:
        how = progress(run, now=timezone.now())
        if not how.time_left:
            return how.pace
        return gettext("%(pace)s, about %(time)s left") % {"pace": how.pace, "time": how.time_left}

    @display(description=_("Pages"))
    def pages(self, run: Run) -> SafeString:
        url = reverse("admin:campaigns_page_changelist")
        title = _("Show the pages")
        return format_html('<a href="{}?run__id__exact={}">{}</a>', url, run.pk, title)


@admin.register(Page)
class PageAdmin(ManyRowsAdmin, ReadOnlyAdmin):
    list_display = ("__str__", "state_in_words", "left", "moved_at")
    list_filter = ("state",)
    ordering = ("-run_id", "-number")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Page]":
        return Page.objects.filter(run__in=Run.objects.visible_to(request.user))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False  # reached from its run

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        return lookup == "run__id__exact" or super().lookup_allowed(lookup, value, request)

    @display(description=_("State"))
    def state_in_words(self, page: Page) -> SafeString:
        return state_tag(page.state, page.get_state_display())
