# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
"""Exports of recipients: asked for, fetched by who asked, and seen by who looks after them."""

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from recipients import exporting
from recipients.admin.base import NarrowedAdmin
from recipients.forms.verbs import ExportForm
from recipients.models import Export, ExportFormat
from recipients.sentences import moment


@admin.register(Export)
class ExportAdmin(NarrowedAdmin):
    """Who took out whom, and when: never edited, never deleted."""

    form = ExportForm
    list_display = ("what", "status", "rows", "created_by", "created_at", "file_link")
    list_filter = ("status",)
    list_select_related = ("created_by",)
    ordering = ("-pk",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("recipients.export_recipient"))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request) or bool(super().has_view_permission(request, obj))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ("mailing_list", "segment", "format")
        kept = ("status", "problem", "rows", "created_by", "created_at", "finished_at")
        return ("what", "format", *kept, "expires_at", "file_link")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.get_fields(request, obj) if obj else ()

    def save_model(
        self, request: HttpRequest, obj: Export, form: ModelForm[Any], change: bool
    ) -> None:
        asked = exporting.ask(
            mailing_list=obj.mailing_list,
            segment=obj.segment,
            form=ExportFormat(obj.format),
            by=request.user,
            now=timezone.now(),
        )
        hint = _("It is written in the background; its link stands here in a moment.")
        self.message_user(request, hint)
        obj.pk, obj.what, obj.created_at = asked.pk, asked.what, asked.created_at

    @display(description=gettext_lazy("File"))
    def file_link(self, export: Export) -> SafeString | str:
        if export.expires_at is None or not exporting.can_be_fetched(export, now=timezone.now()):
            return _("None")
        url = reverse("recipients:export_file", args=[export.pk])
        until = _("until %(time)s") % {"time": moment(export.expires_at)}
        return format_html('<a href="{}">{}</a>, {}', url, _("Fetch"), until)
