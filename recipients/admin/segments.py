# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from recipients.admin.base import NarrowedAdmin, link_to_page, link_to_recipients
from recipients.models import Segment
from recipients.segments.grammar import BadRules
from recipients.segments.words import describe


@admin.register(Segment)
class SegmentAdmin(NarrowedAdmin):
    """Only looked at here: rules are written, and segments deleted, on pages of staff's."""

    list_display = ("name", "description", "recipients", "updated_at")
    search_fields = ("name",)
    ordering = ("name",)
    actions = None
    fields = ("name", "description", "page", "in_words", "created_at", "updated_at")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("Page"))
    def page(self, segment: Segment) -> SafeString:
        return link_to_page("recipients:segment_edit", segment.pk)

    @display(description=gettext_lazy("Who is in it"))
    def in_words(self, segment: Segment) -> str:
        try:
            return describe(segment.rules)
        except BadRules as error:
            return _("Nobody, until it is mended: %(reason)s") % {"reason": error}

    @display(description=gettext_lazy("Recipients"))
    def recipients(self, segment: Segment) -> SafeString:
        return link_to_recipients("segment", segment.pk)
