"""From the source of one language to the HTML that is rendered for each of its readers."""

from dataclasses import dataclass, field
from itertools import islice

from django.utils.translation import gettext as _

from templates_app.compiling.contexts import (
    check_contexts,
    forged_addresses,
    guard_addresses,
    quoted,
)
from templates_app.compiling.expanding import Expanded
from templates_app.compiling.finishing import inlined, with_language, with_preheader
from templates_app.compiling.library import Library
from templates_app.compiling.linking import links, with_parameters
from templates_app.compiling.markdown import CONTENT, markdown_to_html
from templates_app.compiling.media import Fault, with_media
from templates_app.compiling.mjml import mjml_to_html
from templates_app.compiling.problems import Problem
from templates_app.compiling.protection import Protection
from templates_app.compiling.sanitising import removed, sanitised
from templates_app.compiling.shape import misshapen
from templates_app.compiling.styles import guard_styles
from templates_app.models import Kind

_WARNINGS = 50  # of one text; more help nobody


@dataclass(frozen=True, slots=True)
class Sources:
    """All that the HTML of one language is made of, with snippets in it."""

    body: Expanded
    layout: Expanded  # the body again, where there is none
    preheader: Expanded
    parameters: Expanded
    language: str
    is_raw: bool


@dataclass(slots=True)
class Document:
    html: str = ""
    links: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def compile_document(sources: Sources, library: Library) -> Document:
    """Compile sources whose grammar was checked."""
    document = Document()
    pieces = (sources.body, sources.layout, sources.preheader, sources.parameters)
    protection = Protection(*(piece.text for piece in pieces))
    marked = _html(sources, library, protection, document)
    if not document.problems and (fault := misshapen(marked, protection)):
        document.problems.append(_placed(marked, *fault, sources, protection))
    if not document.problems:
        document.problems += check_contexts(marked, protection)
    if not (document.problems or sources.is_raw):
        document.problems += forged_addresses(protection)
    if not document.problems:
        _finish(document, marked, sources, protection)
    return document


def _html(sources: Sources, library: Library, protection: Protection, document: Document) -> str:
    """Return the HTML as the author means it, with words for all tags."""
    body = protection.protect(sources.body)
    if sources.body.kind == Kind.MARKDOWN:
        content = markdown_to_html(body, protection)
        if fault := misshapen(content, protection):  # before it takes part of the layout with it
            document.problems.append(Problem(sources.body.part, None, fault[1]))
        html = _in_layout(sources, content, protection, document)
    else:
        html = _to_html(sources.body, protection, document)
    html, faults = with_media(protection.as_words(html), protection, library.media)
    document.problems += [_of_file(fault, sources, protection) for fault in faults]
    return quoted(html, protection)


def _of_file(fault: Fault, sources: Sources, protection: Protection) -> Problem:
    """Return the problem where the file is named, in the body or in the layout."""
    for piece in (sources.body, sources.layout):
        marked = protection.protect(piece)
        if (offset := fault.offset(marked)) is not None:
            return piece.problem(protection.offset(marked, offset), fault.message)
    return Problem(sources.body.part, None, fault.message)


def _to_html(source: Expanded, protection: Protection, document: Document) -> str:
    if source.kind != Kind.MJML:
        return protection.protect(source)
    html, problems = mjml_to_html(source, protection)
    document.problems += problems
    return html


def _in_layout(sources: Sources, content: str, protection: Protection, document: Document) -> str:
    layout = _to_html(sources.layout, protection, document)
    places = [
        mark
        for mark in protection.marks(layout)
        if CONTENT.fullmatch(protection.tag(mark).source)
        and protection.tag(mark).within is sources.layout
    ]
    if len(places) != 1 and not document.problems:
        message = _("a layout has one {{ content }}, where the text goes; there is none")
        if places:
            message = _(
                "a layout has one {{ content }}, where the text goes; there are %(count)s"
            ) % {"count": len(places)}
        document.problems.append(sources.layout.problem(0, message))
        return ""
    for mark in places:
        layout = layout.replace(f"<!--{mark[0]}-->", content).replace(mark[0], content)
    return layout


def _placed(
    marked: str, position: int, message: str, sources: Sources, protection: Protection
) -> Problem:
    """Return a problem at a place of the HTML, which is the author's where nothing was made."""
    if sources.body.kind != Kind.HTML:
        return Problem(sources.body.part, None, message)
    return sources.body.problem(protection.offset(marked, position), message)


def _finish(document: Document, marked: str, sources: Sources, protection: Protection) -> None:
    html = protection.in_context(marked)
    if not sources.is_raw:
        clean = sanitised(html, protection)
        if clean != html:
            document.warnings += _removed(sources, protection)
        html = clean
    html = with_language(html, sources.language)  # styles may ask for the direction
    html = inlined(html, protection, is_mjml=sources.layout.kind == Kind.MJML)
    html = with_preheader(html, protection.protect(sources.preheader), protection)
    parameters = protection.protect(sources.parameters).strip().lstrip("?&")
    html, warnings = with_parameters(protection.as_words(html), parameters, protection)
    document.warnings += warnings
    document.problems += guard_addresses(html, protection)
    document.problems += guard_styles(html, protection)
    document.links = links(html, protection)
    document.html = protection.restore(html)


def _removed(sources: Sources, protection: Protection) -> list[Problem]:
    """Say what sanitising took away: where it was written, as far as that can be seen."""
    pieces = [sources.body] if sources.layout is sources.body else [sources.body, sources.layout]
    found = [
        piece.problem(
            protection.offset(protection.protect(piece), offset), protection.restore(message)
        )
        for piece in pieces
        for offset, message in islice(
            removed(protection.protect(piece), protection, is_mjml=piece.kind == Kind.MJML),
            _WARNINGS,
        )
    ]
    if not found:
        message = _("HTML that mail may not have was left out; look at the preview")
        found.append(Problem(sources.body.part, None, message))
    return found
