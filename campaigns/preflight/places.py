"""Where an author wrote what failed: the lines of the compiled HTML are nobody's."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from templates_app.compiling.expanding import included
from templates_app.drafts import Draft, Written
from templates_app.grammar import blocks, outline
from templates_app.languages import chosen
from templates_app.models import Layout, Snippet, TemplateVersion
from templates_app.rendering import RenderError

_MOST_LINES = 10


@dataclass(slots=True)
class Places:
    """Finds tags in what the author of a version wrote, and in the pieces that it names."""

    draft: Draft
    _known: dict[tuple[str, str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, version: TemplateVersion) -> "Places":
        return cls(Draft.from_json(version.source))

    def say(self, fault: RenderError, *, language: str) -> str:
        """Return what is wrong, and where it was written.

        :param language: of the recipient.
        """
        key = fault.part, fault.tag, language
        if key not in self._known:
            self._known[key] = self._place(fault, language)
        return f"{self._known[key]}: {fault.reason}"

    def _place(self, fault: RenderError, language: str) -> str:
        written = self._read_by(language)
        texts = list(_texts(fault.part, written, self.draft.layout))
        found = [
            f"{name}, {_lines(lines)}"
            for name, text in texts
            if (lines := _lines_of(text, fault.tag))
        ]
        place = "; ".join(found) or ("fields" if fault.part == "fields" else texts[0][0])
        said = f"{place} ({written.language})" if len(self.draft.written) > 1 else place
        said = said.replace(" ()", "")
        return f"{said}, {fault.tag}" if fault.tag and not found else said

    def _read_by(self, language: str) -> Written:
        """Return what readers of a language get."""
        return self.draft.written[chosen(language, [each.language for each in self.draft.written])]


def _texts(part: str, written: Written, layout: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of which a compiled part is made, with their names."""
    if part == "subject":
        yield "subject", written.subject
        return
    own = "text" if part == "text" and written.text else "source"
    text: str = getattr(written, own)
    yield own, text
    if own == "source":
        yield "preheader", written.preheader
        for each in Layout.objects.filter(name=layout):
            yield f"layout {each.name!r}", each.source
            text += each.source
    yield from _snippets(text)


def _snippets(text: str) -> Iterator[tuple[str, str]]:
    """Yield the snippets that a text names, and those that they name; they are as of now."""
    seen: set[str] = set()
    names = included(text)
    while names := [name for name in names if name not in seen]:
        seen.update(names)
        found = Snippet.objects.filter(name__in=names).order_by("name")
        yield from ((f"snippet {each.name!r}", each.source) for each in found)
        names = [name for each in found for name in included(each.source)]


def _lines_of(text: str, tag: str) -> list[int]:
    """Return the lines with this tag; of one that was changed, those that print its fields."""
    lines = [text.count("\n", 0, one) + 1 for one, end in blocks(text) if text[one:end] == tag]
    if not lines:
        names = {name.text for name in outline(tag).names}
        found = outline(text).names
        lines = [each.line for each in found if each.text in names and not each.optional]
    return list(dict.fromkeys(lines))[:_MOST_LINES]


def _lines(lines: list[int]) -> str:
    if len(lines) == 1:
        return f"line {lines[0]}"
    return f"lines {', '.join(map(str, lines[:-1]))} and {lines[-1]}"
