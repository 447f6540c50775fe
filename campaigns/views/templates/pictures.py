"""Pictures of a version: asked for here, taken in the background."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from campaigns import screenshots
from campaigns.tasks import take_screenshots
from campaigns.views.templates.frame import found, version_of
from recipients.hurry import hurry_after_commit


@require_http_methods(["GET", "HEAD", "POST"])
def template_pictures(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Ask for pictures; who opens the address is led to the page that shows them."""
    version = version_of(found(pk), number)
    if request.method == "POST":
        screenshots.ask(version, now=timezone.now())
        hurry_after_commit(take_screenshots.apply_async, (version.pk,))
    return redirect(reverse("campaigns:template_version", args=[pk, number]) + "#pictures")


@require_safe
def template_picture(request: HttpRequest, pk: int, number: int, picture: int) -> HttpResponse:
    version = version_of(found(pk), number)
    taken = version.screenshots.filter(pk=picture, png__isnull=False).first()
    if taken is None or taken.png is None:
        raise Http404
    return HttpResponse(
        bytes(taken.png),
        content_type="image/png",
        headers={"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"},
    )
