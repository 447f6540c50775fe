"""A message as a page: what its recipient got, for browsers that show more than mail programs."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
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
from tracking.models import Delivery


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


@require_safe
def links(request: HttpRequest) -> HttpResponse:
    """Say that the links of a message work in the message itself."""
    return _guarded(render(request, "campaigns/view_links.html"))


def _content(delivery: Delivery, recipient: Recipient) -> Rendered:
    run = Run.objects.select_related("campaign__sender").filter(pk=delivery.run_id).first()
    if run is None:
        raise people.Unknown
    _, list_name = audience_of(run)
    personal_url = settings.SITE_URL + reverse("campaigns:links")
    claimed = Claimed(
        delivery.pk,
        delivery.address,
        recipient.fields,
        delivery.attempts,
        recipient.language,
        recipient.time_zone,
    )
    return PersonalContent(run, list_name=list_name).render_page(claimed, personal_url=personal_url)


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
