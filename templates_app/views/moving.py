"""Where templates come from and go to: the gallery, a file, another installation."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst, slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from templates_app.blocks import BLANK, Block, BlockKind, compose
from templates_app.bundle import Bundle
from templates_app.forms import known_fields, may_write_raw
from templates_app.gallery import STARTERS, NoStarter, bundle_of, starter
from templates_app.models import EmailTemplate, Kind
from templates_app.moving import (
    SANITISED,
    Clash,
    Imported,
    export_template,
    import_template,
)
from templates_app.moving_forms import ImportForm, StarterForm
from templates_app.noting import note_download
from templates_app.services import Refused, create_template

BLOCKS = "blocks"  # in place of the name of a starter


@require_http_methods(["GET", "HEAD", "POST"])
def template_new(request: HttpRequest) -> HttpResponse:
    """Show what there is to begin with (GET), or make a template of a starter (POST)."""
    form = StarterForm(request.POST or None)
    if form.is_valid():
        try:
            if form.cleaned_data["starter"] == BLOCKS:
                return _begun(request, form.cleaned_data["name"])
            chosen = starter(form.cleaned_data["starter"])
            bundle = bundle_of(chosen, name=form.cleaned_data["name"])
            return _came(request, _brought(request, bundle, clash=Clash.MINE))
        except (NoStarter, Refused) as refusal:
            _refuse(form, refusal)
    return _page(request, "new", form, starters=STARTERS)


@require_http_methods(["GET", "HEAD", "POST"])
def template_import(request: HttpRequest) -> HttpResponse:
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
            imported = _brought(
                request, bundle, name=answers["name"], clash=clash, keep_raw=keep_raw
            )
            return _came(request, imported)
        except Refused as refusal:
            _refuse(form, refusal)
    return _page(request, "import", form)


@require_safe
def template_export(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the template and all that it uses as one file."""
    template = get_object_or_404(EmailTemplate, pk=pk)
    try:
        data = export_template(template)
    except Refused as refusal:
        messages.error(request, _("It cannot be exported: %s.") % refusal)
        return redirect("campaigns:template_detail", pk)
    note_download(template)
    name = slugify(template.name) or f"template-{template.pk}"
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return HttpResponse(data, content_type="application/zip", headers=headers)


def _begun(request: HttpRequest, name: str) -> HttpResponse:
    """Make a template of a heading and a text, to be composed of blocks."""
    says = (
        Block(BlockKind.HEADING, text=name),
        Block(BlockKind.TEXT, text=_("What there is to say.")),
    )
    template = create_template(
        name,
        subject=name,
        source=compose(replace(BLANK, blocks=says)),
        known=known_fields(),
        kind=Kind.MJML,
        by=request.user.get_username(),
    )
    return redirect("campaigns:template_blocks", template.pk)


def _brought(request: HttpRequest, bundle: Bundle, **how: Any) -> Imported:
    return import_template(bundle, by=request.user.get_username(), **how)


def _came(request: HttpRequest, imported: Imported) -> HttpResponse:
    messages.success(request, _("%s is here. Make it yours.") % imported.template)
    for old, new in imported.renamed.items():
        messages.info(request, _("%(old)s came as %(new)s.") % {"old": old, "new": new})
    if imported.is_sanitised:
        messages.warning(request, f"{SANITISED}.")
    return redirect("campaigns:template_edit", imported.template.pk)


def _page(request: HttpRequest, what: str, form: Any, **context: Any) -> HttpResponse:
    return render(
        request,
        f"templates_app/template_{what}.html",
        {"form": form, **context},
        status=422 if form.errors else 200,
    )


def _refuse(form: Any, reason: object) -> None:
    form.add_error(None, f"{capfirst(str(reason))}.".replace("..", "."))


def _check_rights(request: HttpRequest, bundle: Bundle, clash: Clash) -> None:
    """Let nobody bring in with a template what they may not write by itself.

    :raises Refused:
    """
    missing = [right for right in _rights(bundle, clash) if not request.user.has_perm(right)]
    if missing:
        said = _("you may not import all that is in it; ask for the permission %s")
        raise Refused(said % ", ".join(missing))


def _rights(bundle: Bundle, clash: Clash) -> Iterator[str]:
    brought = {"snippet": bundle.snippets, "layout": bundle.layouts, "mediafile": bundle.files}
    for model, found in brought.items():
        if found:
            yield f"templates_app.add_{model}"
            if clash == Clash.THEIRS:
                yield f"templates_app.change_{model}"
