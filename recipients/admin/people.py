# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
"""What staff do with one person: hand out what is known, erase it, make two rows one."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.enums import ActionVariant

from recipients import privacy
from recipients.admin.verb_page import Verb, verb_page
from recipients.forms.verbs import EraseForm, HandOutForm, MergeForm
from recipients.handout import CONTENT_TYPES, HandoutFormat, written
from recipients.merging import NotMerged, hints, merge
from recipients.models import MergePolicy, Recipient
from recipients.noting import note
from recipients.sentences import sentence

HAND_OUT = Verb(
    "Hand out",
    "A file of all that is known of this person: fields, lists, consent, suppression, every message"
    " and what became of it. It is for them alone; that it was made is kept in the history.",
    "Make the file",
)
ERASE = Verb(
    "Erase",
    "It cannot be taken back. The row, its lists, tags and history go, deliveries keep their states"
    " without the address, and nothing is sent to this address any more, whoever imports it again.",
    "Erase this person",
    is_final=True,
)
MERGE = Verb(
    "Merge",
    "Two rows of one person become this one. Who left a list by either address has left it, and a"
    " suppression of one address is one of both. It cannot be taken back.",
    "Merge",
    is_final=True,
)


class PersonVerbs(ModelAdmin):
    actions_list: Any = ("duplicates",)
    actions_detail: Any = ("hand_out", "erase", "merge")

    def has_hand_out_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("recipients.export_recipient"))

    def has_erase_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("recipients.erase_recipient"))

    def has_merge_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("recipients.merge_recipient"))

    @action(description="Hand out", url_path="hand-out", icon="download", permissions=["hand_out"])
    def hand_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        recipient = self._recipient(request, object_id)
        form = HandOutForm(request.POST or None)
        if not form.is_valid():
            back = _page_of(recipient)
            return verb_page(self, request, HAND_OUT, form, back=back, original=recipient)
        chosen = HandoutFormat(form.cleaned_data["form"])
        known = privacy.known(privacy.person(recipient.key))
        self.log_change(request, recipient, f"Handed out as {chosen.name}")
        note("handed out", kind="recipients.recipient", pk=recipient.pk)
        headers = {
            "Content-Disposition": f'attachment; filename="recipient-{recipient.pk}.{chosen}"'
        }
        return HttpResponse(
            written(known, chosen), content_type=CONTENT_TYPES[chosen], headers=headers
        )

    @action(
        description="Erase",
        url_path="erase",
        icon="person_remove",
        permissions=["erase"],
        variant=ActionVariant.DANGER,
    )
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        recipient = self._recipient(request, object_id)
        form = EraseForm(request.POST or None, recipient=recipient)
        if not form.is_valid():
            back = _page_of(recipient)
            return verb_page(self, request, ERASE, form, back=back, original=recipient)
        source = f"staff: user {request.user.pk}"
        privacy.erase(recipient.key, source=source, now=timezone.now())
        _log_erasure(request, object_id)
        self.message_user(request, "Erased, and suppressed for good.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:recipients_recipient_changelist"))

    @action(description="Merge", url_path="merge", icon="merge", permissions=["merge"])
    def merge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask which other row it is (GET), or make both one (POST)."""
        recipient = self._recipient(request, object_id)
        initial = {"other": request.GET.get("other", ""), "policy": MergePolicy.FILL}
        form = MergeForm(request.POST or None, initial=initial)
        if form.is_valid():
            other, policy = form.cleaned_data["other"], MergePolicy(form.cleaned_data["policy"])
            try:
                merge(
                    recipient.pk,
                    other.pk,
                    policy=policy,
                    by=request.user.get_username(),
                    now=timezone.now(),
                )
            except NotMerged as refusal:
                form.add_error(None, sentence(refusal))
            else:
                self.log_change(request, recipient, f"Merged with recipient {other.pk}")
                self.message_user(request, f"{other} is a part of it now.", messages.SUCCESS)
                return HttpResponseRedirect(_page_of(recipient))
        back = _page_of(recipient)
        return verb_page(self, request, MERGE, form, back=back, original=recipient)

    @action(description="Duplicates", url_path="duplicates", icon="group", permissions=["merge"])
    def duplicates(self, request: HttpRequest) -> HttpResponse:
        """Show who may be the same person; staff decide."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Likely duplicates",
            "opts": self.opts,
            "hints": hints(),
        }
        return TemplateResponse(request, "recipients/duplicates.html", context)

    def _recipient(self, request: HttpRequest, object_id: str) -> Recipient:
        recipient = self.get_object(request, object_id)
        if not isinstance(recipient, Recipient):
            raise Http404
        return recipient


def _page_of(recipient: Recipient) -> str:
    return reverse("admin:recipients_recipient_change", args=[recipient.pk])


def _log_erasure(request: Any, object_id: str) -> None:
    LogEntry.objects.create(
        user_id=request.user.pk,
        content_type=ContentType.objects.get_for_model(Recipient),
        object_id=object_id,
        object_repr="erased",
        action_flag=DELETION,
        change_message="Erased",
    )
