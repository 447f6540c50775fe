# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
"""Where templates come from and go to: the gallery, a file, another installation."""

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst, slugify
from unfold.admin import ModelAdmin
from unfold.decorators import action

from templates_app.bundle import Bundle
from templates_app.forms import may_write_raw
from templates_app.gallery import STARTERS, NoStarter, bundle_of, starter
from templates_app.models import EmailTemplate
from templates_app.moving import (
    SANITISED,
    Clash,
    Imported,
    export_template,
    import_template,
)
from templates_app.moving_forms import ImportForm, StarterForm
from templates_app.services import Refused


class MovingAdmin(ModelAdmin):
    """The verbs of a list of templates, and of one, that bring it in or take it out."""

    actions_list: Any = ("from_gallery", "import_file")
    actions_detail: Any = ("export",)

    @action(
        description="New from the gallery", url_path="gallery", icon="palette", permissions=["add"]
    )
    def from_gallery(self, request: HttpRequest) -> HttpResponse:
        """Show what there is (GET), or make a template of one of them (POST)."""
        form = StarterForm(request.POST or None)
        if form.is_valid():
            try:
                chosen = starter(form.cleaned_data["starter"])
                bundle = bundle_of(chosen, name=form.cleaned_data["name"])
                return self._came(request, self._brought(request, bundle, clash=Clash.MINE))
            except (NoStarter, Refused) as refusal:
                _refuse(form, refusal)
        return self._page(request, "gallery", form, "New from the gallery", starters=STARTERS)

    @action(description="Import", url_path="import", icon="upload", permissions=["add"])
    def import_file(self, request: HttpRequest) -> HttpResponse:
        """Ask for a file that was exported (GET), and take it in (POST)."""
        form = ImportForm(
            request.POST or None,
            request.FILES or None,
            may_write_raw=may_write_raw(request),
        )
        if form.is_valid():
            answers = form.cleaned_data
            bundle, clash = answers["file"], Clash(answers["clash"])
            keep_raw = answers.get("keep_raw", False)
            try:
                _check_rights(request, bundle, clash)
                imported = self._brought(
                    request, bundle, name=answers["name"], clash=clash, keep_raw=keep_raw
                )
                return self._came(request, imported)
            except Refused as refusal:
                _refuse(form, refusal)
        return self._page(request, "import", form, "Import a template")

    @action(description="Export", url_path="export", icon="download", permissions=["view"])
    def export(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer with the template and all that it uses as one file."""
        template = self.get_object(request, object_id)
        if template is None:
            raise Http404
        try:
            data = export_template(template)
        except Refused as refusal:
            messages.error(request, f"It cannot be exported: {refusal}.")
            return HttpResponseRedirect(_page_of(template))
        name = slugify(template.name) or f"template-{template.pk}"
        headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
        return HttpResponse(data, content_type="application/zip", headers=headers)

    def _brought(self, request: HttpRequest, bundle: Bundle, **how: Any) -> Imported:
        return import_template(bundle, by=request.user.get_username(), **how)

    def _came(self, request: HttpRequest, imported: Imported) -> HttpResponse:
        self.log_addition(request, imported.template, "Imported")
        messages.success(request, f"{imported.template} is here. Make it yours.")
        for old, new in imported.renamed.items():
            messages.info(request, f"{old} came as {new}.")
        if imported.is_sanitised:
            messages.warning(request, f"{SANITISED}.")
        return HttpResponseRedirect(_page_of(imported.template))

    def _page(
        self, request: HttpRequest, what: str, form: Any, title: str, **context: Any
    ) -> TemplateResponse:
        return TemplateResponse(
            request,
            f"templates_app/template_{what}.html",
            {
                **self.admin_site.each_context(request),
                "title": title,
                "opts": self.opts,
                "form": form,
                "back": reverse("admin:templates_app_emailtemplate_changelist"),
                **context,
            },
            status=422 if form.errors else 200,
        )


def _page_of(template: EmailTemplate) -> str:
    return reverse("admin:templates_app_emailtemplate_change", args=[template.pk])


def _refuse(form: Any, reason: object) -> None:
    form.add_error(None, f"{capfirst(str(reason))}.".replace("..", "."))


def _check_rights(request: HttpRequest, bundle: Bundle, clash: Clash) -> None:
    """Let nobody bring in with a template what they may not write by itself.

    :raises Refused:
    """
    missing = [right for right in _rights(bundle, clash) if not request.user.has_perm(right)]
    if missing:
        raise Refused(
            f"you may not import all that is in it; ask for the permission {', '.join(missing)}"
        )


def _rights(bundle: Bundle, clash: Clash) -> Iterator[str]:
    brought = {"snippet": bundle.snippets, "layout": bundle.layouts, "mediafile": bundle.files}
    for model, found in brought.items():
        if found:
            yield f"templates_app.add_{model}"
            if clash == Clash.THEIRS:
                yield f"templates_app.change_{model}"
