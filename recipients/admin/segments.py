# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from recipients.admin.base import NarrowedAdmin, link_to_recipients
from recipients.forms.segments import rows
from recipients.models import Segment
from recipients.segments import asking, draft
from recipients.segments.grammar import BadRules
from recipients.segments.known import Known
from recipients.segments.saving import delete_segment, save_segment, users_of
from recipients.segments.words import describe


class SegmentForm(forms.ModelForm[Segment]):
    class Meta:
        model = Segment
        fields = ("name", "description")
        widgets = {
            "name": UnfoldAdminTextInputWidget,
            "description": UnfoldAdminTextareaWidget({"rows": 2}),
        }


@admin.register(Segment)
class SegmentAdmin(NarrowedAdmin):
    list_display = ("name", "in_words", "recipients", "updated_at")
    search_fields = ("name",)
    ordering = ("name",)
    actions = None  # deleting is for what nothing uses, one by one

    @display(description="Who is in it")
    def in_words(self, segment: Segment) -> str:
        try:
            return describe(segment.rules)
        except BadRules as error:
            return f"Nobody, until it is mended: {error}"

    @display(description="Recipients")
    def recipients(self, segment: Segment) -> SafeString:
        return link_to_recipients("segment", segment.pk)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep a segment that a campaign or another segment uses."""
        allowed = bool(super().has_delete_permission(request, obj))
        return allowed and not (isinstance(obj, Segment) and any(users_of(obj)))

    def delete_model(self, request: HttpRequest, obj: Segment) -> None:
        delete_segment(obj)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a segment with its rules; each button posts the whole page (`segments.draft`)."""
        segment = self._segment(request, object_id)
        known = Known.load()
        if request.method != "POST":
            rules = segment.rules if segment.pk else {"match": "all", "rules": []}
            return self._page(request, SegmentForm(instance=segment), _draft_of(rules), known)
        if not self._may_edit(request, segment):
            raise PermissionDenied
        edited = draft.from_post(request.POST)
        if request.POST.get("action") == "save":
            return self._save(request, segment, edited, known)
        focus = draft.act(edited, request.POST, known=known)
        # What is typed stays, and what is missing is said when it is saved.
        form = SegmentForm(instance=segment, initial=request.POST.dict())
        return self._page(request, form, edited, known, focus=focus)

    def _save(
        self, request: HttpRequest, segment: Segment, edited: draft.DraftGroup, known: Known
    ) -> HttpResponse:
        form, is_new = SegmentForm(request.POST, instance=segment), segment.pk is None
        problem: BadRules | None = None
        if form.is_valid():
            try:
                save_segment(segment, rules=edited.as_rules(known), now=timezone.now())
            except BadRules as error:
                problem = error
            else:
                return self._saved(request, segment, is_new=is_new)
        return self._page(request, form, edited, known, problem=problem, status=422)

    def _segment(self, request: HttpRequest, object_id: str | None) -> Segment:
        if object_id is None:
            if not self.has_add_permission(request):
                raise PermissionDenied
            return Segment()
        found = self.get_object(request, object_id)
        if not isinstance(found, Segment):
            raise Http404
        if not self.has_view_or_change_permission(request, found):
            raise PermissionDenied
        return found

    def _may_edit(self, request: HttpRequest, segment: Segment) -> bool:
        return bool(self.has_change_permission(request, segment) if segment.pk else True)

    def _saved(self, request: HttpRequest, segment: Segment, *, is_new: bool) -> HttpResponse:
        log = self.log_addition if is_new else self.log_change
        log(request, segment, "Rules saved")
        self.message_user(request, f"{segment} is saved.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:recipients_segment_change", args=[segment.pk]))

    def _page(
        self,
        request: HttpRequest,
        form: SegmentForm,
        edited: draft.DraftGroup,
        known: Known,
        *,
        problem: BadRules | None = None,
        focus: str = "",
        status: int = 200,
    ) -> HttpResponse:
        segment = form.instance
        answer: dict[str, Any] = {}
        if edited.inside and not problem:
            answer, problem = _answer(edited, known)
        context = {
            **self.admin_site.each_context(request),
            **answer,
            "title": segment.name if segment.pk else "Add a segment",
            "opts": self.opts,
            "original": segment if segment.pk else None,
            "form": form,
            "group": rows(edited, known, problem=problem, focus=focus),
            "problem": problem,
            "may_edit": self._may_edit(request, segment),
            "may_delete": bool(segment.pk) and self.has_delete_permission(request, segment),
            "users": list(users_of(segment)) if segment.pk else [],
        }
        return TemplateResponse(request, "recipients/segment_change.html", context, status=status)


def _draft_of(rules: Any) -> draft.DraftGroup:
    try:
        return draft.from_rules(rules)
    except (KeyError, TypeError):  # written by hand, in no form that can be shown
        return draft.DraftGroup()


def _answer(edited: draft.DraftGroup, known: Known) -> tuple[dict[str, Any], BadRules | None]:
    rules, now = edited.as_rules(known), timezone.now()
    try:
        return {
            "count": asking.count(rules, now=now, known=known),
            "sample": asking.sample(rules, now=now, known=known),
            "words": describe(rules, known=known),
        }, None
    except BadRules as problem:
        return {}, problem
