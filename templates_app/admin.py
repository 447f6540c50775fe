# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin, StackedInline

from templates_app import media_admin  # noqa: F401 - it registers itself
from templates_app.compiling import CompiledContent, compile_draft
from templates_app.drafts import draft_of
from templates_app.forms import (
    EmailTemplateForm,
    LayoutForm,
    SnippetForm,
    TemplateVariantFormSet,
    known_fields,
)
from templates_app.models import EmailTemplate, Layout, Snippet, TemplateVariant, TemplateVersion
from templates_app.moving_admin import MovingAdmin
from templates_app.pieces import delete_layout, delete_snippet, save_layout, save_snippet, users_of
from templates_app.rendering import (
    RESERVED_NAMES,
    Rendered,
    RenderError,
    check_content,
    compile_content,
)
from templates_app.services import check, library, save_template


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
    links = dict.fromkeys(("unsubscribe_url", "preferences_url", "view_url"), "#")
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


class TemplateVariantInline(StackedInline):
    """The same template in other languages."""

    model = TemplateVariant
    formset = TemplateVariantFormSet
    fields = ("language", "subject", "preheader", "source", "text")
    extra = 0
    verbose_name = "language"
    verbose_name_plural = "other languages"


@admin.register(EmailTemplate)
class EmailTemplateAdmin(MovingAdmin, PreviewAdmin):
    form = EmailTemplateForm
    inlines = (TemplateVariantInline,)
    list_display = ("name", "kind", "subject", "updated_at")
    list_filter = ("kind",)
    search_fields = ("name", "subject")
    ordering = ("-updated_at",)
    warn_unsaved_form = True

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Leave it to `save_related`: a template is saved with its languages."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            formset.save(commit=False)  # what changed, for the log
        variants = [each for formset in formsets for each in formset.variants()]
        may_write_raw = request.user.has_perm("templates_app.write_raw_html")
        known = known_fields()
        by = request.user.get_username()
        save_template(
            form.instance, variants=variants, known=known, by=by, may_write_raw=may_write_raw
        )
        for warning in check(form.instance, known=known).warnings:
            messages.warning(request, str(warning))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Take the versions along, which nobody deletes by themselves; campaigns protect theirs."""
        listed, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        return listed, counts, forbidden - {"template version"}, protected


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

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_used = obj is not None and bool(users_of(obj))
        return bool(super().has_delete_permission(request, obj)) and not is_used


@admin.register(Snippet)
class SnippetAdmin(PieceAdmin):
    form = SnippetForm

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_snippet(obj, known=known_fields())

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_snippet(obj)


@admin.register(Layout)
class LayoutAdmin(PieceAdmin):
    form = LayoutForm

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_layout(obj, known=known_fields())

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_layout(obj)


@admin.register(TemplateVersion)
class TemplateVersionAdmin(PreviewAdmin, ReadOnlyAdmin):
    """What campaigns send: frozen when they are scheduled."""

    list_display = ("__str__", "subject", "created_at")
    list_select_related = ("template",)
    search_fields = ("template__name", "subject")
    ordering = ("-id",)
    fields = ("template", "number", "subject", "html", "text", "created_at")
