"""What operators take: values as rules have them, and as people type them."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Protocol

from recipients.addresses import BadAddress, parse_address
from recipients.models import FieldKind
from recipients.segments.known import Known
from recipients.values import BadValue, Kind, in_digits, tidy

LONGEST_VALUE = 200  # characters; the expressions of `custom` look at one more
MOST_VALUES = 100
MOST_DAYS = 36_500
_NOT_TYPED = frozenset({"Cc", "Cs"})  # control characters, and halves of others


class Widget(StrEnum):
    """How a value is asked for."""

    NOTHING = "nothing"
    TEXT = "text"
    LINES = "lines"  # several, one in each line
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"
    CHOICES = "choices"
    NUMBERS = "numbers"  # two: from, to
    DATES = "dates"


class Takes(Protocol):
    @property
    def widget(self) -> Widget: ...

    def read(self, value: Any, known: Known) -> Any:
        """Return a value as it is stored.

        :raises BadValue: it is none; the text says what to write.
        """

    def words(self, value: Any, known: Known) -> str:
        """Say a value that was read."""

    def options(self, known: Known) -> Mapping[str, str]:
        """Return what may be chosen: value and label; nothing where a value is typed."""


class Typed:
    """What is typed, and not chosen."""

    def options(self, _known: Known) -> Mapping[str, str]:
        return {}

    def words(self, value: Any, _known: Known) -> str:
        return str(value)


class Nothing(Typed):
    widget = Widget.NOTHING

    def read(self, value: Any, _known: Known) -> None:
        if value not in (None, "", []):
            raise BadValue("this takes no value")

    def words(self, _value: Any, _known: Known) -> str:
        return ""


class Text(Typed):
    widget = Widget.TEXT

    def read(self, value: Any, _known: Known) -> str:
        if not isinstance(value, str) or not value.strip():
            raise BadValue("write what to look for")
        return _storable(tidy(value.strip()))


class WholeAddress(Text):
    def read(self, value: Any, known: Known) -> str:
        text = super().read(value, known)
        try:
            return parse_address(text).key
        except BadAddress:
            return text  # nobody has it; an erasure leaves such a text in the place of an address


class Domain(Typed):
    widget = Widget.TEXT

    def read(self, value: Any, _known: Known) -> str:
        try:
            return parse_address(f"x@{value.strip().lstrip('@')}").domain
        except (BadAddress, AttributeError):
            raise BadValue("write a domain, like example.org") from None


@dataclass(frozen=True, slots=True)
class Several(Typed):
    """Some of what another one takes: a list, or a text with one in each line."""

    one: Takes

    @property
    def widget(self) -> Widget:
        return Widget.CHOICES if self.one.widget == Widget.CHOICE else Widget.LINES

    def read(self, value: Any, known: Known) -> list[Any]:
        if isinstance(value, str):
            value = [line for line in value.splitlines() if line.strip()]
        if not isinstance(value, list) or not value:
            raise BadValue("name at least one")
        if len(value) > MOST_VALUES:
            raise BadValue(f"name at most {MOST_VALUES}")
        return list(dict.fromkeys(self.one.read(each, known) for each in value))

    def words(self, value: Any, known: Known) -> str:
        *others, last = (self.one.words(each, known) for each in value)
        return f"{', '.join(others)} or {last}" if others else last

    def options(self, known: Known) -> Mapping[str, str]:
        return self.one.options(known)


class Number(Typed):
    widget = Widget.NUMBER
    _kind = Kind(FieldKind.NUMBER)

    def read(self, value: Any, _known: Known) -> Any:
        return self._kind.check(value)

    def words(self, value: Any, _known: Known) -> str:
        return in_digits(value)


class Date(Typed):
    widget = Widget.DATE
    _kind = Kind(FieldKind.DATE)

    def read(self, value: Any, _known: Known) -> Any:
        return self._kind.check(value)

    def words(self, value: Any, _known: Known) -> str:
        return f"{date.fromisoformat(value):%-d %B %Y}"


@dataclass(frozen=True, slots=True)
class Span(Typed):
    """From one value to another one, both included."""

    end: Takes

    @property
    def widget(self) -> Widget:
        return Widget.DATES if self.end.widget == Widget.DATE else Widget.NUMBERS

    def read(self, value: Any, known: Known) -> list[Any]:
        if not isinstance(value, list) or len(value) != 2:
            raise BadValue("write two values: from, to")
        low, high = (self.end.read(each, known) for each in value)
        if low > high:
            raise BadValue(f"{self.end.words(low, known)} is after {self.end.words(high, known)}")
        return [low, high]

    def words(self, value: Any, known: Known) -> str:
        return " and ".join(self.end.words(each, known) for each in value)


@dataclass(frozen=True, slots=True)
class Count(Typed):
    """A whole number of something: days, campaigns."""

    what: str
    most: int
    widget: Widget = Widget.NUMBER

    def read(self, value: Any, _known: Known) -> int:
        text = str(value).strip() if isinstance(value, str | int) else ""
        is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(self.most))
        if isinstance(value, bool) or not is_number or not 1 <= int(text) <= self.most:
            raise BadValue(f"write a number of {self.what}, 1 to {self.most:,}")
        return int(text)

    def words(self, value: Any, _known: Known) -> str:
        return self.what.removesuffix("s") if value == 1 else f"{value:,} {self.what}"


DAYS = Count("days", MOST_DAYS)


@dataclass(frozen=True, slots=True)
class Choice:
    choices: Mapping[str, str] | Sequence[str]
    widget: Widget = Widget.CHOICE

    def read(self, value: Any, known: Known) -> str:
        if not isinstance(value, str) or value not in (options := self.options(known)):
            raise BadValue(f"choose one of {', '.join(self.options(known).values())}")
        return next(option for option in options if option == value)

    def words(self, value: Any, known: Known) -> str:
        return self.options(known).get(value, value)

    def options(self, _known: Known) -> Mapping[str, str]:
        if isinstance(self.choices, Mapping):
            return self.choices
        return dict(zip(self.choices, self.choices, strict=True))


@dataclass(frozen=True, slots=True)
class Named:
    """One of the lists, tags or segments, by its id."""

    what: str
    widget: Widget = field(default=Widget.CHOICE)

    def read(self, value: Any, known: Known) -> int:
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if text not in self.options(known):
            raise BadValue(f"there is no such {self.what} any more; choose another one")
        return int(text)

    def words(self, value: Any, known: Known) -> str:
        return self.options(known).get(str(value), f"{value} (deleted)")

    def options(self, known: Known) -> Mapping[str, str]:
        return {str(pk): name for pk, name in known.names(self.what).items()}


def _storable(text: str) -> str:
    if len(text) > LONGEST_VALUE:
        raise BadValue(f"write at most {LONGEST_VALUE} characters")
    if any(unicodedata.category(character) in _NOT_TYPED for character in text):
        raise BadValue("there is a character that no text has in it; type it anew")
    return text
