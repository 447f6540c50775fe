"""A message as a page, for browsers that show more than mail programs; and where its links lead."""

import logging
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from campaigns.models import Run
from campaigns.sending.claim import Claimed
from campaigns.sending.mailing import PersonalContent, audience_of
from recipients.models import Recipient
from templates_app.rendering import NotPlain, Rendered, RenderError
from tracking import people
from tracking.hits.answers import AWAY
from tracking.models import Delivery, Link
from tracking.places import Unfit, home_of, is_personal, location, personal_location
from tracking.tokens import Hit

logger = logging.getLogger(__name__)


@login_not_required
@never_cache
@require_safe
def view(request: HttpRequest, token: str) -> HttpResponse:
    """Show a message to its recipient, and to whom they pass the address on; nothing is written.

    It says what the message says. Its links to unsubscribe and to the preferences lead to a page
    that says where they are: who was passed a page is not to act in the recipient's name.
    """
    try:
        content = _content(*people.message_of(token))
    except people.Unknown:
        return _guarded(render(request, "tracking/link_unknown.html", status=404))
    except (RenderError, NotPlain):
        # A field without which the content cannot be is not there any more.
        return _guarded(render(request, "campaigns/view_gone.html", status=410))
    if content.html:
        return _guarded(HttpResponse(content.html))
    return _guarded(render(request, "campaigns/view_text.html", {"content": content}))


@login_not_required
@require_safe
def links(request: HttpRequest) -> HttpResponse:
    """Say that the links of a message work in the message itself."""
    return _guarded(render(request, "campaigns/view_links.html"))


@login_not_required
@never_cache
@require_safe
def follow(request: HttpRequest, token: str, number: int) -> HttpResponse:
    """Lead to where a link of a message leads; nothing is written.

    What is in front of Django (`tracking.hits`) has noted the click, and answers for links that
    are the same for all. For the others the recipient's present fields are needed.
    """
    try:
        return _guarded(_follow(request, token, number))
    except (InterfaceError, OperationalError):
        logger.exception("A link cannot be looked up")
        return HttpResponse(AWAY.body, status=AWAY.code, headers=dict(AWAY.headers))


def _follow(request: HttpRequest, token: str, number: int) -> HttpResponse:
    try:
        hit = people.hit_of(token)
        link = Link.objects.get(version__run=hit.run_id, number=number)
    except (people.Unknown, Link.DoesNotExist):
        return render(request, "tracking/link_unknown.html", status=404)
    try:
        return HttpResponseRedirect(_target(link, hit))
    except (people.Unknown, RenderError, NotPlain, Unfit):
        # The person was erased, or a field is not there any more or no part of an address.
        context = {"home": home_of(link.target)}
        return render(request, "campaigns/link_gone.html", context, status=410)


def _target(link: Link, hit: Hit) -> str:
    if not is_personal(link.target):
        return location(link.target)
    content, claimed = _personal(*people.clicker_of(hit))
    return personal_location(link.target, content.values(claimed), language=link.language)


def _content(delivery: Delivery, recipient: Recipient) -> Rendered:
    content, claimed = _personal(delivery, recipient)
    personal_url = settings.SITE_URL + reverse("campaigns:links")
    return content.render_page(claimed, personal_url=personal_url)


def _personal(delivery: Delivery, recipient: Recipient) -> tuple[PersonalContent, Claimed]:
    run = Run.objects.select_related("campaign__sender").filter(pk=delivery.run_id).first()
    if run is None:
        raise people.Unknown
    _, list_name = audience_of(run)
    claimed = Claimed(
        delivery.pk,
        delivery.address,
        recipient.fields,
        delivery.attempts,
        recipient.language,
        recipient.time_zone,
    )
    return PersonalContent(run, list_name=list_name), claimed


def _guarded(response: HttpResponse) -> HttpResponse:
    """Let the page run nothing, load images alone, tell nobody where it is, and not be found."""
    site = urlsplit(settings.SITE_URL)
    origin = f"{site.scheme}://{site.netloc}"
    response["Content-Security-Policy"] = (
        # Links of mail open a new tab, which is a page like any other.
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
        f"img-src https: data: {origin}; style-src 'unsafe-inline' {origin}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response["Referrer-Policy"] = "no-referrer"
    response["X-Content-Type-Options"] = "nosniff"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
