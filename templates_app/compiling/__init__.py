"""From what an author wrote to what is rendered for each recipient; done once for each version."""

from collections.abc import Collection
from dataclasses import dataclass, field

from templates_app import rendering
from templates_app.compiling.library import Library, Piece
from templates_app.compiling.problems import Problem
from templates_app.drafts import Draft, Written
from templates_app.models import Kind
from templates_app.plaintext import html_to_text

__all__ = ["Compilation", "CompiledContent", "Library", "Piece", "Problem", "compile_draft"]


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

    :param known: the names of the recipients' fields; None: names are not checked.
    """
    compilation = Compilation()
    for written in draft.written:
        content = _content(draft.kind, written)
        compilation.contents.append(content)
        text = written.source if draft.kind == Kind.TEXT else written.text
        found = rendering.check_content(
            subject=content.subject, html=content.html, text=text, known=known or ()
        )
        compilation.problems += [
            _problem(draft.kind, written, each)
            for each in found
            if known is not None or not each.unknown
        ]
    return compilation


def _content(kind: Kind, written: Written) -> CompiledContent:
    html = "" if kind == Kind.TEXT else written.source
    text = written.source if kind == Kind.TEXT else written.text or html_to_text(html)
    return CompiledContent(written.language, written.subject, html, text)


def _problem(kind: Kind, written: Written, found: rendering.Problem) -> Problem:
    is_source = found.part == "html" or (found.part == "text" and kind == Kind.TEXT)
    part = "source" if is_source else found.part
    return Problem(part, found.line, found.message, written.language, unknown=found.unknown)
