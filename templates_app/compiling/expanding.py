"""Put snippets where a source names them, and remember where each character was written."""

import difflib
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from templates_app.compiling.library import Piece
from templates_app.compiling.markup import edited
from templates_app.compiling.problems import Problem
from templates_app.grammar import blocks
from templates_app.models import Kind

_DEPTH = 5
_LONGEST = 512 * 1024  # characters; as much as is rendered
_AT_LEAST = 256  # what one more snippet counts, however short: there can be 2,000 of them
_INCLUDE = re.compile(r"\{%[-+]?\s*include\b(.*?)[-+]?%\}", re.DOTALL)
_NAME = re.compile(r"""\s*(?:"([\w-]+)"|'([\w-]+)')\s*""")

# Which kinds of snippet each kind of source takes.
FITTING: Mapping[Kind, frozenset[Kind]] = {
    Kind.MJML: frozenset({Kind.MJML, Kind.HTML}),
    Kind.HTML: frozenset({Kind.HTML}),
    Kind.MARKDOWN: frozenset({Kind.MARKDOWN, Kind.HTML}),
    Kind.TEXT: frozenset({Kind.TEXT}),
}


@dataclass(frozen=True, slots=True)
class _Segment:
    start: int  # in the expanded text
    piece: str
    source: str
    source_start: int
    kind: Kind


@dataclass(slots=True)
class Expanded:
    """A source with its snippets in it."""

    part: str
    kind: Kind
    text: str = ""
    problems: list[Problem] = field(default_factory=list)
    _segments: list[_Segment] = field(default_factory=list)

    def problem(self, offset: int, message: str, *, unknown: str = "") -> Problem:
        """Return a problem at the place where this character of the text was written."""
        segment = self._segments[max(bisect_right(self._starts(), offset) - 1, 0)]
        at = segment.source_start + offset - segment.start
        line = segment.source.count("\n", 0, at) + 1
        return Problem(self.part, line, message, piece=segment.piece, unknown=unknown)

    def on_line(self, line: int | None, message: str, *, unknown: str = "") -> Problem:
        """Return a problem with a line of the expanded text as one with the author's line."""
        if line is None:
            return Problem(self.part, None, message, unknown=unknown)
        lines = self.text.splitlines(keepends=True)
        start = sum(map(len, lines[: line - 1]))
        text = lines[line - 1] if line <= len(lines) else ""
        shift = text.find(unknown) if unknown else 0
        return self.problem(start + max(shift, 0), message, unknown=unknown)

    def add(self, text: str, segment: _Segment) -> None:
        if text:
            self._segments.append(replace(segment, start=len(self.text)))
            self.text += text

    def _starts(self) -> list[int]:
        return [segment.start for segment in self._segments]


def expand(
    source: str, *, kind: Kind, part: str, snippets: Mapping[str, Piece], piece: str = ""
) -> Expanded:
    """Return the source with its snippets, whose names, kinds and depth are checked.

    :param piece: what the source is called where it is not the author's own text.
    """
    expanded = Expanded(part, kind)
    root = _Segment(0, piece, source, 0, kind)
    _Expansion(expanded, snippets).take(root, ())
    if not expanded.text:
        expanded.add(" ", root)
    return expanded


def included(source: str) -> list[str]:
    """Return the names of the snippets that a source names itself."""
    found = (_name(source[start:end]) for start, end in blocks(source))
    return [name for name in found if name]


def with_names(source: str, names: Mapping[str, str]) -> str:
    """Return the source with other names for the snippets that it names."""
    edits = []
    for start, end in blocks(source):
        include = _INCLUDE.fullmatch(source, start, end)
        if include and (new := names.get(_name(include[0]))):
            edits.append((include.start(1), include.end(1), f' "{new}" '))
    return edited(source, edits)


def _name(block: str) -> str:
    include = _INCLUDE.fullmatch(block)
    name = _NAME.fullmatch(include[1]) if include else None
    return (name[1] or name[2]) if name else ""


@dataclass(slots=True)
class _Expansion:
    into: Expanded
    snippets: Mapping[str, Piece]
    length: int = 0
    is_stopped: bool = False

    def take(self, whole: _Segment, above: tuple[str, ...]) -> None:
        position = 0
        for start, end in blocks(whole.source):
            block = whole.source[start:end]
            if self.is_stopped:
                return
            if not _INCLUDE.fullmatch(block):
                continue
            self._copy(whole, position, start)
            position = end
            if message := self._fault(_name(block), whole.kind, above):
                line = whole.source.count("\n", 0, start) + 1
                problem = Problem(self.into.part, line, message, piece=whole.piece)
                self.into.problems.append(problem)
            else:
                self._snippet(_name(block), above)
        self._copy(whole, position, len(whole.source))

    def _copy(self, whole: _Segment, start: int, end: int) -> None:
        self.into.add(whole.source[start:end], replace(whole, source_start=start))

    def _snippet(self, name: str, above: tuple[str, ...]) -> None:
        piece = self.snippets[name]
        source = piece.source.removesuffix("\n")
        self.take(
            _Segment(0, _("snippet %(name)r") % {"name": name}, source, 0, piece.kind),
            (*above, name),
        )

    def _fault(self, name: str, kind: Kind, above: tuple[str, ...]) -> str:
        if not name:
            return _('write the name of one snippet: {% include "footer" %}')
        if name not in self.snippets:
            return _unknown(name, self.snippets)
        if name in above:
            way = " → ".join((*above, name))
            return _("snippet %(name)r includes itself: %(way)s") % {"name": name, "way": way}
        if len(above) >= _DEPTH:
            text = _("snippets stand in snippets more than %(most)s deep; take one out")
            return text % {"most": _DEPTH}
        self.length += len(self.snippets[name].source) + _AT_LEAST
        if self.length > _LONGEST:
            self.is_stopped = True
            most = number_format(_LONGEST, force_grouping=True)
            return _("with its snippets it has more than %(most)s characters") % {"most": most}
        if (other := self.snippets[name].kind) not in FITTING[kind]:
            text = _("snippet %(name)r is %(kind)s, which does not fit into %(into)s")
            return text % {"name": name, "kind": other.label, "into": kind.label}
        return ""


def _unknown(name: str, known: Mapping[str, Piece]) -> str:
    if near := difflib.get_close_matches(name, known, n=1):
        text = _("there is no snippet %(name)r; did you mean %(near)r?")
        return text % {"name": name, "near": near[0]}
    if known:
        text = _("there is no snippet %(name)r; there are %(known)s")
        return text % {"name": name, "known": ", ".join(sorted(known))}
    return _("there is no snippet %(name)r; there is none yet") % {"name": name}
