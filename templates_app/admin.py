# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from templates_app import media_admin  # noqa: F401 - it registers itself
from templates_app.compiling import CompiledContent, compile_draft
from templates_app.drafts import draft_of
from templates_app.forms import EmailTemplateForm
from templates_app.models import EmailTemplate, TemplateVersion
from templates_app.rendering import (
    RESERVED_NAMES,
    Rendered,
    RenderError,
    check_content,
    compile_content,
)
from templates_app.services import library


class ReadOnlyAdmin(ModelAdmin):
    """Rows that the application writes: people look, and nobody adds, changes or deletes."""

    actions: Any = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Preview:
    """The content as somebody would get it whose fields hold their own names."""

    rendered: Rendered | None
    error: str = ""


def preview(content: EmailTemplate | TemplateVersion) -> Preview:
    if isinstance(content, TemplateVersion):
        return _preview(content)
    compilation = compile_draft(draft_of(content), library=library())
    if compilation.problems:
        return Preview(None, "; ".join(str(problem) for problem in compilation.problems))
    return _preview(compilation.contents[0])


def _preview(content: CompiledContent | TemplateVersion) -> Preview:
    found = check_content(subject=content.subject, html=content.html, text=content.text, known=())
    names = {*RESERVED_NAMES, *(problem.unknown for problem in found)}
    links = {"unsubscribe_url": "#", "preferences_url": "#"}
    values = {name: f"[{name}]" for name in names} | links
    try:
        compiled = compile_content(subject=content.subject, html=content.html, text=content.text)
        return Preview(compiled.render(values))
    except RenderError as error:
        return Preview(None, str(error))


class PreviewAdmin(ModelAdmin):
    """Shows the saved content under the form."""

    change_form_outer_after_template = "templates_app/_preview.html"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        content = self.get_object(request, object_id) if object_id else None
        extra = {**(extra_context or {}), "preview": preview(content) if content else None}
        return super().changeform_view(request, object_id, form_url, extra)  # type: ignore[no-any-return]


@admin.register(EmailTemplate)
class EmailTemplateAdmin(PreviewAdmin):
    form = EmailTemplateForm
    list_display = ("name", "subject", "updated_at")
    search_fields = ("name", "subject")
    ordering = ("-updated_at",)
    warn_unsaved_form = True


@admin.register(TemplateVersion)
class TemplateVersionAdmin(PreviewAdmin, ReadOnlyAdmin):
    """What campaigns send: frozen when they are scheduled."""

    list_display = ("__str__", "subject", "created_at")
    list_select_related = ("template",)
    search_fields = ("template__name", "subject")
    ordering = ("-id",)
    fields = ("template", "number", "subject", "html", "text", "created_at")
