# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
"""Snippets and layouts; of templates and files the rows alone, which have pages."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action

from templates_app.forms import LayoutForm, SnippetForm, known_fields, may_write_raw
from templates_app.models import EmailTemplate, Layout, MediaFile, Snippet, TemplateVersion
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

    @admin.display(description=_("used by"))
    def used_by(self, piece: Any) -> str:
        return ", ".join(map(str, users_of(piece))) or gettext("nothing")

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


@admin.register(EmailTemplate)
class EmailTemplateAdmin(ReadOnlyAdmin):
    """Each is written, tested and deleted on its own page."""

    list_display = ("name", "subject", "kind", "language", "updated_at")
    list_filter = ("kind",)
    search_fields = ("name", "subject")
    ordering = ("-updated_at",)
    fields = (*list_display, "layout", "preheader", "link_parameters", "is_raw", "source", "text")
    actions_detail: Any = ("open",)

    @action(description=_("Open"), url_path="open", icon="open_in_new", permissions=["view"])
    def open(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("campaigns:template_detail", args=[object_id]))


@admin.register(TemplateVersion)
class TemplateVersionAdmin(ReadOnlyAdmin):
    """What campaigns send: frozen when they are scheduled."""

    list_display = ("__str__", "subject", "saved_by", "created_at")
    list_select_related = ("template",)
    search_fields = ("template__name", "subject")
    ordering = ("-id",)
    fields = ("template", "number", "subject", "saved_by", "created_at", "html", "text")
    actions_detail: Any = ("open",)

    @action(description=_("Open"), url_path="open", icon="open_in_new", permissions=["view"])
    def open(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.get_object(request, object_id)
        where = [version.template_id, version.number] if version else [0, 0]
        return HttpResponseRedirect(reverse("campaigns:template_version", args=where))


@admin.register(MediaFile)
class MediaFileAdmin(ReadOnlyAdmin):
    """Each is uploaded, replaced and deleted on its own page."""

    list_display = ("name", "folder", "uploaded_by", "updated_at")
    search_fields = ("name", "folder")
    ordering = ("folder", "name")
    fields = (*list_display, "blob")
    actions_detail: Any = ("open",)

    @action(description=_("Open"), url_path="open", icon="open_in_new", permissions=["view"])
    def open(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("templates_app:media_detail", args=[object_id]))
