# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from recipients.admin.base import ManyRowsAdmin, state_tag
from recipients.models import Notice
from templates_app.admin import ReadOnlyAdmin


@admin.register(Notice)
class NoticeAdmin(ManyRowsAdmin, ReadOnlyAdmin):
    """Why somebody has, or has not, got a message of ours."""

    list_display = ("key", "kind", "state", "created_at", "answer")
    list_filter = ("kind",)
    search_fields = ("key__exact",)
    search_help_text = _("The whole address")
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("key", "kind", "form", "answer")}),
        (_("Times"), {"fields": ("created_at", "next_attempt_at", "sent_at", "failed_at")}),
    )

    readonly_fields = ("answer",)

    @display(description=_("diagnostic"))
    def answer(self, notice: Notice) -> str:
        return notice.said

    @display(description=_("State"))
    def state(self, notice: Notice) -> SafeString:
        if notice.sent_at:
            return state_tag("sent", str(_("Sent")))
        if notice.failed_at:
            return state_tag("failed", str(_("Failed")))
        return state_tag("retry", str(_("Waits")))
