"""What is typed into the editor and not saved: kept as a draft, and shown beside the source."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.views.templates import history
from campaigns.views.templates.frame import found, is_number, require_edit
from campaigns.views.templates.preview import Preview, draft_typed, frame_of
from recipients.fragments import fragment
from templates_app import held, unsaved
from templates_app.comparing import Change, compare
from templates_app.compiling import Compilation, Problem, compile_draft
from templates_app.drafts import Draft, draft_of
from templates_app.forms import Editing, known_fields, may_write_raw
from templates_app.models import EmailTemplate, TemplateDraft
from templates_app.services import fingerprint, library, rehearsed

CLIPPED = 102 * 1024  # bytes of HTML from which Gmail shows a message no further


@dataclass(frozen=True, slots=True)
class Live:
    """What stands beside the source: the last preview that came out, and what is wrong now."""

    frame: str = ""
    subject: str = ""
    size: int = 0
    problems: tuple[Problem, ...] = ()
    said: str = ""

    @property
    def share(self) -> int:
        """Of what Gmail shows, in percent."""
        return min(100, round(100 * self.size / CLIPPED))

    @property
    def is_clipped(self) -> bool:
        return self.size > CLIPPED

    @property
    def kilobytes(self) -> float:
        return self.size / 1024


@require_POST
def template_blank_live(request: HttpRequest) -> HttpResponse:
    return _typed(request, EmailTemplate(), page=reverse("campaigns:template_blank"))


@require_POST
def template_live(request: HttpRequest, pk: int) -> HttpResponse:
    template = found(pk)
    return _typed(request, template, page=reverse("campaigns:template_edit", args=[pk]))


def _typed(request: HttpRequest, template: EmailTemplate, *, page: str) -> HttpResponse:
    """Keep what is typed, and show it; what is wrong stands above the last good preview."""
    require_edit(request, template)
    revision, state = _keep(request, template)
    context = {
        "live": live(request, draft_typed(request, template), is_saved=False),
        "revision": revision,
        "state": state,
    }
    return fragment(request, "campaigns/_template_live.html", context, page=page)


def live(request: HttpRequest, draft: Draft, *, is_saved: bool) -> Live:
    """Show a draft as somebody invented gets it."""
    last = request.POST.get("frame", "")
    last = last if held.is_token(last) else ""
    compiled = compile_draft(draft, library=library(), known=known_fields() or None)
    problems = list(compiled.problems)
    if not problems and not is_saved:  # nobody has seen yet what it does when it is rendered
        problems += rehearsed(tuple(compiled.contents))
    if problems:
        return Live(last, problems=tuple(problems))
    return _shown(request, compiled, last=last)


def _shown(request: HttpRequest, compiled: Compilation, *, last: str) -> Live:
    preview = Preview(compiled.contents, QueryDict(), readers=None)
    if preview.rendered is None:
        return Live(last, said=preview.problem)
    try:
        token = frame_of(request, preview)
    except held.Unheld as error:
        return Live(last, said=str(error))
    size = len(preview.rendered.html.encode(errors="replace"))
    return Live(token, preview.rendered.subject, size)


def _keep(request: HttpRequest, template: EmailTemplate) -> tuple[int | None, dict[str, Any]]:
    """Keep what is typed as a draft of its author; return its revision, and what is said."""
    now = timezone.now()
    revision = revision_of(request)
    if "revision" not in request.POST:
        return None, {"said": _("Not kept: decide about the draft above first.")}
    base = request.POST.get("seen", "")
    try:
        revision = unsaved.keep(
            template,
            author_id=request.user.pk or 0,
            typed=_fields(request.POST),
            base=base,
            revision=revision,
            now=now,
        )
    except unsaved.Overtaken:
        said = _("Not kept: another window of yours has kept something newer. Reload, or save.")
        return revision, {"said": said}
    saved = EmailTemplate.objects.filter(pk=template.pk).first()
    if saved and base and fingerprint(saved) != base:
        newest = saved.versions.order_by("-number").first()
        who = (newest.saved_by if newest else "") or _("a program")
        said = _("Kept as a draft; %s has saved this template meanwhile.") % who
        return revision, {"said": said}
    return revision, {"kept_at": now}


def revision_of(request: HttpRequest) -> int:
    """Return the draft that a window of the editor has before it; 0 is none."""
    text = request.POST.get("revision", "")
    return int(text) if is_number(text) else 0


def draft_to_offer(request: HttpRequest, template: EmailTemplate) -> TemplateDraft | None:
    """Return what its author wrote and did not save, if it differs from what is saved."""
    draft = unsaved.of(template, author_id=request.user.pk or 0)
    if draft is None or not template.pk:
        return draft
    typed = Editing(found(template.pk), draft.as_post(), may_write_raw=may_write_raw(request))
    is_valid = typed.is_valid()
    if is_valid and fingerprint(typed.template, typed.variants()) == fingerprint(template):
        return None
    return draft


def difference(editing: Editing) -> list[tuple[str, Change]]:
    """Return how what stands saved differs from what is typed."""
    saved = found(editing.template.pk)
    return history.titled(compare(draft_of(saved), draft_of(editing.template, editing.variants())))


_NOT_TYPED = {"csrfmiddlewaretoken", "seen", "revision", "frame", "view"}


def _fields(post: QueryDict) -> dict[str, str]:
    return {name: post.get(name, "") for name in post if name not in _NOT_TYPED}
