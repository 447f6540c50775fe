"""A frozen version, ready to render: what readers of each language get."""

from collections.abc import Mapping

from templates_app.languages import chosen
from templates_app.rendering import Compiled, Plain, Rendered


class Variants:
    """The fallback, and the same in further languages.

    :param language: the fallback's own; may be unknown, so empty.
    :param others: by their languages.
    """

    def __init__(
        self, fallback: Compiled, *, language: str = "", others: Mapping[str, Compiled]
    ) -> None:
        self._contents = [fallback, *others.values()]
        self._tags = [language, *others]
        self._chosen: dict[str, Compiled] = {}

    def of(self, language: str) -> Compiled:
        """Return what is said to a reader of this language."""
        if len(self._contents) == 1:
            return self._contents[0]
        if language not in self._chosen:
            if len(self._chosen) >= _MOST_CHOSEN:
                self._chosen.clear()
            self._chosen[language] = self._contents[chosen(language, self._tags)]
        return self._chosen[language]

    def reads(self, name: str) -> bool:
        """Whether any language prints or asks for this name."""
        return any(each.reads(name) for each in self._contents)

    def render(self, context: Mapping[str, Plain]) -> Rendered:
        """Render for one recipient, in the language that the context names as theirs.

        :raises RenderError: a field has no value, or the result is too large.
        :raises NotPlain: the context holds something else than plain values.
        """
        return self.of(str(context.get("language") or "")).render(context)


_MOST_CHOSEN = 1_000  # languages as recipients have them, which anybody can write
