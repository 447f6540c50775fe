from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotFound
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from recipients.origin import origin_of
from tracking import people, services, unconfirmed
from tracking.forms import DepartureForm
from tracking.links import UNKNOWN, preferences_url, reason_url
from tracking.models import Delivery

_USED = gettext_noop("its unsubscribe link was used")
ONE_CLICK = ("List-Unsubscribe", "One-Click")


@login_not_required
@csrf_exempt  # the token is the permission; a mail program has no cookie (RFC 8058 3.1)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show what would be unsubscribed from (GET), or do it (POST).

    A mail program posts `List-Unsubscribe=One-Click` and gets plain text; the buttons of the page
    post the same, with `scope`. A link checker that follows the link unsubscribes nobody.
    """
    try:
        delivery = people.delivery_of(token)
    except people.Unknown:
        if request.method == "POST" and "scope" not in request.POST:  # no page of ours has it
            return HttpResponseNotFound(UNKNOWN, content_type="text/plain")
        return render(request, "tracking/link_unknown.html", status=404)
    # Whoever asks, by whatever method, a person or a link checker: the message is there.
    unconfirmed.confirm(delivery.pk, evidence=_USED, now=timezone.now())
    if request.method != "POST":
        return _page(request, delivery)
    name, value = ONE_CLICK
    if request.POST.get(name) != value:
        return HttpResponseBadRequest(f"Expected {name}={value}.\n", content_type="text/plain")
    return _unsubscribe(request, delivery)


def _unsubscribe(request: HttpRequest, delivery: Delivery) -> HttpResponse:
    scope = request.POST.get("scope")
    lists = services.lists_of(delivery)
    leave = services.unsubscribe_from_all if scope == "all" else services.unsubscribe
    leave(delivery, origin=origin_of(request), now=timezone.now())
    if scope is None:
        return HttpResponse("Unsubscribed.\n", content_type="text/plain")
    context = {
        "delivery": delivery,
        "lists": lists,
        "everything": scope == "all",
        "why": DepartureForm(),
        "reason_url": reason_url(delivery.pk),
        "preferences_url": preferences_url(delivery.pk),
    }
    return render(request, "tracking/unsubscribe_done.html", context)


@login_not_required
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reason(request: HttpRequest, token: str) -> HttpResponse:
    """Ask why a person has left (GET), and keep what they say (POST); it is never required."""
    try:
        delivery = people.delivery_of(token)
    except people.Unknown:
        return render(request, "tracking/link_unknown.html", status=404)
    if not services.has_left(delivery):
        return redirect("tracking:unsubscribe", token)
    why = DepartureForm(request.POST if request.method == "POST" else None)
    if not why.is_valid():
        status = 422 if why.is_bound else 200
        return render(request, "tracking/departure.html", {"why": why}, status=status)
    services.keep_reason(delivery, **why.cleaned_data)
    return render(request, "tracking/departure_done.html")


def _page(request: HttpRequest, delivery: Delivery) -> HttpResponse:
    context = {
        "delivery": delivery,
        "lists": services.lists_of(delivery),
        "is_on_no_list": services.is_on_no_list(delivery),
        "is_suppressed": services.is_suppressed(delivery),
        "preferences_url": preferences_url(delivery.pk),
    }
    return render(request, "tracking/unsubscribe.html", context)
