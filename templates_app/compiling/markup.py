"""Read HTML and MJML as a browser does: tags, attributes, comments, with their places.

Nothing here builds a tree. Where a source is malformed the tokens are those of the HTML standard
(WHATWG HTML, 13.2.5), so that what is checked is what a reader's program will see.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"}
    | {"track", "wbr"}
)
# Their content is text, whatever it looks like.
RAW = frozenset(
    {"iframe", "noembed", "noframes", "noscript", "script", "style", "textarea", "title", "xmp"}
)
MJML_RAW = frozenset({"mj-preview", "mj-style", "mj-title"})

_MARKUP = re.compile(r"<(?:(!--)|([!?])|(/?)([a-zA-Z][^\s/>]*))")
_COMMENT_END = re.compile(r"--!?>")
_FOR_OUTLOOK = re.compile(r"<!--\[if[^\]]*\]>(.*)-->", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"""[\s/]*([^\s/>][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"'][^\s>]*)?))?"""
)
_TAG_END = re.compile(r"[\s/]*>")


class Attribute(NamedTuple):
    name: str
    value: str
    start: int  # of the value
    end: int
    name_start: int
    is_quoted: bool


class Token(NamedTuple):
    """A piece of the source; `inner` is what a comment or an element of text alone holds."""

    kind: str  # text, start, end, comment, declaration or raw
    start: int
    end: int
    name: str = ""
    attributes: tuple[Attribute, ...] = ()
    is_closed: bool = False  # as <br/>

    def value(self, name: str) -> str:
        return next((each.value for each in self.attributes if each.name == name), "")


def tokens(html: str, *, raw: frozenset[str] = RAW) -> Iterator[Token]:
    """Yield the source in consecutive tokens."""
    position = 0
    while opened := _MARKUP.search(html, position):
        if opened.start() > position:
            yield Token("text", position, opened.start())
        token = _token(html, opened)
        yield token
        position = token.end
        if token.kind == "start" and token.name in raw and not token.is_closed:
            close = re.compile(rf"</{re.escape(token.name)}(?=[\s/>])", re.IGNORECASE)
            found = close.search(html, position)
            end = found.start() if found else len(html)
            if end > position:
                yield Token("raw", position, end, token.name)
            position = end
    if position < len(html):
        yield Token("text", position, len(html))


def everywhere(
    html: str, read: Callable[[str], Iterable[Token]] = tokens
) -> Iterator[tuple[int, Token]]:
    """Yield what any program reads, with what is to be added to its places.

    A comment for Outlook is followed by what stands in it; no other comment is read by anybody.
    """
    for token in read(html):
        yield 0, token
        if token.kind == "comment" and (
            found := _FOR_OUTLOOK.fullmatch(html, token.start, token.end)
        ):
            for inner in read(found[1]):
                yield found.start(1), inner


def mjml_tokens(mjml: str) -> Iterator[Token]:
    return tokens(mjml, raw=RAW | MJML_RAW)


def _token(html: str, opened: re.Match[str]) -> Token:
    if opened[1]:
        return _comment(html, opened)
    if opened[2]:
        end = html.find(">", opened.end())
        return Token("declaration", opened.start(), end + 1 if end >= 0 else len(html))
    kind, name = "end" if opened[3] else "start", opened[4].lower()
    if html.startswith(">", opened.end()):
        return Token(kind, opened.start(), opened.end() + 1, name)
    attributes, end, is_closed = _attributes(html, opened.end())
    return Token(kind, opened.start(), end, name, attributes, is_closed)


def _comment(html: str, opened: re.Match[str]) -> Token:
    after = opened.end()
    for short in (">", "->"):
        if html.startswith(short, after):
            return Token("comment", opened.start(), after + len(short))
    found = _COMMENT_END.search(html, after)
    return Token("comment", opened.start(), found.end() if found else len(html))


def _attributes(html: str, position: int) -> tuple[tuple[Attribute, ...], int, bool]:
    found: list[Attribute] = []
    while one := _ATTRIBUTE.match(html, position):
        position = one.end()
        group = one.lastindex or 1
        start, end = one.span(group) if group > 1 else (position, position)
        name, value = one[1].lower(), html[start:end]
        found.append(Attribute(name, value, start, end, one.start(1), group in {2, 3}))
    close = _TAG_END.match(html, position)
    if close is None:
        return tuple(found), len(html), False
    return tuple(found), close.end(), "/" in close[0]


def edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    """Return the text with spans replaced; no two of them overlap."""
    pieces, position = [], 0
    for start, end, new in sorted(edits):
        pieces += [text[position:start], new]
        position = end
    return "".join([*pieces, text[position:]])
