"""Segments: who answers to rules; a page that needs no script, each of its buttons posts it all."""

from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from recipients.forms.segments import SegmentForm, rows
from recipients.models import Segment
from recipients.models.lists import hidden_lists
from recipients.paging import SIZE
from recipients.patience import PATIENCE, TookTooLong, at_most
from recipients.segments import asking, draft
from recipients.segments.grammar import BadRules
from recipients.segments.known import Known
from recipients.segments.saving import InUse, delete_segment, save_segment, users_of
from recipients.segments.words import describe
from recipients.sentences import sentence
from recipients.views.seen import segments_of
from recipients.views.verb_page import Verb, verb_page

DELETE = Verb(
    gettext_lazy("Delete"),
    gettext_lazy("The rules go; the recipients who answer to them stay as they are."),
    gettext_lazy("Delete the segment"),
    is_final=True,
)

_WITH_FORM = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@never_cache
def segment_list(request: HttpRequest) -> HttpResponse:
    page = Paginator(segments_of(request), SIZE).get_page(request.GET.get("page"))
    known = Known.load()
    shown = [(each, *_in_words(each, known)) for each in page]
    return render(request, "recipients/segment_list.html", {"page": page, "shown": shown})


def _in_words(segment: Segment, known: Known) -> tuple[str, bool]:
    """Return the rules in words, or what is wrong with them; and whether they can be asked."""
    try:
        return describe(segment.rules, known=known), True
    except BadRules as error:
        return _("Nobody, until it is mended: %(reason)s") % {"reason": error}, False


@_WITH_FORM
@never_cache
def segment_add(request: HttpRequest) -> HttpResponse:
    if hidden_lists(request.user):
        raise PermissionDenied  # a segment asks about everybody, and shows some of them
    return _work_on(request, Segment(), may_edit=True)


@_WITH_FORM
@never_cache
def segment_edit(request: HttpRequest, pk: int) -> HttpResponse:
    segment = get_object_or_404(segments_of(request), pk=pk)
    return _work_on(request, segment, may_edit=request.user.has_perm("recipients.change_segment"))


@_WITH_FORM
@never_cache
def segment_delete(request: HttpRequest, pk: int) -> HttpResponse:
    segment = get_object_or_404(segments_of(request), pk=pk)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            delete_segment(segment)
        except InUse as refusal:
            form.add_error(None, sentence(refusal))
        else:
            messages.success(request, _("%(name)s is deleted.") % {"name": segment})
            return redirect("recipients:segment_list")
    back = reverse("recipients:segment_edit", args=[pk])
    facts = [(_("Used by"), ", ".join(users_of(segment)) or _("nothing"))]
    return verb_page(request, DELETE, form, back=back, of=segment, facts=facts)


# --- rules ----------------------------------------------------------------------------------------


def _work_on(request: HttpRequest, segment: Segment, *, may_edit: bool) -> HttpResponse:
    """Show a segment with its rules, or do what a button of the page says (`segments.draft`)."""
    known = Known.load()
    if request.method != "POST":
        rules = segment.rules if segment.pk else {"match": "all", "rules": []}
        form = SegmentForm(instance=segment)
        return _page(request, form, _draft_of(rules), known, may_edit=may_edit)
    if not may_edit:
        raise PermissionDenied
    edited = draft.from_post(request.POST)
    if request.POST.get("action") == "save":
        return _save(request, segment, edited, known)
    focus = draft.act(edited, request.POST, known=known)
    # What is typed stays, and what is missing is said when it is saved.
    form = SegmentForm(instance=segment, initial=request.POST.dict())
    return _page(request, form, edited, known, focus=focus)


def _save(
    request: HttpRequest, segment: Segment, edited: draft.DraftGroup, known: Known
) -> HttpResponse:
    form = SegmentForm(request.POST, instance=segment)
    problem: BadRules | None = None
    if form.is_valid():
        try:
            save_segment(segment, rules=edited.as_rules(known), now=timezone.now())
        except BadRules as error:
            problem = error
        else:
            messages.success(request, _("%(name)s is saved.") % {"name": segment})
            return redirect("recipients:segment_edit", segment.pk)
    return _page(request, form, edited, known, problem=problem, status=422)


def _draft_of(rules: Any) -> draft.DraftGroup:
    try:
        return draft.from_rules(rules)
    except (KeyError, TypeError):  # written by hand, in no form that can be shown
        return draft.DraftGroup()


def _page(
    request: HttpRequest,
    form: SegmentForm,
    edited: draft.DraftGroup,
    known: Known,
    *,
    problem: BadRules | None = None,
    focus: str = "",
    status: int = HTTPStatus.OK,
    may_edit: bool = True,
) -> HttpResponse:
    segment = form.instance
    answer: dict[str, Any] = {}
    if edited.inside and not problem:
        answer, problem = _answer(edited, known)
    context = {
        **answer,
        "segment": segment,
        "form": form,
        "group": rows(edited, known, problem=problem, focus=focus),
        "problem": problem,
        "is_refused": status != HTTPStatus.OK,
        "may_edit": may_edit,
        "users": list(users_of(segment)) if segment.pk else [],
    }
    return render(request, "recipients/segment_edit.html", context, status=status)


def _answer(edited: draft.DraftGroup, known: Known) -> tuple[dict[str, Any], BadRules | None]:
    rules, now = edited.as_rules(known), timezone.now()
    try:
        words = describe(rules, known=known)
        with at_most(seconds=PATIENCE):
            return {
                "words": words,
                "count": asking.count(rules, now=now, known=known),
                "sample": asking.sample(rules, now=now, known=known),
            }, None
    except TookTooLong:
        return {"words": words, "is_slow": True}, None
    except BadRules as problem:
        return {}, problem
