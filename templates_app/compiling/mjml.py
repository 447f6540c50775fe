"""From MJML to HTML, by mrml: no includes, no network, and each fault on the author's line."""

import difflib
import html
import re
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from mjml import mjml2html

from templates_app.compiling.contexts import unbalanced
from templates_app.compiling.expanding import Expanded
from templates_app.compiling.markup import VOID, Token, edited, mjml_tokens
from templates_app.compiling.problems import Problem
from templates_app.compiling.protection import Protection
from templates_app.compiling.shape import misshapen

_CONTAINERS = frozenset(
    {"mjml", "mj-head", "mj-attributes", "mj-body", "mj-wrapper", "mj-section", "mj-group"}
    | {"mj-column", "mj-hero", "mj-navbar", "mj-social", "mj-accordion", "mj-accordion-element"}
)
# What stands in these is HTML or text: mrml, which reads it as XML, does not get to see it.
_CONTENT = frozenset(
    {"mj-accordion-text", "mj-accordion-title", "mj-button", "mj-navbar-link", "mj-preview"}
    | {"mj-raw", "mj-social-element", "mj-style", "mj-table", "mj-text", "mj-title"}
)
_PLAIN = frozenset({"mj-accordion-title", "mj-preview", "mj-style", "mj-title"})
_EMPTY = frozenset(
    {"mj-all", "mj-breakpoint", "mj-class", "mj-divider", "mj-font", "mj-image", "mj-spacer"}
)
_KNOWN = _CONTAINERS | _CONTENT | _EMPTY
_REFUSED = {
    "mj-include": gettext_lazy(
        "write {% include 'name' %} to use a snippet; nothing else can be included"
    ),
    "mj-carousel": gettext_lazy(
        "a carousel needs form fields, which mail does not have; use images"
    ),
}
_DEEPEST = 30  # mrml has no limit but the stack
_PROBLEMS = 50
_POSITION = re.compile(r" in root template(?: at position (\d+):\d+)?")
INLINED = "/*inlined*/"


@dataclass(slots=True)
class _Reading:
    """What is open at a place of the source, and what is to be changed before mrml reads it."""

    source: str
    expanded: Expanded
    protection: Protection
    open: list[Token] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def parent(self) -> str:
        return self.open[-1].name if self.open else ""

    def refuse(self, position: int, message: str) -> None:
        offset = self.protection.offset(self.source, position)
        self.problems.append(self.expanded.problem(offset, message))


def mjml_to_html(expanded: Expanded, protection: Protection) -> tuple[str, list[Problem]]:
    """Return the HTML, with marks for the tags, or what is wrong with the MJML."""
    reading = _Reading(protection.protect(expanded), expanded, protection)
    for token in mjml_tokens(reading.source):
        _read(reading, token)
        if len(reading.open) > _DEEPEST:
            reading.refuse(
                token.start,
                _("components stand in each other more than %(most)s deep") % {"most": _DEEPEST},
            )
            return "", reading.problems[:_PROBLEMS]
    for token in reading.open[-1:]:
        reading.refuse(
            token.start, _("<%(name)s> is not closed; write </%(name)s>") % {"name": token.name}
        )
    if not reading.problems and "<mjml" not in reading.source:
        reading.refuse(0, _("MJML begins with <mjml> and has an <mj-body>"))
    if reading.problems:
        return "", reading.problems[:_PROBLEMS]
    return _compile(reading)


def _read(reading: _Reading, token: Token) -> None:
    if reading.parent in _CONTENT and not (token.kind == "end" and token.name == reading.parent):
        return
    if token.kind == "start":
        _open(reading, token)
    elif token.kind == "end":
        _close(reading, token)
    elif token.kind == "text":
        _text(reading, token)


def _open(reading: _Reading, token: Token) -> None:
    if token.name not in _KNOWN:
        reading.refuse(token.start, _unknown(token.name, reading.parent))
    is_default = reading.parent == "mj-attributes"
    if not (token.is_closed or token.name in VOID or (is_default and token.name in _EMPTY)):
        reading.open.append(token)


def _unknown(name: str, parent: str) -> str:
    if name in _REFUSED:
        return str(_REFUSED[name])
    if not name.startswith("mj-"):
        text = _("<%(name)s> may not stand here; put it into <mj-text> or <mj-raw>")
        if parent:
            text = _("<%(name)s> may not stand in <%(parent)s>; put it into <mj-text> or <mj-raw>")
        return text % {"name": name, "parent": parent}
    if near := difflib.get_close_matches(name, _KNOWN, n=1):
        text = _("there is no <%(name)s>; did you mean <%(near)s>?")
        return text % {"name": name, "near": near[0]}
    text = _("there is no <%(name)s>; there are %(known)s")
    return text % {"name": name, "known": ", ".join(sorted(_KNOWN))}


def _close(reading: _Reading, token: Token) -> None:
    if token.name != reading.parent:
        if any(each.name == token.name for each in reading.open):
            inner = reading.open.pop()
            reading.refuse(
                inner.start, _("<%(name)s> is not closed; write </%(name)s>") % {"name": inner.name}
            )
            _close(reading, token)
        else:
            reading.refuse(
                token.start, _("</%(name)s> closes nothing; remove it") % {"name": token.name}
            )
        return
    opened = reading.open.pop()
    if token.name in _CONTENT:
        _park(reading, opened, token)


def _park(reading: _Reading, opened: Token, closing: Token) -> None:
    inner = reading.source[opened.end : closing.start]
    if not inner.strip():
        return
    tags = [reading.protection.tag(mark) for mark in reading.protection.marks(inner)]
    reading.problems += unbalanced(tags)
    if opened.name not in _PLAIN and (fault := misshapen(inner, reading.protection)):
        reading.refuse(opened.end + fault[0], fault[1])
    if opened.name in {"mj-title", "mj-preview"}:  # mrml puts them into an attribute as well
        inner = html.escape(html.unescape(inner.strip()))
    if opened.name == "mj-style" and opened.value("inline") == "inline":
        inner = f"{INLINED}{inner}"
    word = reading.protection.placeholder(len(reading.parked))
    reading.parked.append(inner)
    mark = word if opened.name in _PLAIN else f"<!--{word}-->"
    reading.edits.append((opened.end, closing.start, mark))


def _text(reading: _Reading, token: Token) -> None:
    text = reading.source[token.start : token.end]
    rest = text
    for mark in reading.protection.marks(text):
        rest = rest.replace(mark[0], " " * len(mark[0]), 1)
        comment = f"<!--{mark[0]}-->"
        wrapped = f"<mj-raw>{comment}</mj-raw>" if _takes_raw(reading) else comment
        start = token.start + mark.start()
        reading.edits.append((start, start + len(mark[0]), wrapped))
    if rest.strip() and reading.parent in _CONTAINERS:
        position = token.start + len(rest) - len(rest.lstrip())
        reading.refuse(
            position,
            _("text may not stand in <%(parent)s>; put it into <mj-text>")
            % {"parent": reading.parent},
        )


def _takes_raw(reading: _Reading) -> bool:
    return reading.parent == "mj-head"  # where mrml leaves comments out; elsewhere it keeps them


def _compile(reading: _Reading) -> tuple[str, list[Problem]]:
    source = edited(reading.source, reading.edits)
    try:
        compiled = mjml2html(source, fonts={})
    except ValueError as error:
        return "", [_fault(reading, source, str(error))]
    compiled = reading.protection.fill(compiled, reading.parked)
    lost = [tag for tag in reading.protection.lost(compiled) if tag.within is reading.expanded]
    problems = [
        tag.problem(_("%(tag)s may not stand here; it would be lost") % {"tag": tag.source})
        for tag in lost
        if tag.word
    ]
    return compiled, problems


def _fault(reading: _Reading, source: str, reason: str) -> Problem:
    found = _POSITION.search(reason)
    message = _("the MJML cannot be read: %(reason)s") % {"reason": _POSITION.sub("", reason)}
    if found is None or not found[1]:
        return Problem(reading.expanded.part, None, message)
    # mrml counts bytes; the parked contents are not in its source, so the tags tell the line.
    position = len(source.encode()[: int(found[1])].decode(errors="ignore"))
    for start, end, new in sorted(reading.edits):
        if start >= position:
            break
        position = max(position - len(new) + end - start, start)
    offset = reading.protection.offset(reading.source, position)
    return reading.expanded.problem(offset, message)
