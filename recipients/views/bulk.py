"""What is done with many recipients at once: those that are ticked, or all who answer to a filter.

The page before it says with how many. Its form carries that number, and where it is another one by
then, nothing is done, and the page says so.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from recipients import exporting, people, tags
from recipients.finding import Filter
from recipients.forms.bulk import ExportForm, LeaveForm, TagForm
from recipients.forms.finding import FilterForm
from recipients.forms.person import SubscribeForm
from recipients.forms.verbs import SuppressForm
from recipients.models import ExportFormat, Recipient, SuppressionReason
from recipients.paging import key_of
from recipients.patience import PATIENCE, TookTooLong, at_most
from recipients.segments.grammar import BadRules
from recipients.sentences import sentence
from recipients.suppression import suppress_all
from recipients.translatable import number
from recipients.views.declaring import source_of
from recipients.views.seen import lists_of, recipients_of, segments_of

MOST = 50_000  # recipients at once: some seconds


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is done with many; what it asks, and who may do it."""

    title: str | Promise
    meaning: str | Promise
    permission: str
    form: Callable[[HttpRequest, Any], forms.Form]
    do: Callable[[HttpRequest, Collection[int], Mapping[str, Any], datetime], str]


# --- the acts -------------------------------------------------------------------------------------


def _tag(
    _request: HttpRequest, ids: Collection[int], given: Mapping[str, Any], _now: datetime
) -> str:
    count = tags.add_tag(Recipient.objects.filter(pk__in=ids), given["tag"])
    return _("Recipients who have the tag %(tag)s: %(count)s.") % _said(count, tag=given["tag"])


def _untag(
    _request: HttpRequest, ids: Collection[int], given: Mapping[str, Any], _now: datetime
) -> str:
    count = tags.remove_tag(Recipient.objects.filter(pk__in=ids), given["tag"])
    return _("Recipients who had the tag %(tag)s: %(count)s.") % _said(count, tag=given["tag"])


def _subscribe(
    request: HttpRequest, ids: Collection[int], given: Mapping[str, Any], now: datetime
) -> str:
    mailing_list, source = given["mailing_list"], source_of(request, given["declaration"])
    count = people.subscribe(ids, mailing_list, source=source, now=now)
    said = _said(count, list=mailing_list, others=len(ids) - count)
    return _("On the list %(list)s now: %(count)s. Others, on it already or gone: %(others)s.") % (
        said
    )


def _unsubscribe(
    request: HttpRequest, ids: Collection[int], given: Mapping[str, Any], now: datetime
) -> str:
    mailing_list = given["mailing_list"]
    count = people.unsubscribe(ids, mailing_list, source=source_of(request), now=now)
    return _("Removed from the list %(list)s: %(count)s.") % _said(count, list=mailing_list)


def _suppress(
    request: HttpRequest, ids: Collection[int], given: Mapping[str, Any], now: datetime
) -> str:
    keys = Recipient.objects.filter(pk__in=ids).values_list("key", flat=True)
    new = suppress_all(
        keys,
        reason=SuppressionReason(given["reason"]),
        source=source_of(request, given["source"]),
        now=now,
    )
    return _("Suppressed: %(count)s; before already: %(others)s.") % _said(
        new, others=len(ids) - new
    )


def _said(count: int, **more: Any) -> dict[str, Any]:
    return {"count": number(count), **more}


ACTS: Mapping[str, Act] = {
    "tag": Act(
        gettext_lazy("Add a tag"),
        "",
        "recipients.change_recipient",
        lambda _request, data: TagForm(data),
        _tag,
    ),
    "untag": Act(
        gettext_lazy("Remove a tag"),
        "",
        "recipients.change_recipient",
        lambda _request, data: TagForm(data),
        _untag,
    ),
    "subscribe": Act(
        gettext_lazy("Put on a list"),
        gettext_lazy(
            "You declare that they agreed to it; the consent ledger keeps that it was you. Who has"
            " left the list stays away."
        ),
        "recipients.change_recipient",
        lambda request, data: SubscribeForm(data, lists=lists_of(request)),
        _subscribe,
    ),
    "unsubscribe": Act(
        gettext_lazy("Remove from a list"),
        gettext_lazy(
            "They leave this list and no other, and stay recipients. Staff cannot take it back: who"
            " has left comes back by themselves."
        ),
        "recipients.change_recipient",
        lambda request, data: LeaveForm(data, lists=lists_of(request)),
        _unsubscribe,
    ),
    "suppress": Act(
        gettext_lazy("Suppress"),
        gettext_lazy(
            "Nobody mails these addresses any more, by whatever list, until it is lifted."
        ),
        "recipients.add_suppression",
        lambda _request, data: SuppressForm(data),
        _suppress,
    ),
}
EXPORT = Act(
    gettext_lazy("Export"),
    gettext_lazy("A worker writes the file; you alone can fetch it, for some days."),
    "recipients.export_recipient",
    lambda _request, data: ExportForm(data),
    lambda *_given: "",
)


def acts_of(request: HttpRequest) -> list[tuple[str, str | Promise]]:
    """Return what this user may do with several, for a select."""
    acts = {**ACTS, "export": EXPORT}
    return [
        (name, act.title) for name, act in acts.items() if request.user.has_perm(act.permission)
    ]


# --- the page -------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def recipient_bulk(request: HttpRequest) -> HttpResponse:
    """Say with how many something would be done, or do it."""
    name = request.POST.get("act", "")
    act = {**ACTS, "export": EXPORT}.get(name)
    if act is None:
        return redirect("recipients:recipient_list")
    if not request.user.has_perm(act.permission):
        raise PermissionDenied
    asked, problem = _asked(request)
    if asked is None:
        messages.error(request, problem)
        return redirect("recipients:recipient_list")
    try:
        return _answer(request, act, asked)
    except BadRules as error:
        messages.error(request, sentence(f"{asked.segment}: {error}"))
    except TookTooLong:
        messages.error(request, _("That takes too long. Narrow it down: by a list, or by a tag."))
    return redirect("recipients:recipient_list")


def _asked(request: HttpRequest) -> tuple[Filter | None, str]:
    """Return whom it is about, or why that cannot be said."""
    if request.POST.get("whom") != "matching":
        picked = map(key_of, request.POST.getlist("pick"))
        ids = frozenset(key for key in picked if key is not None)
        return (Filter(ids=ids), "") if ids else (None, _("Nobody was ticked; nothing was done."))
    form = FilterForm(request.POST, lists=lists_of(request), segments=segments_of(request))
    if not form.is_valid():
        return None, _("What the filter names is not there any more; nothing was done.")
    return form.asked(), ""


@transaction.atomic
def _answer(request: HttpRequest, act: Act, asked: Filter) -> HttpResponse:
    expected = request.POST.get("expected", "")
    form = _form(request, act, request.POST if expected else None)
    now = timezone.now()
    with at_most(seconds=PATIENCE):
        matching = asked.apply(recipients_of(request), now=now)
        if act is EXPORT:
            ids, count = [], matching.count()
        else:
            ids = list(matching.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
            count = len(ids)
    if count > MOST and act is not EXPORT:
        most = number(MOST)
        messages.error(
            request, _("At most %(most)s at once; narrow the filter down.") % {"most": most}
        )
        return redirect("recipients:recipient_list")
    if not expected:
        return _page(request, act, form, count)
    if expected != str(count):
        return _page(request, act, _form(request, act, None), count, was=expected)
    if not form.is_valid():
        return _page(request, act, form, count)
    if act is EXPORT:
        return _export(request, asked, form, now=now)
    messages.success(request, act.do(request, ids, form.cleaned_data, now))
    return redirect(_back(request))


def _back(request: HttpRequest) -> str:
    """Return the address of the list as it was filtered."""
    query = QueryDict(mutable=True)
    for name in FilterForm.base_fields:
        if value := request.POST.get(name):
            query[name] = value
    return reverse("recipients:recipient_list", query=query or None)


def _form(request: HttpRequest, act: Act, data: Any) -> forms.Form:
    form = act.form(request, data)
    form.prefix = "do"  # a tag is also a part of the filter, which is in the same page
    return form


def _export(
    request: HttpRequest, asked: Filter, form: forms.Form, *, now: datetime
) -> HttpResponse:
    exporting.ask_for(
        asked, form=ExportFormat(form.cleaned_data["format"]), by=request.user, now=now
    )
    messages.success(request, _("It is written in the background; its link stands here then."))
    return redirect("recipients:export_list")


def _page(
    request: HttpRequest, act: Act, form: forms.Form, count: int, *, was: str = ""
) -> HttpResponse:
    names = {"act", "whom", "pick", *FilterForm.base_fields}
    kept = [(name, each) for name in sorted(names) for each in request.POST.getlist(name)]
    context = {
        "act": act,
        "form": form,
        "count": count,
        "was": was,
        "kept": kept,
        "back": _back(request),
    }
    status = 409 if was else 422 if form.errors else 200
    return render(request, "recipients/recipient_bulk.html", context, status=status)
