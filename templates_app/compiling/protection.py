"""Keep the tags of a template out of the hands of what reads HTML, MJML and Markdown.

A parser would take `{% if a < b %}` apart, percent-encode it in an address and move it out of a
table. A mark stands for each tag meanwhile: a word inside tags and attributes, and a comment
between them, which a parser leaves where it is, in a table too.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from templates_app.compiling.expanding import Expanded
from templates_app.compiling.markup import RAW, Token, edited, everywhere, tokens
from templates_app.compiling.problems import Problem
from templates_app.grammar import blocks

MARK = r"zq[0-9a-f]{16}i\d+z"  # what a mark looks like
_RAW = re.compile(r"(\{%[-+]?\s*raw\s*[-+]?%\})(.*)(\{%[-+]?\s*endraw\s*[-+]?%\})", re.DOTALL)
_WORD = re.compile(r"\{%[-+]?\s*(\w+)")
_NAME = re.compile(r"[\w.]+")
_PRINTED = re.compile(r"(\{\{[-+]?)(.*?)([-+]?\}\})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of the template, and where it was written."""

    source: str
    within: Expanded
    offset: int

    @property
    def word(self) -> str:
        """What a statement begins with; of `{{ … }}` there is none."""
        found = _WORD.match(self.source)
        return found[1] if found else ""

    def problem(self, message: str) -> Problem:
        return self.within.problem(self.offset, message)


class Protection:
    """The marks of one compilation; a text that somebody writes cannot hold one of them."""

    def __init__(self, *sources: str) -> None:
        # Made from the sources, so that the same input gives the same bytes, until it is in none.
        nonce = sha256("\0".join(sources).encode(errors="surrogatepass")).hexdigest()[:16]
        while any(nonce in source.lower() for source in sources):
            nonce = sha256(nonce.encode()).hexdigest()[:16]
        self._prefix = f"zq{nonce}i"
        self._pattern = re.compile(rf"{self._prefix}(\d+)z")
        self._comment = re.compile(rf"<!--({self._prefix}\d+z)-->")
        self._tags: list[Tag] = []
        self._guards: dict[int, list[str]] = {}
        self._protected: dict[int, str] = {}
        self._tokens: dict[tuple[str, frozenset[str]], tuple[Token, ...]] = {}

    def tokens(self, html: str, *, raw: frozenset[str] = RAW) -> tuple[Token, ...]:
        """Return the tokens of a text with marks, which is read once however many ask for them."""
        key = html, raw
        if key not in self._tokens:
            self._tokens[key] = tuple(tokens(html, raw=raw))
        return self._tokens[key]

    def everywhere(self, html: str) -> Iterator[tuple[int, Token]]:
        return everywhere(html, self.tokens)

    def protect(self, expanded: Expanded) -> str:
        """Return the text with a word for each tag; the same words each time."""
        if id(expanded) not in self._protected:
            edits = [
                (one, other, self._mark(expanded, one, other))
                for start, end in blocks(expanded.text)
                for one, other in _spans(expanded.text, start, end)
            ]
            self._protected[id(expanded)] = edited(expanded.text, edits)
        return self._protected[id(expanded)]

    def in_context(self, html: str) -> str:
        """Turn the marks that stand between tags into comments."""
        html = self.as_words(html)
        edits = [
            (token.start + mark.start(), token.start + mark.end(), f"<!--{mark[0]}-->")
            for token in self.tokens(html)
            if token.kind == "text"
            for mark in self._pattern.finditer(html[token.start : token.end])
        ]
        return edited(html, edits)

    def as_words(self, html: str) -> str:
        return self._comment.sub(r"\1", html)

    def restore(self, text: str) -> str:
        return self._pattern.sub(self._restored, self.as_words(text))

    def placeholder(self, number: int) -> str:
        """Return a word that is in no source and is no mark."""
        return f"{self._prefix.removesuffix('i')}p{number}z"

    def fill(self, text: str, parked: Sequence[str]) -> str:
        """Put what was kept aside where its placeholder is, also where that is a comment."""
        word = self.placeholder(0).removesuffix("0z")
        pattern = re.compile(rf"<!--{word}(\d+)z-->|{word}(\d+)z")
        return pattern.sub(lambda found: parked[int(found[1] or found[2])], text)

    def marks(self, text: str) -> Iterator[re.Match[str]]:
        return self._pattern.finditer(text)

    def tag(self, mark: re.Match[str]) -> Tag:
        return self._tags[int(mark[1])]

    def is_in(self, text: str) -> bool:
        return self._prefix in text

    def guard(self, mark: re.Match[str], filter_name: str) -> None:
        """Have what a tag prints go through a filter, wherever its mark stands."""
        guards = self._guards.setdefault(int(mark[1]), [])
        if filter_name not in guards:
            guards.append(filter_name)

    @property
    def tags(self) -> list[Tag]:
        return self._tags

    def lost(self, text: str) -> list[Tag]:
        """Return the tags whose mark is not in the text any more."""
        kept = {int(mark[1]) for mark in self.marks(text)}
        return [tag for number, tag in enumerate(self._tags) if number not in kept]

    def offset(self, text: str, position: int) -> int:
        """Return where in the expanded text the author wrote this place of the marked one."""
        last = None
        for mark in self.marks(text[:position]):
            last = mark
        if last is None:
            return position
        tag = self.tag(last)
        end = last.end() + (3 if text.startswith("-->", last.end()) else 0)
        return tag.offset + len(tag.source) + max(position - end, 0)

    def _restored(self, mark: re.Match[str]) -> str:
        source = self.tag(mark).source
        printed = _PRINTED.fullmatch(source)
        if printed is None or not (guards := self._guards.get(int(mark[1]))):
            return source
        value = printed[2].strip()
        whole = value if _NAME.fullmatch(value) else f"({value})"
        return f"{printed[1]} {' | '.join([whole, *guards])} {printed[3]}"

    def _mark(self, expanded: Expanded, start: int, end: int) -> str:
        self._tags.append(Tag(expanded.text[start:end], expanded, start))
        return f"{self._prefix}{len(self._tags) - 1}z"


def _spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the tags of a block: what stands in a raw block is text like any other."""
    if raw := _RAW.fullmatch(text, start, end):
        return [raw.span(1), raw.span(3)]
    return [(start, end)]
