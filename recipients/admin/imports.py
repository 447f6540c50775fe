# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from recipients.admin.base import NarrowedAdmin, link_to_page, state_tag
from recipients.models import Import


@admin.register(Import)
class ImportAdmin(NarrowedAdmin):
    """Files of recipients: looked at here; their way from the upload on is a page of staff's."""

    list_display = ("file_name", "state", "mailing_list", "new", "changed", "invalid", "created_at")
    list_filter = ("status",)
    search_fields = ("file_name",)
    ordering = ("-pk",)
    actions = None
    readonly_fields = ("page",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # each is a source in the consent ledger; what was not begun can be discarded

    @display(description=_("State"))
    def state(self, importing: Import) -> SafeString:
        return state_tag(importing.status, capfirst(importing.get_status_display()))

    @display(description=_("Page"))
    def page(self, importing: Import) -> SafeString:
        return link_to_page("recipients:import_detail", importing.pk)
