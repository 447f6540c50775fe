"""Lists: how large, how people come onto them, who came last; and their sign-up forms."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from recipients import signup
from recipients.forms.embedding import embeddable, url_of
from recipients.forms.lists import ListForm, SignupEditForm
from recipients.models import MailingList, SignupForm, Subscription, SubscriptionState
from recipients.paging import SIZE
from recipients.views.seen import lists_of

COUNTED = 10_000  # so far a list is counted in the table of all of them: some milliseconds each
COUNTED_ALONE = 100_000  # and on its own page
NEWEST = 10

_WITH_FORM = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@never_cache
def list_list(request: HttpRequest) -> HttpResponse:
    lists = lists_of(request).annotate(open_forms=Count("forms", filter=Q(forms__is_open=True)))
    page = Paginator(lists, SIZE).get_page(request.GET.get("page"))
    sizes = [(each, *_size(each, SubscriptionState.CONFIRMED, COUNTED)) for each in page]
    return render(request, "recipients/list_list.html", {"page": page, "sizes": sizes})


def _size(mailing_list: MailingList, state: str, most: int) -> tuple[int, bool]:
    """Return how many stand so with a list, and whether there are more than are counted."""
    on_list = Subscription.objects.filter(mailing_list=mailing_list, state=state)
    count = on_list.order_by()[: most + 1].count()
    return min(count, most), count > most


@require_safe
@never_cache
def list_detail(request: HttpRequest, pk: int) -> HttpResponse:
    mailing_list = get_object_or_404(lists_of(request), pk=pk)
    context: dict[str, Any] = {
        "list": mailing_list,
        "forms": [(each, url_of(each)) for each in mailing_list.forms.order_by("title")],
        "standings": [
            (state, label, *_size(mailing_list, state, COUNTED_ALONE))
            for state, label in SubscriptionState.choices
        ],
    }
    if request.user.has_perm("recipients.view_recipient"):
        # By the index of the list, which is in order of the recipients.
        on_list = mailing_list.subscription_set.filter(state=SubscriptionState.CONFIRMED)
        context["newest"] = on_list.select_related("recipient").order_by("-recipient_id")[:NEWEST]
    return render(request, "recipients/list_detail.html", context)


@_WITH_FORM
@never_cache
def list_add(request: HttpRequest) -> HttpResponse:
    return _edit(request, MailingList(), _("New list"))


@_WITH_FORM
@never_cache
def list_edit(request: HttpRequest, pk: int) -> HttpResponse:
    mailing_list = get_object_or_404(lists_of(request), pk=pk)
    return _edit(request, mailing_list, _("Edit %(name)s") % {"name": mailing_list})


def _edit(request: HttpRequest, mailing_list: MailingList, title: str) -> HttpResponse:
    form = ListForm(request.POST if request.method == "POST" else None, instance=mailing_list)
    if form.is_valid():
        form.save()
        messages.success(request, _("%(name)s is saved.") % {"name": mailing_list})
        return redirect("recipients:list_detail", mailing_list.pk)
    context = {"form": form, "title": title, "list": mailing_list}
    status = 422 if form.errors else 200
    return render(request, "recipients/list_edit.html", context, status=status)


# --- sign-up forms --------------------------------------------------------------------------------


@_WITH_FORM
@never_cache
def signup_add(request: HttpRequest, pk: int) -> HttpResponse:
    mailing_list = get_object_or_404(lists_of(request), pk=pk)
    form = SignupForm(mailing_list=mailing_list, title=mailing_list.name)
    return _edit_signup(request, form, _("New sign-up form"))


@_WITH_FORM
@never_cache
def signup_edit(request: HttpRequest, pk: int, form_pk: int) -> HttpResponse:
    mailing_list = get_object_or_404(lists_of(request), pk=pk)
    form = get_object_or_404(mailing_list.forms, pk=form_pk)
    return _edit_signup(request, form, _("Edit %(name)s") % {"name": form})


def _edit_signup(request: HttpRequest, signup_form: SignupForm, title: str) -> HttpResponse:
    form = SignupEditForm(request.POST if request.method == "POST" else None, instance=signup_form)
    if form.is_valid():
        saved = form.save()
        signup.publish(saved)
        messages.success(request, _("%(name)s is saved.") % {"name": saved})
        return redirect("recipients:signup_edit", saved.mailing_list_id, saved.pk)
    context = {
        "form": form,
        "title": title,
        "list": signup_form.mailing_list,
        "url": url_of(signup_form) if signup_form.pk else "",
        "snippet": embeddable(signup_form) if signup_form.pk and not form.errors else "",
    }
    status = 422 if form.errors else 200
    return render(request, "recipients/signup_edit.html", context, status=status)
