"""Exports of recipients: who took out whom; the file is for who asked for it."""

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from recipients import exporting, noting
from recipients.paging import key_page
from recipients.views.seen import exports_of


@require_safe
@never_cache
def export_list(request: HttpRequest) -> HttpResponseBase:
    now = timezone.now()
    page = key_page(exports_of(request), request.GET)
    shown = [
        (each, each.created_by == request.user and exporting.can_be_fetched(each, now=now))
        for each in page.rows
    ]
    return render(request, "recipients/export_list.html", {"page": page, "shown": shown})


@require_safe
@never_cache
def export_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Hand the file to the one who asked for it, as long as it is there."""
    export = exports_of(request).filter(pk=pk, created_by=request.user.pk).first()
    if export is None:
        raise Http404
    if not exporting.can_be_fetched(export, now=timezone.now()):
        messages.error(request, _("There is no file any more, or not yet. Ask for a new export."))
        return redirect("recipients:export_list")
    noting.note("downloaded", kind="recipients.export", pk=export.pk, name=export.what)
    name = f"recipients-{export.pk}.{export.format}"
    return FileResponse(export.file.open("rb"), as_attachment=True, filename=name)
