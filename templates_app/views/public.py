"""What messages show: images of the library, and files that a template links to."""

import logging
import re

from django.contrib.auth.decorators import login_not_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from templates_app.media import storing
from templates_app.media.types import FileType, type_called, type_of_name
from templates_app.models import MediaBlob, ScanState

logger = logging.getLogger(__name__)

_TOKEN = re.compile(r"[0-9a-f]{32}")
_AWAY = "This file cannot be shown at the moment. Please try again in a minute.\n"
_AGAIN = {"Retry-After": "60", "Cache-Control": "no-store"}
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",  # other bytes have another address
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",  # readers show them within pages of their own
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


@login_not_required
@require_safe
def media(request: HttpRequest, token: str, name: str) -> HttpResponseBase:
    """Answer with the bytes that have this token: an image to be shown, all else to be saved.

    Who asks is not asked, and gets no cookie.
    """
    blob = MediaBlob.objects.filter(token=token).first() if _TOKEN.fullmatch(token) else None
    kind = type_of_name(name)
    if blob is None or kind is None or not _is_public(blob, kind):
        raise Http404
    try:
        file = storing.opened(blob)
    except FileNotFoundError:
        raise Http404 from None
    except OSError as error:
        logger.warning("media: %s cannot be shown: %s", blob.key, error)
        return HttpResponse(_AWAY, status=503, content_type="text/plain", headers=_AGAIN)
    return FileResponse(
        file,
        as_attachment=not kind.is_image,
        filename=name,
        content_type=kind.header,
        headers={**_HEADERS, "Content-Length": str(blob.size), "ETag": f'"{blob.digest}"'},
    )


def _is_public(blob: MediaBlob, kind: FileType) -> bool:
    """Whether the bytes have the type that the name says, and a template shows or links them."""
    if blob.scan == ScanState.INFECTED or kind.found != type_called(blob.content_type).found:
        return False
    return blob.is_image or blob.is_linked
