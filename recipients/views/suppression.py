"""Who is left alone: found by address first, added one or many at once, lifted by the rules."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from recipients.addresses import BadAddress, parse_address
from recipients.consent import subject
from recipients.forms.verbs import LiftForm, SuppressionFilterForm, SuppressManyForm
from recipients.models import LiftedSuppression, Suppression, SuppressionReason
from recipients.paging import key_page
from recipients.recognising import kept
from recipients.sentences import moment, sentence
from recipients.suppression import NotLifted, lift, suppress_all
from recipients.translatable import number
from recipients.views.verb_page import Verb, verb_page

_LIFT = gettext_lazy("Lift the suppression")
_MEANING = gettext_lazy(
    "From then on it can be mailed again, by the lists that it is on. Who asked for no mail at all,"
    " or to be forgotten, comes back by themselves alone: by subscribing, and confirming it."
)
_COMPLAINT = gettext_lazy(
    "This person told their provider that a message was spam. Another message may be held against"
    " every sender here. Lift it only if they asked you to, and say how. From then on the lists"
    " that it is on mail it again."
)
PASTED = gettext_lazy(
    "Nobody mails these any more, from the moment that they are added. Where a line cannot be read,"
    " nothing is added."
)


@require_safe
@never_cache
def suppression_list(request: HttpRequest) -> HttpResponse:
    """Show who is left alone, and why; and for whom it was lifted, where one address is asked."""
    form = SuppressionFilterForm(request.GET)
    given = form.cleaned_data if form.is_valid() else {}
    asked = str(given.get("q", "")).strip()
    context = {
        "form": form,
        "page": key_page(asked_for(given), request.GET),
        "lifted": _lifted(asked) if asked else (),
        "is_filtered": any(given.values()),
    }
    return render(request, "recipients/suppression_list.html", context)


def asked_for(given: Mapping[str, Any]) -> "QuerySet[Suppression]":
    """Return what a valid filter lets through."""
    found = Suppression.objects.domains() if given.get("domains") else Suppression.objects.all()
    if reason := given.get("reason"):
        found = found.filter(reason=reason)
    if asked := str(given.get("q", "")).strip():
        found = found.filter(_about(asked))
    return found


def _about(text: str) -> Q:
    """Ask for an address with its domain, and for who was erased; or for what begins like it."""
    try:
        address = parse_address(text)
    except BadAddress:
        return Q(key__startswith=text.lower().lstrip("@"))
    return Q(key__in=[address.key, address.domain]) | Q(digest=subject(address.key))


def _lifted(text: str) -> "QuerySet[LiftedSuppression]":
    try:
        key = parse_address(text).key
    except BadAddress:
        key = text.lower().lstrip("@")
    return LiftedSuppression.objects.filter(key=key).order_by("-pk")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def suppression_add(request: HttpRequest) -> HttpResponse:
    """Add addresses and domains, one on each line."""
    form = SuppressManyForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        keys = form.cleaned_data["entries"]
        new = suppress_all(
            keys,
            reason=SuppressionReason(form.cleaned_data["reason"]),
            source="; ".join(filter(None, [form.cleaned_data["source"], added_by(request)])),
            now=timezone.now(),
        )
        known = len(keys) - new
        said = _("%(new)s added; %(known)s were there already.")
        messages.success(request, said % {"new": number(new), "known": number(known)})
        return redirect("recipients:suppression_list")
    context = {"form": form, "meaning": PASTED}
    status = 422 if form.errors else 200
    return render(request, "recipients/suppression_add.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def suppression_lift(request: HttpRequest, pk: int) -> HttpResponse:
    entry = get_object_or_404(Suppression, pk=pk)
    form = LiftForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            lift_entry(request, entry, why=form.cleaned_data["why"])
        except NotLifted as refusal:
            form.add_error(None, sentence(refusal))
        else:
            messages.success(request, _("%(name)s can be mailed again.") % {"name": entry.key})
            return redirect("recipients:suppression_list")
    facts: list[tuple[str, Any]] = [
        (_("Reason"), entry.get_reason_display()),
        (_("Source"), entry.said or _("unknown")),
        (_("Since"), moment(entry.created_at)),
    ]
    meaning = _COMPLAINT if entry.reason == SuppressionReason.COMPLAINT else _MEANING
    verb = Verb(_LIFT, meaning, _LIFT, is_final=True)
    back = reverse("recipients:suppression_list")
    whom = entry.key or _("Somebody who was erased")
    return verb_page(request, verb, form, back=back, of=whom, facts=facts)


def lift_entry(request: HttpRequest, entry: Suppression, *, why: str) -> None:
    """Lift it, as far as this user may.

    :raises NotLifted: nobody may, or this user may not.
    """
    if entry.key is None:
        raise NotLifted(_("they asked to be forgotten; only they themselves may come back"))
    lift(
        entry.key,
        why=why,
        by=request.user.get_username(),
        even_complaints=request.user.has_perm("recipients.lift_complaint"),
        now=timezone.now(),
    )


_ADDED = kept("added by %(who)s")


def added_by(request: HttpRequest) -> str:
    """Say who added it, without an address: this may come into the consent ledger."""
    name = request.user.get_username()
    return _ADDED % {"who": f"staff {request.user.pk}" if "@" in name else name}
