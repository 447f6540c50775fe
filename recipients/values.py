"""Values of custom fields: from what people write to what is stored, by the field's kind."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypeAlias, TypeGuard

from django.utils.translation import gettext as _

from recipients.models.fields import Field, FieldKind
from recipients.translatable import number

Value: TypeAlias = "str | int | float | bool"

LONGEST_TEXT = 10_000  # characters

_TOO_LARGE = 10**15

_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NO_BREAK = dict.fromkeys(map(ord, "\u00a0\u2007\u202f"), " ")
_YES = frozenset({"1", "true", "yes", "y", "on", "x"})
_NO = frozenset({"0", "false", "no", "n", "off"})


class BadValue(ValueError):
    """Not a value of this field; the text says what to write."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field takes, without its row."""

    kind: FieldKind
    choices: Collection[str] = field(default_factory=tuple)

    def read(self, text: str) -> Value:
        """Return the value that is stored for a text that is not blank.

        :raises BadValue: it is none of this kind.
        """
        text = tidy(text.strip())
        if self.kind == FieldKind.CHOICE:
            return self._choice(text)
        return _READERS[self.kind](text)

    def _choice(self, text: str) -> str:
        for choice in self.choices:
            if tidy(choice).casefold() == text.casefold():
                return choice
        raise BadValue(
            _("%(value)s is none of %(choices)s")
            % {"value": _short(text), "choices": ", ".join(self.choices)}
        )

    def check(self, value: object) -> Value:
        """Return a value as JSON has it, if it is one of this kind.

        :raises BadValue: it is none.
        """
        if isinstance(value, str):
            return self.read(value)
        if self.kind == FieldKind.BOOLEAN and isinstance(value, bool):
            return value
        if self.kind == FieldKind.NUMBER and _is_number(value):
            return value
        raise BadValue(
            _("%(value)s is no value of kind %(kind)s")
            % {"value": _short(str(value)), "kind": self.kind.label.lower()}
        )


def kinds_of(fields: Iterable[Field]) -> dict[str, Kind]:
    """Return what custom fields take, by their names."""
    return {each.name: Kind(FieldKind(each.kind), tuple(each.choices)) for each in fields}


def tidy(text: str) -> str:
    """Return a text in the one form in which it is stored, and asked for (NFC).

    A space at which no line breaks looks like any other one, and nobody types it. What joins
    letters, or keeps them apart, is part of a word.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text.translate(_NO_BREAK))


def in_digits(number: float) -> str:
    """Return a number as `Kind.read` takes it: 0.00001, and never 1e-05."""
    return f"{Decimal(repr(number)):f}"


def _text(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise BadValue(_("it is longer than %(most)s characters") % {"most": number(LONGEST_TEXT)})
    return text


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise BadValue(_("%(value)s is no number like 12 or -3.5") % {"value": _short(text)})
    return float(text) if "." in text else int(text)


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether a reader of JSON gets what was meant; NaN is smaller than nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _TOO_LARGE


def _date(text: str) -> str:
    try:
        if _ISO_DATE.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise BadValue(_("%(value)s is no date like 2026-12-04") % {"value": _short(text)})


def _boolean(text: str) -> bool:
    word = text.casefold()
    if word not in _YES | _NO:
        raise BadValue(_("%(value)s is neither yes nor no") % {"value": _short(text)})
    return word in _YES


_READERS: Mapping[FieldKind, Callable[[str], Value]] = {
    FieldKind.TEXT: _text,
    FieldKind.NUMBER: _number,
    FieldKind.DATE: _date,
    FieldKind.BOOLEAN: _boolean,
}


def _short(text: str) -> str:
    return repr(text if len(text) <= 50 else f"{text[:50]}…")
