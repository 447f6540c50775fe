from collections.abc import Mapping

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from recipients import signup
from recipients.forms.custom import in_words
from recipients.models import Notice, Recipient
from recipients.models.signup import CONFIRM_WITHIN
from recipients.origin import origin_of
from recipients.values import Value
from tracking import people
from tracking.forms import ListsForm
from tracking.links import notice_preferences_url


@login_not_required
@csrf_exempt  # the token is the permission, and there is no cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Show which lists wait for this person (GET), or confirm those that were shown (POST).

    A link checker that follows the link confirms nothing.
    """
    try:
        notice = people.notice_of(token)
    except people.Unknown:
        return render(request, "tracking/link_unknown.html", status=404)
    now = timezone.now()
    if now - notice.created_at > CONFIRM_WITHIN:
        return render(request, "tracking/confirm_expired.html", {"form": notice.form}, status=410)
    if request.method == "POST":
        shown = ListsForm(request.POST).ids()
        try:
            signup.confirm(notice, lists=shown, origin=origin_of(request), now=now)
        except Recipient.DoesNotExist:  # erased or merged at this moment
            return render(request, "tracking/link_unknown.html", status=404)
    return _page(request, notice, was_done=request.method == "POST")


def _in_words(answers: Mapping[str, Value]) -> dict[str, Value]:
    said = {True: "yes", False: "no"}
    return {
        in_words(name): said[value] if isinstance(value, bool) else value
        for name, value in answers.items()
    }


def _page(request: HttpRequest, notice: Notice, *, was_done: bool) -> HttpResponse:
    now = timezone.now()
    context = {
        "address": notice.recipient.address,
        "lists": signup.to_confirm(notice.recipient, now=now).order_by("name"),
        "answers": _in_words(signup.answers(notice.recipient, now=now)),
        "confirmed": signup.confirmed(notice.recipient),
        "was_done": was_done,
        "preferences_url": notice_preferences_url(notice.pk),
    }
    return render(request, "tracking/confirm.html", context)
