"""Sentences that are stored today and read tomorrow, by people of several languages."""

from dataclasses import dataclass, field
from typing import Any, Self

from django.utils.formats import number_format
from django.utils.translation import gettext


def number(count: int) -> str:
    """Write a number as the reader's language does: 1,234 or 1.234."""
    return number_format(count, use_l10n=True, force_grouping=True)


@dataclass(frozen=True, slots=True)
class Translatable:
    """A sentence of ours and what it says it about: `Translatable("%(n)s people", {"n": 3})`.

    Stored as `[text, values]`, values as JSON has them; `str()` is the sentence in the language of
    whoever reads it. The text is a literal, so `manage.py update_translations` finds it. A value
    may be such a sentence itself. A whole number is written as the reader's language does, so its
    place is `%(n)s`; one that is a name, as of a line or a port, is given as a text.
    """

    text: str
    values: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = {name: _shown(value) for name, value in self.values.items()}
        return gettext(self.text) % shown if shown else gettext(self.text)

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def stored(self) -> list[Any]:
        values = self.values.items()
        return [self.text, {name: _stored(value) for name, value in values}]

    @classmethod
    def of(cls, stored: list[Any]) -> Self:
        return cls(*stored)


def _stored(value: Any) -> Any:
    return value.stored if isinstance(value, Translatable) else value


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return str(Translatable.of(value))
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return number(value) if is_number else value
