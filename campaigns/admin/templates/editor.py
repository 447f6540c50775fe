# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
"""The page on which a template is written."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path

from campaigns.admin.templates import history, pictures, preview, trial
from campaigns.admin.templates.common import change_url
from campaigns.previewing import field_tags, own_tags
from templates_app.admin import ReadOnlyAdmin
from templates_app.compiling import Compilation, compile_draft
from templates_app.drafts import draft_of
from templates_app.forms import Editing, known_fields, may_write_raw
from templates_app.models import EmailTemplate, MediaFile, Snippet, TemplateVersion
from templates_app.moving_admin import MovingAdmin
from templates_app.services import Overtaken, Refused, fingerprint, library, save_template


@admin.register(EmailTemplate)
class EmailTemplateAdmin(MovingAdmin):
    """Each save makes a version; the pages beside it show, test, compare and restore."""

    list_display = ("name", "subject", "kind", "language", "updated_at")
    list_filter = ("kind",)
    search_fields = ("name", "subject")
    ordering = ("-updated_at",)
    actions = None  # each is deleted by itself, with its versions

    def get_urls(self) -> list[Any]:
        def page(view: Any) -> Any:
            def shown(request: HttpRequest, **values: Any) -> HttpResponse:
                return view(self, request, **values)  # type: ignore[no-any-return]

            return self.admin_site.admin_view(shown)

        of = "<int:template_id>"
        names = "templates_app_emailtemplate"
        return [
            path("preview/", page(preview.of_typed), name=f"{names}_preview_new"),
            path(f"{of}/preview/", page(preview.of_template), name=f"{names}_preview"),
            path(f"{of}/test/", page(trial.send), name=f"{names}_test"),
            path(
                f"{of}/versions/<int:number>/preview/",
                page(preview.of_version),
                name=f"{names}_version",
            ),
            path(
                f"{of}/versions/<int:number>/restore/",
                page(history.restore_page),
                name=f"{names}_restore",
            ),
            path(
                f"{of}/versions/<int:number>/pictures/",
                page(pictures.ask_for),
                name=f"{names}_pictures",
            ),
            path(
                f"{of}/versions/<int:number>/pictures/<int:picture_id>/",
                page(pictures.image),
                name=f"{names}_picture",
            ),
            *super().get_urls(),
        ]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Take the versions along, which nobody deletes by themselves; campaigns protect theirs."""
        listed, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        return listed, counts, forbidden - {"template version"}, protected

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the versions, who saved each, and what was sent of it."""
        return history.page(self, request, self.template(request, object_id))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        template = self.template(request, object_id)
        if request.method != "POST":
            editing = Editing(template, may_write_raw=may_write_raw(request))
            return self._editor(request, editing, _compiled(template))
        if not self.may_edit(request, template):
            raise PermissionDenied
        editing = Editing(template, request.POST, may_write_raw=may_write_raw(request))
        seen = request.POST.get("seen", "")
        if editing.is_valid():
            try:
                return self._save(request, editing, seen=seen)
            except Overtaken as refusal:
                editing.show(refusal.problems)
                seen = ""  # they have been told
            except Refused as refusal:
                editing.show(refusal.problems)
        return self._editor(request, editing, Compilation(), seen=seen, status=422)

    def template(self, request: HttpRequest, object_id: Any) -> EmailTemplate:
        """Return the template, a new one without an id; refuse whom it does not concern."""
        if object_id is None:
            if not self.has_add_permission(request):
                raise PermissionDenied
            return EmailTemplate()
        found: Any = self.get_object(request, str(object_id))
        if not isinstance(found, EmailTemplate):
            raise Http404
        if not self.has_view_or_change_permission(request, found):
            raise PermissionDenied
        return found

    def may_edit(self, request: HttpRequest, template: EmailTemplate) -> bool:
        if not template.pk:
            return bool(self.has_add_permission(request))
        return bool(self.has_change_permission(request, template))

    def page_context(self, request: HttpRequest, template: EmailTemplate) -> dict[str, Any]:
        """Return what every page of a template needs."""
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": template if template.pk else None,
            "may_edit": self.may_edit(request, template),
            "may_test": trial.may_test(request),
            "may_delete": bool(template.pk) and self.has_delete_permission(request, template),
        }

    def _save(self, request: HttpRequest, editing: Editing, *, seen: str) -> HttpResponse:
        template, is_new = editing.template, not editing.template.pk
        version = save_template(
            template,
            variants=editing.variants(),
            known=known_fields(),
            by=request.user.get_username(),
            may_write_raw=may_write_raw(request),
            seen=seen,
        )
        log = self.log_addition if is_new else self.log_change
        log(request, template, f"Saved as version {version.number}")
        said = f"{template} is saved as version {version.number}."
        if versions_waiting := history.scheduled_with_another(version):
            said += f" Still scheduled with an earlier one: {', '.join(versions_waiting)}."
        self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(change_url(template))

    def _editor(
        self,
        request: HttpRequest,
        editing: Editing,
        found: Compilation,
        *,
        seen: str = "",
        status: int = 200,
    ) -> HttpResponse:
        template = editing.template
        saved = EmailTemplate.objects.filter(pk=template.pk).first()
        context = {
            **self.page_context(request, template),
            "title": saved.name if saved else "Add a template",
            "editing": editing,
            "is_raw": bool(saved and saved.is_raw),
            "seen": seen or (fingerprint(saved) if saved else ""),
            "problems": found.problems,
            "warnings": found.warnings,
            "tags": [("Fields of recipients", field_tags()), ("Names of Godwit's own", own_tags())],
            "snippets": Snippet.objects.order_by("name"),
            "files": MediaFile.objects.order_by("folder", "name"),
        }
        return TemplateResponse(request, "campaigns/template_change.html", context, status=status)


@admin.register(TemplateVersion)
class TemplateVersionAdmin(ReadOnlyAdmin):
    """What campaigns send: frozen when they are scheduled."""

    list_display = ("__str__", "subject", "saved_by", "created_at")
    list_select_related = ("template",)
    search_fields = ("template__name", "subject")
    ordering = ("-id",)
    fields = ("template", "number", "subject", "saved_by", "created_at", "html", "text")
    change_form_outer_before_template = "campaigns/_version_links.html"


def _compiled(template: EmailTemplate) -> Compilation:
    """Return what is wrong with what is saved: a snippet may be gone, markup was taken away."""
    if not template.pk:
        return Compilation()
    return compile_draft(draft_of(template), library=library(), known=known_fields() or None)
