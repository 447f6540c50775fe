"""What of a template's HTML the checks look at: links, images, words."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from templates_app.grammar import blocks
from templates_app.plaintext import SKIPPED, VOID, put_back, set_aside

_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0", re.IGNORECASE)
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


class _Reader(HTMLParser):
    def __init__(self, kept: list[str]) -> None:
        super().__init__()
        self.found = Markup()
        self.words: list[str] = []
        self._kept = kept
        self._hidden: list[str] = []  # the hidden element and all that is open inside it
        self._open: Link | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: self._whole(value or "") for name, value in attrs}
        self.words.append(" ")
        hides = tag in SKIPPED or "hidden" in values or _HIDDEN.search(values.get("style", ""))
        if (self._hidden or hides) and tag not in VOID:
            self._hidden.append(tag)
        self.found.active += [f"<{tag}>"] if tag in _ACTIVE else []
        self.found.active += [name for name in values if name.startswith("on")]
        if tag == "img":
            alt = values.get("alt") if "alt" in values else None
            self.found.images.append(Image(values.get("src", "").strip(), alt))
            self.words.append(f" {alt or ''} ")
        elif tag == "a" and "href" in values:
            self._open = Link(values["href"].strip(), is_hidden=bool(self._hidden))
            self.found.links.append(self._open)
        elif tag == "area" and "href" in values:
            self.found.links.append(Link(values["href"].strip()))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        while tag in self._hidden and self._hidden.pop() != tag:
            pass
        if tag == "a":
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        text = self._whole(data)
        self.words.append(text)
        if self._open is not None:
            self._open.words += text

    def _whole(self, text: str) -> str:
        return put_back(text, self._kept)
