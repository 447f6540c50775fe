"""What of a template's HTML the checks look at: links, images, words."""

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import NamedTuple

from templates_app.grammar import blocks
from templates_app.plaintext import SKIPPED, VOID, put_back, set_aside

_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
# MJML gives each cell the size 0, against gaps, and a size of its own to what the cell holds.
_SIZE = re.compile(
    r"font-size\s*:\s*(?P<zero>(?:0+(?:\.0*)?|\.0+)\s*(?:[a-z]+|%)?\s*(?:[;!]|$))?", re.IGNORECASE
)
_ACTIVE = frozenset(
    {"applet", "audio", "embed", "form", "iframe", "input", "object", "script", "select", "video"}
)


@dataclass(slots=True)
class Link:
    href: str
    words: str = ""
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    src: str
    alt: str | None


@dataclass(slots=True)
class Markup:
    links: list[Link] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    active: list[str] = field(default_factory=list)
    """Elements and attributes that mail readers take out, or take for an attack."""
    words: str = ""
    """What is shown."""


def printed(text: str) -> list[str]:
    """Return the tags that print something, `{{ … }}`, as they stand in a text."""
    tags = (text[start:stop] for start, stop in blocks(text))
    return [tag for tag in tags if tag.startswith("{{")]


def without_tags(text: str, *, put: str = "") -> str:
    """Return what stands around the tags of the template, with something in place of each."""
    pieces, end = [], 0
    for start, stop in blocks(text):
        pieces += [text[end:start], put]
        end = stop
    return "".join([*pieces, text[end:]])


def has_tags(text: str) -> bool:
    return next(blocks(text), None) is not None


def read(html: str) -> Markup:
    """Read compiled HTML; tags of the template stand in it as they were written."""
    marked, kept = set_aside(html)
    reader = _Reader(kept)
    reader.feed(marked)
    reader.close()
    reader.found.words = " ".join("".join(reader.words).split())
    return reader.found


class _Element(NamedTuple):
    """An element that is open, with what all inside it has of it."""

    tag: str
    is_gone: bool = False
    is_tiny: bool = False

    @property
    def is_hidden(self) -> bool:
        return self.is_gone or self.is_tiny

    def child(self, tag: str, values: dict[str, str]) -> "_Element":
        style = values.get("style", "")
        hides = tag in SKIPPED or "hidden" in values or bool(_HIDDEN.search(style))
        sizes = [bool(size["zero"]) for size in _SIZE.finditer(style)]
        return _Element(tag, self.is_gone or hides, [self.is_tiny, *sizes][-1])


class _Reader(HTMLParser):
    def __init__(self, kept: list[str]) -> None:
        super().__init__()
        self.found = Markup()
        self.words: list[str] = []
        self._kept = kept
        self._elements = [_Element("")]
        self._opened = Counter[str]()  # by their tags, or each end tag would look through them
        self._open: Link | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: self._whole(value or "") for name, value in attrs}
        self.words.append(" ")
        element = self._elements[-1].child(tag, values)
        if tag not in VOID:
            self._elements.append(element)
            self._opened[tag] += 1
        self.found.active += [f"<{tag}>"] if tag in _ACTIVE else []
        self.found.active += [name for name in values if name.startswith("on")]
        if tag == "img":
            alt = values.get("alt") if "alt" in values else None
            self.found.images.append(Image(values.get("src", "").strip(), alt))
            self.words.append(f" {alt or ''} ")
        elif tag == "a" and "href" in values:
            self._open = Link(values["href"].strip(), is_hidden=element.is_hidden)
            self.found.links.append(self._open)
        elif tag == "area" and "href" in values:
            self.found.links.append(Link(values["href"].strip()))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        while self._opened[tag]:
            ended = self._elements.pop().tag
            self._opened[ended] -= 1
            if ended == tag:
                break
        if tag == "a":
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._elements[-1].is_hidden:
            return
        text = self._whole(data)
        self.words.append(text)
        if self._open is not None:
            self._open.words += text

    def _whole(self, text: str) -> str:
        return put_back(text, self._kept)
