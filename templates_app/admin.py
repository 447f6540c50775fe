# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
"""Snippets, layouts and files; the pages of templates are in `campaigns.admin.templates`."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from templates_app import media_admin  # noqa: F401 - it registers itself
from templates_app.forms import LayoutForm, SnippetForm, known_fields, may_write_raw
from templates_app.models import Layout, Snippet
from templates_app.pieces import delete, save, users_of


class ReadOnlyAdmin(ModelAdmin):
    """Rows that the application writes: people look, and nobody adds, changes or deletes."""

    actions: Any = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PieceAdmin(ModelAdmin):
    """What many templates use, and which is not deleted as long as one does."""

    list_display = ("name", "kind", "updated_at")
    search_fields = ("name",)
    ordering = ("name",)
    readonly_fields = ("used_by",)
    actions: Any = None
    warn_unsaved_form = True

    @admin.display(description="used by")
    def used_by(self, piece: Any) -> str:
        return ", ".join(map(str, users_of(piece))) or "nothing"

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        return type(form.__name__, (form,), {"may_write_raw": may_write_raw(request)})

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_used = obj is not None and bool(users_of(obj))
        return bool(super().has_delete_permission(request, obj)) and not is_used

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save(obj, known=known_fields(), may_write_raw=may_write_raw(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete(obj)


@admin.register(Snippet)
class SnippetAdmin(PieceAdmin):
    form = SnippetForm


@admin.register(Layout)
class LayoutAdmin(PieceAdmin):
    form = LayoutForm
