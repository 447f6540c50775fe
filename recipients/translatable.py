"""Sentences that are stored today and read tomorrow, by people of several languages."""

from dataclasses import dataclass, field
from typing import Any, Self

from django.utils.translation import gettext


@dataclass(frozen=True, slots=True)
class Translatable:
    """A sentence of ours and what it says it about: `Translatable("%(n)s people", {"n": 3})`.

    Stored as `[text, values]`, values as JSON has them; `str()` is the sentence in the language of
    whoever reads it. The text is a literal, so `manage.py update_translations` finds it.
    """

    text: str
    values: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return gettext(self.text) % self.values if self.values else gettext(self.text)

    @property
    def stored(self) -> list[Any]:
        return [self.text, self.values]

    @classmethod
    def of(cls, stored: list[Any]) -> Self:
        return cls(*stored)
