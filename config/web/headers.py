"""What a browser may do with our pages: the Content-Security-Policy."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy

HEADER = "Content-Security-Policy"

# Nothing but our own files, no inline script or style; pictures of messages are data: addresses.
OWN = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'"
)
# The console's package evaluates what stands in attributes (Alpine), and writes styles into them.
CONSOLE = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval';"
    " style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self';"
    " frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_ADMIN = reverse_lazy("admin:index")


class PolicyMiddleware:
    """Give each answer the policy, unless its view has given it a narrower one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        is_console = request.path.startswith(str(_ADMIN))
        answer.headers.setdefault(HEADER, CONSOLE if is_console else _own(answer))
        return answer


def _own(answer: HttpResponseBase) -> str:
    """Return our policy; a page whose editor makes styles has told a nonce for them."""
    nonce = getattr(answer, "style_nonce", "")
    return OWN.replace("style-src 'self'", f"style-src 'self' 'nonce-{nonce}'") if nonce else OWN
