"""Pictures of a version: asked for here, taken in the background."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from campaigns import screenshots
from campaigns.admin.templates.history import version_of, version_to_edit
from campaigns.tasks import take_screenshots
from recipients.hurry import hurry_after_commit


def ask_for(
    model_admin: Any, request: HttpRequest, *, template_id: int, number: int
) -> HttpResponse:
    version = version_to_edit(model_admin, request, template_id=template_id, number=number)
    if request.method == "POST":
        screenshots.ask(version, now=timezone.now())
        hurry_after_commit(take_screenshots.apply_async, (version.pk,))
    page = reverse("admin:templates_app_emailtemplate_version", args=[template_id, number])
    return HttpResponseRedirect(f"{page}#pictures")


def image(
    model_admin: Any, request: HttpRequest, *, template_id: int, number: int, picture_id: int
) -> HttpResponse:
    version = version_of(model_admin.template(request, template_id), number)
    picture = version.screenshots.filter(pk=picture_id, png__isnull=False).first()
    if picture is None or picture.png is None:
        raise Http404
    return HttpResponse(
        bytes(picture.png),
        content_type="image/png",
        headers={"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"},
    )
