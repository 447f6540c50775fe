"""Parts of pages that are asked for again and again while something can change."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string

_TAG = "HX-PTag"  # of htmx's extension: what the browser has is not sent once more


def fragment(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, page: str
) -> HttpResponse:
    """Answer with a part of a page, or 304 where it is what the browser has already.

    :param page: the address of the page that it is a part of, for who opens the part itself.
    """
    if "HX-Request" not in request.headers:
        return redirect(page)
    content = render_to_string(template, dict(context), request)
    tag = hashlib.sha256(content.encode()).hexdigest()[:16]
    is_known = request.headers.get(_TAG) == tag
    answer = HttpResponse(status=304) if is_known else HttpResponse(content)
    answer.headers[_TAG] = tag
    answer.headers["Cache-Control"] = "no-store"
    return answer
