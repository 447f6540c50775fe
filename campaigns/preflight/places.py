"""Where an author wrote what failed: the lines of the compiled HTML are nobody's."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from recipients.translatable import Translatable
from templates_app.compiling.expanding import included
from templates_app.drafts import Draft, Written
from templates_app.grammar import blocks, outline
from templates_app.languages import chosen
from templates_app.models import Layout, Snippet, TemplateVersion
from templates_app.rendering import RenderError

_MOST_LINES = 10
_FIELDS = Translatable("fields")
# What an author writes in, beside the subject and the preheader.
_OWN = {"source": Translatable("source"), "text": Translatable("text")}


@dataclass(slots=True)
class Places:
    """Finds tags in what the author of a version wrote, and in the pieces that it names."""

    draft: Draft
    _known: dict[tuple[str, str, str], Translatable] = field(default_factory=dict)

    @classmethod
    def of(cls, version: TemplateVersion) -> "Places":
        return cls(Draft.from_json(version.source))

    def find(self, fault: RenderError, *, language: str) -> Translatable:
        """Return where it was written what is wrong.

        :param language: of the recipient.
        """
        key = fault.part, fault.tag, language
        if key not in self._known:
            self._known[key] = self._place(fault, language)
        return self._known[key]

    def _place(self, fault: RenderError, language: str) -> Translatable:
        written = self._read_by(language)
        texts = list(_texts(fault.part, written, self.draft.layout))
        found = [
            _on_lines(name, lines) for name, text in texts if (lines := _lines_of(text, fault.tag))
        ]
        place = _all(found) or (_FIELDS if fault.part == "fields" else texts[0][0])
        if len(self.draft.written) > 1 and written.language:
            said = {"place": place, "language": written.language}
            place = Translatable("%(place)s (%(language)s)", said)
        if fault.tag and not found:
            return Translatable("%(place)s, %(tag)s", {"place": place, "tag": fault.tag})
        return place

    def _read_by(self, language: str) -> Written:
        """Return what readers of a language get."""
        return self.draft.written[chosen(language, [each.language for each in self.draft.written])]


def _texts(part: str, written: Written, layout: str) -> Iterator[tuple[Translatable, str]]:
    """Yield the texts of which a compiled part is made, with their names."""
    if part == "subject":
        yield Translatable("subject"), written.subject
        return
    own = "text" if part == "text" and written.text else "source"
    text: str = getattr(written, own)
    yield _OWN[own], text
    if own == "source":
        yield Translatable("preheader"), written.preheader
        for each in Layout.objects.filter(name=layout):
            yield Translatable("layout %(name)r", {"name": each.name}), each.source
            text += each.source
    yield from _snippets(text)


def _snippets(text: str) -> Iterator[tuple[Translatable, str]]:
    """Yield the snippets that a text names, and those that they name; they are as of now."""
    seen: set[str] = set()
    names = included(text)
    while names := [name for name in names if name not in seen]:
        seen.update(names)
        found = Snippet.objects.filter(name__in=names).order_by("name")
        for each in found:
            yield Translatable("snippet %(name)r", {"name": each.name}), each.source
        names = [name for each in found for name in included(each.source)]


def _lines_of(text: str, tag: str) -> list[int]:
    """Return the lines with this tag; of one that was changed, those that print its fields."""
    lines = [text.count("\n", 0, one) + 1 for one, end in blocks(text) if text[one:end] == tag]
    if not lines:
        names = {name.text for name in outline(tag).names}
        found = outline(text).names
        lines = [each.line for each in found if each.text in names and not each.optional]
    return list(dict.fromkeys(lines))[:_MOST_LINES]


def _on_lines(name: Translatable, lines: list[int]) -> Translatable:
    *others, last = map(str, lines)
    if not others:
        return Translatable("%(name)s, line %(line)s", {"name": name, "line": last})
    said = {"name": name, "lines": ", ".join(others), "last": last}
    return Translatable("%(name)s, lines %(lines)s and %(last)s", said)


def _all(places: list[Translatable]) -> Translatable | None:
    if not places:
        return None
    together, *others = places
    for each in others:
        together = Translatable("%(one)s; %(other)s", {"one": together, "other": each})
    return together
