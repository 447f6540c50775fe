"""What staff do with one person: off a list, suppress, hand out, erase, merge; each on its page."""

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from recipients import noting, people, privacy
from recipients.forms.verbs import EraseForm, HandOutForm, MergeForm, SuppressForm
from recipients.handout import CONTENT_TYPES, HandoutFormat, written
from recipients.merging import NotMerged, hints, merge
from recipients.models import MergePolicy, SuppressionReason
from recipients.models.lists import hidden_lists
from recipients.proof import proof
from recipients.sentences import sentence
from recipients.suppression import suppress
from recipients.views.declaring import source_of
from recipients.views.people import page_of
from recipients.views.seen import lists_of, recipients_of
from recipients.views.verb_page import Verb, verb_page

LEAVE = Verb(
    gettext_lazy("Remove from a list"),
    gettext_lazy(
        "This person leaves this list and no other, and stays a recipient. Staff cannot take it"
        " back: who has left comes back by themselves."
    ),
    gettext_lazy("Remove from the list"),
)
SUPPRESS = Verb(
    gettext_lazy("Suppress"),
    gettext_lazy("Nobody mails this address any more, by whatever list, until it is lifted."),
    gettext_lazy("Suppress the address"),
)
HAND_OUT = Verb(
    gettext_lazy("Hand out"),
    gettext_lazy(
        "A file of all that is known of this person: fields, lists, consent, suppression, every"
        " message and what became of it. It is for them alone; that it was made is kept in the"
        " history."
    ),
    gettext_lazy("Make the file"),
)
ERASE = Verb(
    gettext_lazy("Erase"),
    gettext_lazy(
        "It cannot be taken back. The row, its lists, tags and history go, deliveries keep their"
        " states without the address, and nothing is sent to this address any more, whoever"
        " imports it again. To take somebody off a list alone, remove them from it."
    ),
    gettext_lazy("Erase this person"),
    is_final=True,
)
MERGE = Verb(
    gettext_lazy("Merge"),
    gettext_lazy(
        "Two rows of one person become this one. Who left a list by either address has left it,"
        " and a suppression of one address is one of both. It cannot be taken back."
    ),
    gettext_lazy("Merge"),
    is_final=True,
)

_WITH_FORM = require_http_methods(["GET", "HEAD", "POST"])


@_WITH_FORM
@never_cache
def recipient_leave(request: HttpRequest, pk: int, list_pk: int) -> HttpResponse:
    recipient = get_object_or_404(recipients_of(request), pk=pk)
    mailing_list = get_object_or_404(lists_of(request), pk=list_pk)
    if request.method == "POST":
        source = source_of(request)
        people.unsubscribe([pk], mailing_list, source=source, now=timezone.now())
        messages.success(request, _("Not on the list %(name)s any more.") % {"name": mailing_list})
        return redirect(page_of(recipient))
    facts = [(_("List"), mailing_list)]
    back = page_of(recipient)
    return verb_page(request, LEAVE, forms.Form(), back=back, of=recipient, facts=facts)


@_WITH_FORM
@never_cache
def recipient_suppress(request: HttpRequest, pk: int) -> HttpResponse:
    recipient = get_object_or_404(recipients_of(request), pk=pk)
    form = SuppressForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        reason = SuppressionReason(form.cleaned_data["reason"])
        source = source_of(request, form.cleaned_data["source"])
        suppress(recipient.key, reason=reason, source=source, now=timezone.now())
        messages.success(request, _("%(name)s is not mailed any more.") % {"name": recipient})
        return redirect(page_of(recipient))
    return verb_page(request, SUPPRESS, form, back=page_of(recipient), of=recipient)


@_WITH_FORM
@never_cache
def recipient_hand_out(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with a file of all that is known of a person (POST)."""
    recipient = get_object_or_404(recipients_of(request), pk=pk)
    _require_all_lists(request)
    form = HandOutForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return verb_page(request, HAND_OUT, form, back=page_of(recipient), of=recipient)
    chosen = HandoutFormat(form.cleaned_data["form"])
    known = privacy.known(privacy.person(recipient.key))
    noting.note("handed out", kind="recipients.recipient", pk=recipient.pk)
    headers = {"Content-Disposition": f'attachment; filename="recipient-{pk}.{chosen}"'}
    content = written(known, chosen)
    return HttpResponse(content, content_type=CONTENT_TYPES[chosen], headers=headers)


@_WITH_FORM
@never_cache
def recipient_erase(request: HttpRequest, pk: int) -> HttpResponse:
    recipient = get_object_or_404(recipients_of(request), pk=pk)
    form = EraseForm(request.POST if request.method == "POST" else None, recipient=recipient)
    if not form.is_valid():
        return verb_page(request, ERASE, form, back=page_of(recipient), of=recipient)
    source = f"staff: user {request.user.pk}"
    privacy.erase(recipient.key, source=source, now=timezone.now())
    messages.success(request, _("Erased, and suppressed for good."))
    return redirect("recipients:recipient_list")


@_WITH_FORM
@never_cache
def recipient_merge(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask which other row it is (GET), or make both one (POST)."""
    recipient = get_object_or_404(recipients_of(request), pk=pk)
    initial = {"other": request.GET.get("other", ""), "policy": MergePolicy.FILL}
    data = request.POST if request.method == "POST" else None
    form = MergeForm(data, initial=initial, among=recipients_of(request))
    if form.is_valid():
        other = form.cleaned_data["other"]
        policy, by = MergePolicy(form.cleaned_data["policy"]), request.user.get_username()
        try:
            merge(pk, other.pk, policy=policy, by=by, now=timezone.now())
        except NotMerged as refusal:
            form.add_error(None, sentence(refusal))
        else:
            messages.success(request, _("%(name)s is a part of it now.") % {"name": other})
            return redirect(page_of(recipient))
    return verb_page(request, MERGE, form, back=page_of(recipient), of=recipient)


@require_safe
@never_cache
def duplicate_list(request: HttpRequest) -> HttpResponse:
    """Show who may be the same person; staff decide."""
    found = hints()
    ids = {each.pk for hint in found for each in hint.recipients}
    seen = set(recipients_of(request).filter(pk__in=ids).values_list("pk", flat=True))
    shown = [hint for hint in found if seen.issuperset(each.pk for each in hint.recipients)]
    return render(request, "recipients/duplicate_list.html", {"hints": shown})


@require_safe
@never_cache
def recipient_consent(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what the person agreed to, as a document to print."""
    recipient = get_object_or_404(recipients_of(request), pk=pk)
    _require_all_lists(request)
    if not request.user.has_perm("recipients.view_recipient"):
        raise PermissionDenied
    context = {"proof": proof(recipient.key, now=timezone.now())}
    return render(request, "recipients/consent_proof.html", context)


def _require_all_lists(request: HttpRequest) -> None:
    """Refuse what names all lists of a person to whom some are hidden.

    :raises PermissionDenied:
    """
    if hidden_lists(request.user):
        raise PermissionDenied
