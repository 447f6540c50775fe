"""Webhooks: who is told what, how calls ended, and having them made again."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campaigns.forms.webhooks import EndpointForm, ReplayForm
from campaigns.webhooks import endpoints
from campaigns.webhooks.endpoints import Made, Refused
from campaigns.webhooks.patience import GIVE_UP
from recipients.models.lists import hidden_lists
from recipients.paging import key_of, key_page
from recipients.sentences import sentence
from tracking.models import CallState, Endpoint, EndpointQuerySet, Happened
from tracking.models.outgoing import TEST

KINDS = {**dict(Happened.choices), TEST: gettext_lazy("a test")}


@require_safe
def webhook_list(request: HttpRequest) -> HttpResponse:
    context = {"endpoints": _endpoints(request).order_by("name"), "may_add": _may_add(request)}
    return render(request, "campaigns/webhook_list.html", context)


def _may_add(request: HttpRequest) -> bool:
    """Whether they may, and see everybody: a webhook tells of all."""
    return request.user.has_perm("tracking.add_endpoint") and not hidden_lists(request.user)


def _endpoints(request: HttpRequest) -> EndpointQuerySet:
    return Endpoint.objects.visible_to(request.user)


def _found(request: HttpRequest, pk: int) -> Endpoint:
    return get_object_or_404(_endpoints(request), pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def webhook_new(request: HttpRequest) -> HttpResponse:
    """Make a webhook; the page that answers is the only one that ever shows its secret."""
    if not _may_add(request):
        raise PermissionDenied
    form = EndpointForm(request.POST or None, initial={"kinds": Happened.values})
    del form.fields["is_active"]  # it is, until somebody switches it off
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        made = endpoints.create_endpoint(typed["name"], url=typed["url"], kinds=typed["kinds"])
        return _shown(request, made)
    return _form_page(request, form, None)


def _form_page(request: HttpRequest, form: EndpointForm, endpoint: Endpoint | None) -> HttpResponse:
    context = {"form": form, "endpoint": endpoint}
    status = 422 if form.errors else 200
    return render(request, "campaigns/webhook_edit.html", context, status=status)


def _shown(request: HttpRequest, made: Made) -> HttpResponse:
    return render(request, "campaigns/webhook_secret.html", {"made": made})


@require_safe
def webhook_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how a webhook stands and its log, the newest calls first."""
    endpoint = _found(request, pk)
    state, kind = request.GET.get("state", ""), request.GET.get("kind", "")
    calls = endpoint.calls.matching(
        state=state if state in CallState.values else None, kind=kind if kind in KINDS else None
    )
    context = {
        "endpoint": endpoint,
        "page": key_page(calls, request.GET),
        "states": CallState.choices,
        "kinds": [(kind, capfirst(name)) for kind, name in KINDS.items()],
        "wanted": [KINDS[each] for each in endpoint.kinds],
        "asked": {"state": state, "kind": kind},
        "switched_off_at": _switched_off_at(endpoint),
        "has_given_up": endpoint.calls.given_up().exists(),
        "replay": ReplayForm(initial={"since": timezone.localdate() - timedelta(days=1)}),
        "may_change": request.user.has_perm("tracking.change_endpoint"),
        "may_delete": request.user.has_perm("tracking.delete_endpoint"),
    }
    return render(request, "campaigns/webhook_detail.html", context)


def _switched_off_at(endpoint: Endpoint) -> datetime | None:
    """Return when it is switched off, if nothing succeeds until then."""
    return endpoint.failing_since + GIVE_UP if endpoint.failing_since else None


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_edit(request: HttpRequest, pk: int) -> HttpResponse:
    endpoint = _found(request, pk)
    form = EndpointForm(request.POST or None, instance=_found(request, pk))
    if request.method == "POST" and form.is_valid():
        endpoints.change_endpoint(endpoint, now=timezone.now(), **form.cleaned_data)
        messages.success(request, _("Saved: %s.") % form.cleaned_data["name"])
        return redirect("campaigns:webhook_detail", pk)
    return _form_page(request, form, endpoint)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def webhook_secret(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a webhook another secret, which the answer shows once."""
    endpoint = _found(request, pk)
    if request.method == "POST":
        return _shown(request, endpoints.renew_secret(endpoint, now=timezone.now()))
    return render(request, "campaigns/webhook_renew.html", {"endpoint": endpoint})


@require_POST
def webhook_test(request: HttpRequest, pk: int) -> HttpResponse:
    def test(endpoint: Endpoint) -> str:
        endpoints.send_test(endpoint, now=timezone.now())
        return _("A test is sent; its answer stands below in a moment.")

    return _done(request, pk, test)


@require_POST
def webhook_replay(request: HttpRequest, pk: int) -> HttpResponse:
    """Have one call made again, or all that were given up since a day."""
    now = timezone.now()

    def replay(endpoint: Endpoint) -> str:
        if call := key_of(request.POST.get("call", "")):
            count = endpoints.replay(endpoint, ids=[call], now=now)
        else:
            form = ReplayForm(request.POST)
            if not form.is_valid():
                raise Refused(_("Name a day."))
            day = datetime.combine(form.cleaned_data["since"], time())
            count = endpoints.replay_given_up(endpoint, since=timezone.make_aware(day), now=now)
        said = ngettext("%(count)s call is made again.", "%(count)s calls are made again.", count)
        return said % {"count": count}

    return _done(request, pk, replay)


def _done(request: HttpRequest, pk: int, act: Callable[[Endpoint], str]) -> HttpResponse:
    endpoint = _found(request, pk)
    try:
        messages.success(request, act(endpoint))
    except Refused as refusal:
        messages.error(request, sentence(refusal))
    return redirect("campaigns:webhook_detail", pk)


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_delete(request: HttpRequest, pk: int) -> HttpResponse:
    endpoint = _found(request, pk)
    if request.method == "POST":
        endpoints.delete_endpoint(endpoint)
        messages.success(request, _("Deleted: %s.") % endpoint)
        return redirect("campaigns:webhook_list")
    context: dict[str, Any] = {"endpoint": endpoint}
    return render(request, "campaigns/webhook_delete.html", context)
