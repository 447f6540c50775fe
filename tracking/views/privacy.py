from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from recipients import privacy as known_of
from recipients.handout import CONTENT_TYPES, HandoutFormat, written
from recipients.models import Recipient
from recipients.recognising import kept
from tracking import people

SOURCE = kept("the person, by a link mailed to the address")


@login_not_required
@csrf_exempt  # the token is the permission, and there is no cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def privacy(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is known of a person (GET); hand it out, or erase it (POST).

    A link checker that follows the link does nothing, and to erase it takes a tick as well.
    """
    try:
        recipient = people.asker_of(token, now=timezone.now())
    except people.Unknown:
        return render(request, "tracking/link_unknown.html", status=404)
    except people.Expired:
        return render(request, "tracking/privacy_expired.html", status=410)
    wanted = request.POST.get("do", "")
    if wanted in HandoutFormat:
        return _handed_out(recipient, HandoutFormat(wanted))
    if wanted != "erase":
        return _page(request, recipient)
    if "sure" not in request.POST:
        return _page(request, recipient, problem="Tick the box first; nothing was erased.")
    known_of.erase(recipient.key, source=SOURCE, now=timezone.now())
    return render(request, "tracking/privacy_erased.html")


def _handed_out(recipient: Recipient, form: HandoutFormat) -> HttpResponse:
    known = known_of.known(known_of.person(recipient.key))
    headers = {"Content-Disposition": f'attachment; filename="known.{form}"'}
    return HttpResponse(written(known, form), content_type=CONTENT_TYPES[form], headers=headers)


def _page(request: HttpRequest, recipient: Recipient, *, problem: str = "") -> HttpResponse:
    known = known_of.known(known_of.person(recipient.key))
    context = {"address": recipient.address, "known": known, "problem": problem}
    status = 422 if problem else 200
    return render(request, "tracking/privacy.html", context, status=status)
