# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
"""Suppressions in the console: added, also many at once, and lifted by the rules."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action, display

from recipients.addresses import BadAddress, parse_address
from recipients.admin.base import ManyRowsAdmin, find_key
from recipients.admin.verb_page import Verb, verb_page
from recipients.consent import subject
from recipients.forms.recipients import SuppressionForm
from recipients.forms.verbs import LiftForm, SuppressManyForm
from recipients.models import Suppression, SuppressionReason
from recipients.sentences import sentence
from recipients.suppression import NotLifted, lift, suppress, suppress_all

PASTE = Verb(
    "Add many",
    "Nobody mails these any more, from the moment that they are added. Where a line cannot be read,"
    " nothing is added.",
    "Add",
)
LIFT = Verb(
    "Lift",
    "From then on it can be mailed again, by the lists that it is on. Who asked for no mail at all,"
    " or to be forgotten, comes back by themselves alone: by subscribing, and confirming it.",
    "Lift the suppression",
    is_final=True,
)


@admin.register(Suppression)
class SuppressionAdmin(ManyRowsAdmin):
    """Added and lifted, never edited: who was left alone, and why, stays as it was."""

    form = SuppressionForm
    list_display = ("whom", "reason", "source", "created_at")
    list_filter = ("reason",)
    search_fields = ("key",)
    search_help_text = "A whole address is found at once"
    readonly_fields = ("whom",)
    actions_list: Any = ("paste",)
    actions_detail: Any = ("lift",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it is lifted, with a reason

    @display(description="Address or domain")
    def whom(self, entry: Suppression) -> str:
        return entry.key or "Somebody who was erased"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("whom", "reason", "source", "created_at") if obj else ("key", "reason")

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        return (_entries_found(queryset, search_term) if search_term else queryset), False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"reason": SuppressionReason.MANUAL, **super().get_changeform_initial_data(request)}

    def save_model(
        self, request: HttpRequest, obj: Suppression, form: ModelForm[Any], change: bool
    ) -> None:
        suppress(
            str(obj.key),
            reason=SuppressionReason(obj.reason),
            source=_added_by(request),
            now=timezone.now(),
        )
        obj.pk = Suppression.objects.get(key=obj.key).pk

    def has_paste_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("recipients.add_suppression"))

    def has_lift_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("recipients.delete_suppression"))

    @action(description="Add many", url_path="paste", icon="content_paste", permissions=["paste"])
    def paste(self, request: HttpRequest) -> HttpResponse:
        form = SuppressManyForm(request.POST or None)
        back = reverse("admin:recipients_suppression_changelist")
        if not form.is_valid():
            return verb_page(self, request, PASTE, form, back=back)
        keys = form.cleaned_data["entries"]
        new = suppress_all(
            keys,
            reason=SuppressionReason(form.cleaned_data["reason"]),
            source="; ".join(filter(None, [form.cleaned_data["source"], _added_by(request)])),
            now=timezone.now(),
        )
        done = f"{new:,} added; {len(keys) - new:,} were there already."
        self.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(back)

    @action(description="Lift", url_path="lift", icon="lock_open", permissions=["lift"])
    def lift(self, request: HttpRequest, object_id: str) -> HttpResponse:
        entry = self.get_object(request, object_id)
        if not isinstance(entry, Suppression):
            raise Http404
        form = LiftForm(request.POST or None)
        if form.is_valid():
            try:
                self._lift(request, entry, why=form.cleaned_data["why"])
            except NotLifted as refusal:
                form.add_error(None, sentence(refusal))
            else:
                done = f"{entry.key} can be mailed again."
                self.message_user(request, done, messages.SUCCESS)
                return HttpResponseRedirect(reverse("admin:recipients_suppression_changelist"))
        facts = [
            ("Reason", entry.get_reason_display()),
            ("Source", entry.source or "unknown"),
            ("Since", f"{entry.created_at:%Y-%m-%d %H:%M} UTC"),
        ]
        back = reverse("admin:recipients_suppression_change", args=[entry.pk])
        return verb_page(self, request, LIFT, form, back=back, original=entry, facts=facts)

    def _lift(self, request: HttpRequest, entry: Suppression, *, why: str) -> None:
        if entry.key is None:
            raise NotLifted("they asked to be forgotten; only they themselves may come back")
        lift(
            entry.key,
            why=why,
            by=request.user.get_username(),
            even_complaints=request.user.has_perm("recipients.lift_complaint"),
            now=timezone.now(),
        )


def _added_by(request: HttpRequest) -> str:
    """Say who added it, without an address: this may come into the consent ledger."""
    name = request.user.get_username()
    return f"added by {f'staff {request.user.pk}' if '@' in name else name}"


def _entries_found(queryset: "QuerySet[Any]", term: str) -> "QuerySet[Any]":
    """Find by address or domain; who was erased, only by the whole address."""
    found = find_key(queryset, term)
    try:
        digest = subject(parse_address(term).key)
    except BadAddress:
        return found
    return found | queryset.filter(digest=digest)
