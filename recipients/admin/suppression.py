# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
"""Suppressions in the console."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from recipients.addresses import BadAddress, parse_address
from recipients.admin.base import ManyRowsAdmin, find_key
from recipients.consent import subject
from recipients.models import Suppression


@admin.register(Suppression)
class SuppressionAdmin(ManyRowsAdmin):
    """Only looked at here: adding and lifting are pages of staff's."""

    list_display = ("whom", "reason", "source", "created_at")
    list_filter = ("reason",)
    search_fields = ("key",)
    search_help_text = gettext_lazy("A whole address is found at once")
    fields = ("whom", "reason", "source", "created_at")
    readonly_fields = ("whom",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it is lifted, with a reason

    @display(description=gettext_lazy("Address or domain"))
    def whom(self, entry: Suppression) -> str:
        return entry.key or _("Somebody who was erased")

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        return (_entries_found(queryset, search_term) if search_term else queryset), False


def _entries_found(queryset: "QuerySet[Any]", term: str) -> "QuerySet[Any]":
    """Find by address or domain; who was erased, only by the whole address."""
    found = find_key(queryset, term)
    try:
        digest = subject(parse_address(term).key)
    except BadAddress:
        return found
    return found | queryset.filter(digest=digest)
