from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from recipients import preferences as chosen
from recipients import privacy
from recipients.models import Recipient, SignupForm
from recipients.origin import origin_of
from tracking import people, services
from tracking.forms import PreferencesForm
from tracking.models import Delivery


@login_not_required
@csrf_exempt  # the token is the permission, and there is no cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Show what a person gets, and in which way (GET), or change it (POST)."""
    try:
        person = people.person_of(token)
    except people.Unknown:
        return render(request, "tracking/link_unknown.html", status=404)
    if request.method != "POST":
        return _page(request, person, PreferencesForm(person))
    try:
        return _change(request, person, people.preferences_delivery_of(token))
    except Recipient.DoesNotExist:  # erased or merged at this moment
        return render(request, "tracking/link_unknown.html", status=404)


def _change(request: HttpRequest, person: Recipient, delivery: Delivery | None) -> HttpResponse:
    origin, now = origin_of(request), timezone.now()
    if "nothing" in request.POST:
        services.want_nothing(person, delivery=delivery, origin=origin, now=now)
        return _page(request, person, PreferencesForm(person))
    if "known" in request.POST:
        privacy.ask(person, now)
        return _page(request, person, PreferencesForm(person), is_asked=True)
    typed = PreferencesForm(person, request.POST)
    if not typed.is_whole():
        return _page(request, person, PreferencesForm(person), status=400, is_in_part=True)
    if not typed.is_valid():
        return _page(request, person, typed, status=422)
    services.choose(person, typed.choice(), delivery=delivery, origin=origin, now=now)
    person.refresh_from_db()
    return _page(request, person, PreferencesForm(person), is_saved=True)


def _page(
    request: HttpRequest,
    person: Recipient,
    typed: PreferencesForm,
    *,
    status: int = 200,
    is_saved: bool = False,
    is_asked: bool = False,
    is_in_part: bool = False,
) -> HttpResponse:
    context = {
        "address": person.address,
        "typed": typed,
        "is_saved": is_saved,
        "is_asked": is_asked,
        "is_in_part": is_in_part,
        "is_suppressed": chosen.is_suppressed(person),
        "forms": SignupForm.objects.filter(is_open=True, mailing_list__is_public=True),
    }
    return render(request, "tracking/preferences.html", context, status=status)
