"""A number for each request, by which it is found in all logs: ours, the proxy's, the workers'."""

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from structlog.contextvars import bound_contextvars

HEADER = "X-Request-ID"
_PLAIN = re.compile(r"[A-Za-z0-9._-]{8,64}")  # nothing that could end a line of a log


class RequestIdMiddleware:
    """Take the number that a proxy has given, or make one; say it in the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        number = given if _PLAIN.fullmatch(given) else uuid.uuid4().hex
        with bound_contextvars(request_id=number):
            answer = self.get_response(request)
        answer[HEADER] = number
        return answer
