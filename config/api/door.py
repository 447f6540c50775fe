"""What every request of the API comes through: who asks, how often, for what; and once."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.signals import got_request_exception
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.views.decorators.csrf import csrf_exempt

from config.api import guesses, idempotency, limits
from config.api.access import PUBLIC, operation_of, require
from config.api.authentication import caller_of, introduce
from config.api.errors import as_problem, problem, problem_of
from recipients.api.refusals import Problem

View = Callable[..., HttpResponseBase]

MOST_BYTES = 25 * 1024 * 1024  # of a body, at least: a file of the library may be larger

_SAFE = {"GET", "HEAD"}

logger = logging.getLogger(__name__)


def door(view: View) -> View:
    """Have a view of the API asked by those who may, and answer with problems where it refuses."""

    @wraps(view)
    def let_in(request: HttpRequest, **given: Any) -> HttpResponseBase:
        try:
            answer = as_problem(_answer(view, request, given))
        except Exception as error:  # noqa: BLE001 - told to whoever asks, and to Django
            answer = problem_of(error) or _failed(request, error)
        for name, value in getattr(request, "api_headers", {}).items():
            answer.headers.setdefault(name, value)
        answer.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(answer, ["Authorization"])
        return answer

    # Who asks is asked here, and a cookie opens nothing.
    return csrf_exempt(login_not_required(let_in))


def _answer(view: View, request: HttpRequest, given: dict[str, Any]) -> HttpResponseBase:
    now = timezone.now()
    operation = operation_of(request)
    if operation in PUBLIC:
        return view(request, **given)
    with guesses.counted(request, request.headers.get("Authorization", ""), now=now):
        caller = caller_of(request, now=now)
    quota = limits.take(caller.holder, at=now.timestamp())
    request.api_headers = quota.headers  # type: ignore[attr-defined]
    if quota.is_exceeded:
        raise Problem(429, f"More than {quota.limit} requests within a minute.")
    introduce(request, caller)
    require(caller.user, operation)
    if request.method in _SAFE:
        return _looked_at(view, request, given)
    _read(request)

    def act() -> HttpResponseBase:
        return view(request, **given)

    return _done(lambda: idempotency.once(request, caller.holder, act, now=now))


def _looked_at(view: View, request: HttpRequest, given: dict[str, Any]) -> HttpResponseBase:
    method, request.method = request.method, "GET"
    answer = view(request, **given)
    request.method = method
    tag = answer.headers.get("ETag")
    if tag and isinstance(answer, HttpResponse):
        return get_conditional_response(request, etag=tag, response=answer) or answer
    return answer


def _done(act: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Do something in one transaction; of what is refused nothing is left."""
    with transaction.atomic():
        answer = act()
        if answer.status_code >= 400:
            transaction.set_rollback(True)
    return answer


def _read(request: HttpRequest) -> None:
    """Read a body that Django's own limit, made for forms, would refuse.

    :raises Problem: it is larger than anybody needs.
    """
    most = max(MOST_BYTES, (settings.MEDIA_FILE_MB + 1) * 1024 * 1024)
    size = request.META.get("CONTENT_LENGTH") or "0"
    if not size.isdecimal() or int(size) > most:
        raise Problem(413, f"A body has at most {most:,} bytes.")
    request._body = request.read(most)  # noqa: SLF001


def _failed(request: HttpRequest, error: Exception) -> HttpResponseBase:
    """Say that it is our fault, and tell Django, which tells whoever listens."""
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    got_request_exception.send(sender=door, request=request)
    return problem(500, "Something went wrong here. Nothing of what you sent was done.")
