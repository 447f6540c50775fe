"""From what an author wrote to what is rendered for each recipient; done once for each version.

Source (MJML, HTML, Markdown, text) → snippets put in → tags protected → HTML → files of the media
library found → sanitised → styles inlined → preheader → link parameters → tags restored → text.
Pure: what a source needs beside itself comes as a `Library`.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from django.utils.translation import gettext as _

from templates_app import rendering
from templates_app.compiling.document import Document, Sources, compile_document
from templates_app.compiling.expanding import Expanded, expand, included
from templates_app.compiling.library import Library, Piece, Unusable
from templates_app.compiling.markdown import LETTER
from templates_app.compiling.problems import Problem
from templates_app.drafts import Draft, Written
from templates_app.models import Kind
from templates_app.plaintext import html_to_text

__all__ = [
    "Compilation",
    "CompiledContent",
    "Library",
    "Piece",
    "Problem",
    "Unusable",
    "compile_draft",
    "included",
    "piece_problems",
]


@dataclass(frozen=True, slots=True)
class CompiledContent:
    """What readers of one language get, with the tags of the template still in it."""

    language: str
    subject: str
    html: str
    text: str
    links: tuple[str, ...] = ()


@dataclass(slots=True)
class Compilation:
    """The contents, in the order in which they were written; of no use while there are problems."""

    contents: list[CompiledContent] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def compile_draft(
    draft: Draft, *, library: Library, known: Collection[str] | None = None
) -> Compilation:
    """Compile each language of a draft: the same input gives the same bytes.

    A language with a problem has no content.

    :param known: the names of the recipients' fields; None: names are not checked.
    """
    compilation = Compilation()
    for written in draft.written:
        one = _compile(draft, written, library, known)
        named = [replace(each, language=written.language) for each in one.problems]
        compilation.problems += named
        compilation.contents += one.contents
        compilation.warnings += [replace(each, language=written.language) for each in one.warnings]
    return compilation


def piece_problems(
    name: str, piece: Piece, library: Library, *, known: Collection[str] | None = None
) -> list[Problem]:
    """List what is wrong with a snippet by itself, whoever uses it.

    :param name: what it is called, such as: snippet 'footer'.
    """
    expanded = expand(
        piece.source, kind=piece.kind, part="source", snippets=library.snippets, piece=name
    )
    return [*expanded.problems, *([] if expanded.problems else _faults_of(expanded, known))]


def _compile(
    draft: Draft, written: Written, library: Library, known: Collection[str] | None
) -> Compilation:
    if draft.layout and draft.layout not in library.layouts:
        gone = Problem(
            "layout",
            None,
            _("there is no layout %(layout)r; choose another one") % {"layout": draft.layout},
        )
        return Compilation(problems=[gone])
    sources, text = _sources(draft, written, library)
    problems = [*_faults(written, sources, text, known)]
    if problems:
        return Compilation(problems=problems)
    if draft.kind == Kind.TEXT:
        plain = CompiledContent(written.language, written.subject, "", sources.body.text)
        return Compilation([plain])
    document = compile_document(sources, library)
    if document.problems:
        return Compilation(problems=document.problems, warnings=document.warnings)
    return _checked(written, document, text.text if written.text else "")


def _checked(written: Written, document: Document, text: str) -> Compilation:
    """Return the content, if its tags are still in an order that can be rendered."""
    content = CompiledContent(
        written.language,
        written.subject,
        document.html,
        text or html_to_text(document.html),
        document.links,
    )
    found = rendering.check_content(
        subject=content.subject, html=content.html, text=content.text, known=()
    )
    problems = [
        Problem(
            "source" if each.part == "html" else each.part,
            None,
            _("when it was compiled, its tags were not where they can be rendered: %(problem)s")
            % {"problem": each.message},
        )
        for each in found
        if not each.unknown
    ]
    return Compilation([] if problems else [content], problems, document.warnings)


def _sources(draft: Draft, written: Written, library: Library) -> tuple[Sources, Expanded]:
    def expanded(source: str, kind: Kind, part: str, piece: str = "") -> Expanded:
        return expand(source, kind=kind, part=part, snippets=library.snippets, piece=piece)

    body = expanded(written.source, draft.kind, "source")
    layout = body
    if draft.kind == Kind.MARKDOWN:
        chosen = library.layouts.get(draft.layout, Piece(Kind.HTML, LETTER))
        named = _("layout %(name)r") % {"name": draft.layout}
        name = named if draft.layout else _("the letter")
        layout = expanded(chosen.source, chosen.kind, "layout", name)
    sources = Sources(
        body=body,
        layout=layout,
        preheader=expanded(written.preheader, Kind.TEXT, "preheader"),
        parameters=expanded(draft.link_parameters, Kind.TEXT, "link_parameters"),
        language=written.language,
        is_raw=draft.is_raw,
    )
    return sources, expanded(written.text, Kind.TEXT, "text")


def _faults(
    written: Written, sources: Sources, text: Expanded, known: Collection[str] | None
) -> Iterator[Problem]:
    """Yield what is wrong with the tags, on the lines where the author wrote them."""
    subject = rendering.check_content(subject=written.subject, html="", text=" ", known=known or ())
    for each in subject:
        if known is not None or not each.unknown:
            yield Problem("subject", each.line, each.message, unknown=each.unknown)
    pieces = [sources.body, sources.layout, sources.preheader, sources.parameters, text]
    for number, piece in enumerate(pieces):
        if piece in pieces[:number]:
            continue
        yield from piece.problems
        yield from _faults_of(piece, known)


def _faults_of(piece: Expanded, known: Collection[str] | None) -> Iterator[Problem]:
    names = {*(known or ()), "content"} if piece.part == "layout" else known or ()
    found = rendering.check_content(subject="-", html="", text=piece.text, known=names)
    for each in found:
        if known is not None or not each.unknown:
            yield piece.on_line(each.line, each.message, unknown=each.unknown)
