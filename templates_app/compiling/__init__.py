"""From what an author wrote to what is rendered for each recipient; done once for each version."""

from dataclasses import dataclass

from templates_app.drafts import Draft, Written
from templates_app.models import Kind
from templates_app.plaintext import html_to_text


@dataclass(frozen=True, slots=True)
class CompiledContent:
    """What readers of one language get, with the tags of the template still in it."""

    language: str
    subject: str
    html: str
    text: str
    links: tuple[str, ...] = ()


def compile_draft(draft: Draft) -> list[CompiledContent]:
    """Return the contents, in the order in which they were written."""
    return [_content(draft.kind, written) for written in draft.written]


def _content(kind: Kind, written: Written) -> CompiledContent:
    html = "" if kind == Kind.TEXT else written.source
    text = written.source if kind == Kind.TEXT else written.text or html_to_text(html)
    return CompiledContent(written.language, written.subject, html, text)
