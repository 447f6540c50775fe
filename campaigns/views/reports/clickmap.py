"""The HTML of a message with the number of each counted link beside it."""

import html as entities
from collections import defaultdict, deque
from collections.abc import Iterable

from django.http import HttpResponse

from campaigns.reporting.links import FollowedLink
from templates_app.compiling.markup import edited, tokens
from templates_app.frames import framed

# Of a message in a frame of ours: it may show pictures, and do nothing.
_POLICY = (
    "sandbox; default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline';"
    " font-src https: data:; frame-ancestors 'self'; base-uri 'none'"
)
_BADGE = (
    '<span style="background:#b4470f;border-radius:9px;color:#fff;display:inline-block;'
    "font:bold 11px/18px sans-serif;margin:0 3px;min-width:18px;padding:0 3px;"
    'text-align:center;text-decoration:none">{}</span>'
)


def with_numbers(html: str, links: Iterable[FollowedLink]) -> str:
    """Return HTML with a badge inside each link that is counted, at its beginning.

    :param html: of one language, as it is compiled.
    :param links: of this language, in the order of their places.
    """
    numbers: dict[str, deque[int]] = defaultdict(deque)
    for link in links:
        numbers[link.target].append(link.number)
    edits = []
    for token in tokens(html):
        if token.kind == "start" and token.name == "a":
            places = numbers.get(entities.unescape(token.value("href")).strip())
            if places:
                edits.append((token.end, token.end, _BADGE.format(places.popleft() + 1)))
    return edited(html, edits)


def in_frame(html: str) -> HttpResponse:
    """Answer with a message as a document that pages of ours may frame."""
    answer = HttpResponse(framed(html))
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["X-Frame-Options"] = "SAMEORIGIN"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
