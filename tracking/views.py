from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from tracking import services, unconfirmed
from tracking.links import key_ring
from tracking.models import Delivery
from tracking.tokens import BadToken, Kind, read

ONE_CLICK = ("List-Unsubscribe", "One-Click")


@csrf_exempt  # the token is the permission; a mail program has no cookie (RFC 8058 3.1)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show what would be unsubscribed from (GET), or do it (POST).

    A mail program posts `List-Unsubscribe=One-Click` and gets plain text; the buttons of the page
    post the same, with `scope`. A link checker that follows the link changes nothing.
    """
    try:
        delivery_id = read(token, kind=Kind.UNSUBSCRIBE, ring=key_ring())
    except BadToken:
        return render(request, "tracking/unsubscribe_unknown.html", status=404)
    delivery = get_object_or_404(Delivery.objects.select_related("recipient"), pk=delivery_id)
    # Whoever asks, a person or a program: the message is there.
    unconfirmed.confirm(delivery_id, evidence="its unsubscribe link was used", now=timezone.now())
    if request.method != "POST":
        return _page(request, delivery)
    name, value = ONE_CLICK
    if request.POST.get(name) != value:
        return HttpResponseBadRequest(f"Expected {name}={value}.\n", content_type="text/plain")
    return _unsubscribe(request, delivery)


def _unsubscribe(request: HttpRequest, delivery: Delivery) -> HttpResponse:
    scope = request.POST.get("scope")
    lists = services.lists_of(delivery)
    if scope == "all":
        services.unsubscribe_from_all(delivery)
    else:
        services.unsubscribe(delivery)
    if scope is None:
        return HttpResponse("Unsubscribed.\n", content_type="text/plain")
    context = {"delivery": delivery, "lists": lists, "everything": scope == "all"}
    return render(request, "tracking/unsubscribe_done.html", context)


def _page(request: HttpRequest, delivery: Delivery) -> HttpResponse:
    context = {
        "delivery": delivery,
        "lists": services.lists_of(delivery),
        "is_suppressed": services.is_suppressed(delivery),
    }
    return render(request, "tracking/unsubscribe.html", context)
