"""A frozen version, ready to render: what readers of each language get."""

from collections.abc import Mapping

from templates_app.languages import lookup
from templates_app.rendering import Compiled, Plain, Rendered


class Variants:
    """The fallback, and the same in further languages.

    :param language: the fallback's own; may be unknown, so empty.
    :param others: by their languages.
    """

    def __init__(
        self, fallback: Compiled, *, language: str = "", others: Mapping[str, Compiled]
    ) -> None:
        self._fallback = fallback
        self._by_tag = {tag.lower(): compiled for tag, compiled in others.items()}
        if others and language:
            self._by_tag[language.lower()] = fallback
        self._chosen: dict[str, Compiled] = {}

    def of(self, language: str) -> Compiled:
        """Return what is said to a reader of this language."""
        if not self._by_tag:
            return self._fallback
        if language not in self._chosen:
            tag = lookup(language, self._by_tag)
            if len(self._chosen) >= _MOST_CHOSEN:
                self._chosen.clear()
            self._chosen[language] = self._by_tag[tag] if tag else self._fallback
        return self._chosen[language]

    def reads(self, name: str) -> bool:
        """Whether any language prints or asks for this name."""
        return any(each.reads(name) for each in [self._fallback, *self._by_tag.values()])

    def render(self, context: Mapping[str, Plain]) -> Rendered:
        """Render for one recipient, in the language that the context names as theirs.

        :raises RenderError: a field has no value, or the result is too large.
        :raises NotPlain: the context holds something else than plain values.
        """
        return self.of(str(context.get("language") or "")).render(context)


_MOST_CHOSEN = 1_000  # languages as recipients have them, which anybody can write
