"""Recipients: who answers to a filter, and the page of one."""

from typing import Any

from django.contrib import messages
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from recipients import people
from recipients.finding import Filter, suppressions_of
from recipients.forms.finding import FilterForm
from recipients.forms.person import AddForm, ChangeForm, SubscribeForm
from recipients.models import (
    ConsentEvent,
    Field,
    MailingList,
    Recipient,
    Subscription,
    SubscriptionState,
)
from recipients.models.lists import hidden_lists
from recipients.paging import NEWER, OLDER, SIZE, KeyPage, key_page
from recipients.patience import PATIENCE, TookTooLong, at_most
from recipients.segments.grammar import BadRules
from recipients.sentences import sentence
from recipients.views.bulk import acts_of
from recipients.views.declaring import source_of
from recipients.views.seen import lists_of, recipients_of, segments_of

EVENTS = 20


@require_safe
@never_cache
def recipient_list(request: HttpRequest) -> HttpResponse:
    """Show who answers to the filter that stands in the address, fifty at a time."""
    form = FilterForm(request.GET, lists=lists_of(request), segments=segments_of(request))
    context: dict[str, Any] = {"form": form, "acts": acts_of(request)}
    if form.is_valid():
        context |= _found(request, form)
    return render(request, "recipients/recipient_list.html", context)


def _found(request: HttpRequest, form: FilterForm) -> dict[str, Any]:
    asked = form.asked()
    filled = form.filled()
    found: dict[str, Any] = {
        "filled": filled,
        "chips": [(label, words, _without(request, name)) for name, label, _v, words in filled],
        "is_by_address": asked.is_by_address,
    }
    try:
        with at_most(seconds=PATIENCE):
            matching = asked.apply(recipients_of(request), now=timezone.now())
            found["page"] = _page(matching, asked, request)
            if "count" in request.GET:
                found["count"] = matching.count()
    except BadRules as error:
        found["problem"] = sentence(f"{asked.segment}: {error}")
    except TookTooLong:
        found["problem"] = _("That takes too long. Narrow it down: by a list, or by an address.")
    if found.get("page"):
        found["suppressions"] = suppressions_of(found["page"].rows)
    return found


def _without(request: HttpRequest, name: str) -> str:
    """Return the query string without one part of the filter, from the first page on."""
    query = request.GET.copy()
    for each in (name, OLDER, NEWER, "count"):
        query.pop(each, None)
    return query.urlencode()


def _page(
    matching: "QuerySet[Recipient]", asked: Filter, request: HttpRequest
) -> KeyPage[Recipient]:
    subscriptions = Subscription.objects.select_related("mailing_list").order_by("mailing_list")
    shown = matching.prefetch_related(
        Prefetch("subscription_set", subscriptions.filter(mailing_list__in=lists_of(request))),
        "tags",
    )
    if asked.is_by_address:
        # By the index that finds them; whoever wants others types more of the address.
        return KeyPage(list(shown.order_by("key")[:SIZE]), newer=None, older=None)
    return key_page(shown, request.GET)


# --- one person -----------------------------------------------------------------------------------


@require_safe
@never_cache
def recipient_detail(request: HttpRequest, pk: int) -> HttpResponse:
    recipient = get_object_or_404(recipients_of(request), pk=pk)
    context = {
        "recipient": recipient,
        "subscriptions": _subscriptions(request, recipient),
        "suppression": suppressions_of([recipient]).get(pk),
        "values": _values(recipient),
        "events": _events(request, recipient),
        "sees_all_lists": not hidden_lists(request.user),
    }
    return render(request, "recipients/recipient_detail.html", context)


_MAY_SEE_CONSENT = "recipients.view_consentevent"


def _subscriptions(request: HttpRequest, recipient: Recipient) -> "QuerySet[Subscription]":
    on_lists = recipient.subscription_set.filter(mailing_list__in=lists_of(request))
    return on_lists.select_related("mailing_list").order_by("mailing_list__name")


def _values(recipient: Recipient) -> list[tuple[str, Any]]:
    known = Field.objects.order_by("name").values_list("name", flat=True)
    names = [*known, *sorted(set(recipient.fields) - set(known))]
    return [(name, recipient.fields.get(name, "")) for name in names]


def _events(request: HttpRequest, recipient: Recipient) -> list[tuple[ConsentEvent, str]] | None:
    """Return the newest events with what each is about; None where they are not to be seen."""
    if not request.user.has_perm(_MAY_SEE_CONSENT):
        return None
    events = ConsentEvent.objects.filter(recipient_id=recipient.pk)
    shown = events.exclude(mailing_list_id__in=hidden_lists(request.user))
    return _with_lists(shown.order_by("-pk")[:EVENTS])


def _with_lists(events: "QuerySet[ConsentEvent]") -> list[tuple[ConsentEvent, str]]:
    ids = {each.mailing_list_id for each in events if each.mailing_list_id}
    names = dict(MailingList.objects.filter(pk__in=ids).values_list("pk", "name"))
    gone = _("a list that is gone")
    return [
        (each, names.get(each.mailing_list_id, gone) if each.mailing_list_id else each.purpose)
        for each in events
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def recipient_add(request: HttpRequest) -> HttpResponse:
    form = AddForm(request.POST if request.method == "POST" else None, lists=lists_of(request))
    known = None
    if form.is_valid():
        given = form.cleaned_data
        try:
            recipient = people.add(
                form.typed(),
                lists=given["lists"],
                source=source_of(request, given["declaration"]),
                now=timezone.now(),
            )
        except people.NotSaved as refusal:
            there = recipients_of(request).filter(pk=getattr(refusal, "pk", 0))
            known = there.first()
            form.add_error("address", sentence(refusal))
        else:
            messages.success(request, _("%(name)s is added.") % {"name": recipient})
            if recipients_of(request).filter(pk=recipient.pk).exists():
                return redirect(page_of(recipient))
            return redirect("recipients:recipient_list")  # on no list that this user sees
    context = {"form": form, "known": known}
    return _form_page(request, "recipients/recipient_add.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def recipient_edit(request: HttpRequest, pk: int) -> HttpResponse:
    recipient = get_object_or_404(recipients_of(request), pk=pk)
    form = ChangeForm(request.POST if request.method == "POST" else None, recipient=recipient)
    if form.is_valid():
        try:
            people.change(pk, form.typed(), seen=form.cleaned_data["seen"])
        except people.NotSaved as refusal:
            form.add_error(None, sentence(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("recipients:recipient_detail", pk)
    context = {"form": form, "recipient": recipient}
    return _form_page(request, "recipients/recipient_edit.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def recipient_subscribe(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a recipient on a list, because staff declare that the person agreed."""
    recipient = get_object_or_404(recipients_of(request), pk=pk)
    form = SubscribeForm(
        request.POST if request.method == "POST" else None, lists=lists_of(request)
    )
    if form.is_valid():
        given = form.cleaned_data
        mailing_list, source = given["mailing_list"], source_of(request, given["declaration"])
        if people.subscribe([pk], mailing_list, source=source, now=timezone.now()):
            messages.success(request, _("On the list %(name)s now.") % {"name": mailing_list})
            return redirect("recipients:recipient_detail", pk)
        form.add_error("mailing_list", _why_not(recipient, mailing_list))
    context = {"form": form, "recipient": recipient}
    return _form_page(request, "recipients/recipient_subscribe.html", context)


def _why_not(recipient: Recipient, mailing_list: MailingList) -> str:
    left = recipient.subscription_set.filter(
        mailing_list=mailing_list, state=SubscriptionState.UNSUBSCRIBED
    )
    if left.exists():
        return _("They have left this list; only they themselves may come back, by a sign-up form.")
    return _("They are on this list already.")


def _form_page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, template, context, status=422 if context["form"].errors else 200)


def page_of(recipient: Recipient) -> str:
    return reverse("recipients:recipient_detail", args=[recipient.pk])
