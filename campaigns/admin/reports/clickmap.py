"""The HTML of a message with the number of each counted link beside it."""

import html as entities
from collections import defaultdict, deque
from collections.abc import Iterable

from campaigns.reporting.links import FollowedLink
from templates_app.compiling.markup import edited, tokens

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
