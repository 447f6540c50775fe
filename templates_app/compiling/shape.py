"""HTML that would keep what reads it busy for minutes, or that ends in the midst of something.

Parsers take time by the square of what is open, and are not told when to stop.
"""

from collections import Counter

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from templates_app.compiling.markup import RAW, VOID
from templates_app.compiling.protection import Protection

DEEPEST = 200  # elements in elements; a message of nested tables has 40
_ATTRIBUTES = 100
_MARKUP = 50_000  # tags and comments; a long newsletter has 2,000
# Their end may be left out: one ends where the next begins.
_UNCOUNTED = VOID | frozenset(
    {"body", "colgroup", "dd", "dt", "head", "html", "li", "option", "p", "tbody", "td", "tfoot"}
    | {"th", "thead", "tr"}
)


def misshapen(html: str, protection: Protection) -> tuple[int, str] | None:
    """Return the place and the fault of what cannot be read in time, if anything."""
    open_elements: Counter[str] = Counter()
    depth = markup = 0
    for token in protection.tokens(html):
        if token.kind == "text":
            continue
        markup += 1
        if fault := _fault(html, token.kind, token.start, token.end, len(token.attributes)):
            return token.start, fault
        if token.kind == "start" and token.name in RAW and token.end == len(html):
            return token.start, _("<%(name)s> has no end: </%(name)s>") % {"name": token.name}
        if token.name == "plaintext":
            return token.start, _("<plaintext> makes text of all that follows; use <pre>")
        if markup > _MARKUP:
            return token.start, _("there are more than %(most)s tags; make it shorter") % {
                "most": number_format(_MARKUP, force_grouping=True)
            }
        if token.kind == "start" and token.name not in _UNCOUNTED and not token.is_closed:
            open_elements[token.name] += 1
            depth += 1
        elif token.kind == "end" and open_elements[token.name]:
            open_elements[token.name] -= 1
            depth -= 1
        if depth > DEEPEST:
            return token.start, _(
                "elements stand in each other more than %(most)s deep; close them"
            ) % {"most": DEEPEST}
    return None


def _fault(html: str, kind: str, start: int, end: int, attributes: int) -> str:
    if kind == "comment" and not html.startswith((">", "->"), start + 4):
        return (
            ""
            if html[start + 4 : end].endswith(("-->", "--!>"))
            else _("a comment has no end: -->")
        )
    if kind in {"start", "end", "declaration"} and html[end - 1] != ">":
        return _("a tag has no end: >")
    if kind == "raw" and end == len(html):
        return _("an element has no end, such as </style>")
    return (
        _("more than %(most)s attributes") % {"most": _ATTRIBUTES}
        if attributes > _ATTRIBUTES
        else ""
    )
