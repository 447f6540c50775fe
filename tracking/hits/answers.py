"""What requests for pixels and links are answered with: fixed texts and headers."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Header = tuple[str, str]
Environ = Mapping[str, Any]
StartResponse = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response but for what differs from request to request."""

    status: str
    headers: tuple[Header, ...]
    body: bytes = b""

    @property
    def code(self) -> int:
        return int(self.status[:3])

    def give(self, environ: Environ, start_response: StartResponse, *more: Header) -> list[bytes]:
        """Begin the response and return its body; to HEAD it has none (RFC 9110 9.3.2)."""
        length = ("Content-Length", str(len(self.body)))
        start_response(self.status, [*self.headers, length, *more])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]


def _page(title: str, text: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title></head>'
        f"<body><h1>{title}</h1><p>{text}</p></body></html>\n"
    ).encode()


_NO_STORE = ("Cache-Control", "no-store, private")
# The token is in the address, and in the message of one person alone.
_LINK = (_NO_STORE, ("Referrer-Policy", "no-referrer"), ("X-Robots-Tag", "noindex"))
_HTML = ("Content-Type", "text/html; charset=utf-8")

# One transparent pixel, in 43 bytes: GIF89a, with its end code, which programs may miss.
PIXEL = Answer(
    "200 OK",
    (_NO_STORE, ("Content-Type", "image/gif")),
    b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="),
)
REDIRECT = Answer("302 Found", _LINK)
NOT_ALLOWED = Answer("405 Method Not Allowed", (_NO_STORE, ("Allow", "GET, HEAD")))
NOT_FOUND = Answer(
    "404 Not Found",
    (*_LINK, _HTML),
    _page(
        "This link leads nowhere",
        "It is not complete, or what it led to is gone. "
        "Open the message that it was in, and follow the link there.",
    ),
)
AWAY = Answer(
    "503 Service Unavailable",
    (*_LINK, _HTML, ("Retry-After", "30")),
    _page(
        "Not at the moment",
        "Where this link leads cannot be looked up just now. Follow it again in a minute.",
    ),
)
