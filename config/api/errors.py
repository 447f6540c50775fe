"""What goes wrong, as problem details (RFC 9457): every answer of 400 and above is one."""

import json
import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from config.web.access import Denied
from recipients.api.refusals import Fault, Problem, invalid, not_found
from recipients.patience import TookTooLong

MEDIA_TYPE = "application/problem+json"

logger = logging.getLogger(__name__)


def problem(
    status: int, detail: str = "", *, faults: Any = (), headers: Any = None, **more: Any
) -> HttpResponse:
    """Return the answer that says what is wrong."""
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        **({"detail": detail} if detail else {}),
        **(
            {"errors": [{"pointer": f.pointer, "detail": f.detail} for f in faults]}
            if faults
            else {}
        ),
        **more,
    }
    return HttpResponse(
        json.dumps(told, ensure_ascii=False),
        status=status,
        content_type=MEDIA_TYPE,
        headers=headers or {},
    )


def problem_of(error: Exception) -> HttpResponse | None:
    """Return the answer to what was raised; None: it is a fault of ours."""
    match error:
        case Denied():
            return problem(
                403,
                f"This needs the permission {error.permission}, of the user and of the key.",
                permission=error.permission,
            )
        case ValidationError():
            error = invalid(_fault(each) for each in error.errors)
        case Http404():
            error = not_found()
        case PermissionDenied():
            error = Problem(403, str(error) or "This is not for you.")
        case RequestDataTooBig():
            error = Problem(413, "That is more than is taken in one request.")
        case TookTooLong():
            error = Problem(503, "That takes too long. Narrow it down.")
        case HttpError():
            error = Problem(error.status_code, str(error))
    if isinstance(error, Problem):
        return problem(error.status, error.detail, faults=error.faults, headers=error.headers)
    return None


def _fault(found: dict[str, Any]) -> Fault:
    source, *path = found["loc"]
    # In a body the first name is that of our parameter.
    path = path[1:] if source == "body" else path
    return Fault("".join(f"/{_escaped(str(each))}" for each in path), found["msg"])


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def answer_problems(api: NinjaAPI) -> None:
    """Have an API answer with problem details, and leave the rest to who called it."""

    def tell(request: HttpRequest, error: Any) -> HttpResponse:
        answer = problem_of(error)
        if answer is None:
            raise error
        return answer

    for kind in (Exception, Http404, HttpError, ValidationError):
        api.add_exception_handler(kind, tell)


def as_problem(answer: HttpResponseBase) -> HttpResponseBase:
    """Return an answer of a package's own as a problem, if it is an error and none yet."""
    if answer.status_code < 400 or answer.headers.get("Content-Type") == MEDIA_TYPE:
        return answer
    kept = {name: answer[name] for name in ("Allow", "Retry-After") if name in answer}
    return problem(answer.status_code, headers=kept)
