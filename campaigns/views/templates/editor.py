"""The page on which a template is written."""

import secrets
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from campaigns.previewing import field_tags, own_tags
from campaigns.views.templates import drafting, history
from campaigns.views.templates.frame import found, page, url_of
from templates_app import unsaved
from templates_app.comparing import Change
from templates_app.compiling import Compilation, compile_draft
from templates_app.drafts import draft_of
from templates_app.forms import Editing, known_fields, may_write_raw
from templates_app.models import EmailTemplate, MediaFile, Snippet, TemplateDraft
from templates_app.services import Overtaken, Refused, fingerprint, library, save_template


@require_http_methods(["GET", "HEAD", "POST"])
def template_blank(request: HttpRequest) -> HttpResponse:
    return _written(request, EmailTemplate())


@require_http_methods(["GET", "HEAD", "POST"])
def template_edit(request: HttpRequest, pk: int) -> HttpResponse:
    return _written(request, found(pk))


def _written(request: HttpRequest, template: EmailTemplate) -> HttpResponse:
    """Show the editor (GET), or save; a refusal stands on the same page."""
    may_raw = may_write_raw(request)
    if request.method != "POST":
        return _opened(request, template)
    if "discard" in request.POST:
        unsaved.forget(template, author_id=request.user.pk or 0)
        return redirect(request.path)
    editing = Editing(template, request.POST, may_write_raw=may_raw)
    seen, theirs = request.POST.get("seen", ""), []
    if editing.is_valid():
        try:
            return _save(request, editing, seen=seen)
        except Overtaken as refusal:
            editing.show(refusal.problems)
            theirs = drafting.difference(editing)
            seen = ""  # they have been told
        except Refused as refusal:
            editing.show(refusal.problems)
    return _editor(request, editing, Compilation(), seen=seen, theirs=theirs, status=422)


def _opened(request: HttpRequest, template: EmailTemplate) -> HttpResponse:
    """Show what is saved, or what this author has written since and not saved."""
    may_raw = may_write_raw(request)
    draft = drafting.draft_to_offer(request, template)
    if draft and request.GET.get("draft"):
        editing = Editing(template, draft.as_post(), may_write_raw=may_raw)
        return _editor(request, editing, Compilation(), seen=draft.base, draft=draft, goes_on=True)
    editing = Editing(template, may_write_raw=may_raw)
    return _editor(request, editing, _compiled(template), draft=draft)


def _save(request: HttpRequest, editing: Editing, *, seen: str) -> HttpResponse:
    template, was_new = editing.template, not editing.template.pk
    version = save_template(
        template,
        variants=editing.variants(),
        known=known_fields(),
        by=request.user.get_username(),
        may_write_raw=may_write_raw(request),
        seen=seen,
    )
    unsaved.forget(
        EmailTemplate() if was_new else template,
        author_id=request.user.pk or 0,
        revision=drafting.revision_of(request),
    )
    said = _("%(template)s is saved as version %(number)s.") % {
        "template": template,
        "number": version.number,
    }
    if waiting := history.scheduled_with_another(version, user=request.user):
        said += " " + _("Still scheduled with an earlier one: %s.") % ", ".join(waiting)
    messages.success(request, said)
    return redirect(url_of(template, "edit"))


def _editor(
    request: HttpRequest,
    editing: Editing,
    compiled: Compilation,
    *,
    seen: str = "",
    theirs: list[tuple[str, Change]] | None = None,
    draft: TemplateDraft | None = None,
    goes_on: bool = False,
    status: int = 200,
) -> HttpResponse:
    template = editing.template
    saved = EmailTemplate.objects.filter(pk=template.pk).first()
    nonce = secrets.token_urlsafe(16)
    answer = page(
        request,
        "edit",
        template,
        here="edit",
        status=status,
        title=saved.name if saved else _("Write a template"),
        editing=editing,
        is_raw=bool(saved and saved.is_raw),
        seen=seen or (fingerprint(saved) if saved else ""),
        theirs=theirs,
        problems=compiled.problems,
        warnings=compiled.warnings,
        draft=draft,
        goes_on=goes_on,
        revision=_revision(request, draft, goes_on=goes_on),
        live=_live(request, template),
        nonce=nonce,
        **_usable(),
    )
    answer.style_nonce = nonce  # type: ignore[attr-defined]  # for the policy of the page
    return answer


def _revision(request: HttpRequest, draft: TemplateDraft | None, *, goes_on: bool) -> int | None:
    """Return what the next draft follows; None where its author has to decide about this one."""
    if draft:
        return draft.revision if goes_on else None
    return drafting.revision_of(request)


def _live(request: HttpRequest, template: EmailTemplate) -> drafting.Live:
    """Return the preview of what is saved, before anything is typed."""
    if not template.pk or request.method == "POST":
        return drafting.Live()
    return drafting.live(request, draft_of(found(template.pk)), is_saved=True)


def _usable() -> dict[str, Any]:
    return {
        "tags": [
            (_("Fields of recipients"), field_tags()),
            (_("Names of Godwit's own"), own_tags()),
        ],
        "snippets": Snippet.objects.order_by("name"),
        "files": MediaFile.objects.order_by("folder", "name"),
    }


def _compiled(template: EmailTemplate) -> Compilation:
    """Return what is wrong with what is saved: a snippet may be gone, markup was taken away."""
    if not template.pk:
        return Compilation()
    return compile_draft(draft_of(template), library=library(), known=known_fields() or None)
