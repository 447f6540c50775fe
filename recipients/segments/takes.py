"""What operators take: values as rules have them, and as people type them."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy, pgettext

from recipients.addresses import BadAddress, parse_address
from recipients.models import FieldKind
from recipients.segments.known import Known
from recipients.translatable import number
from recipients.values import BadValue, Kind, in_digits, tidy

StrOrPromise: TypeAlias = "str | Promise"
"""A text of ours, in the language of whoever reads it."""

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

    def options(self, known: Known) -> Mapping[str, StrOrPromise]:
        """Return what may be chosen: value and label; nothing where a value is typed."""


class Typed:
    """What is typed, and not chosen."""

    def options(self, _known: Known) -> Mapping[str, StrOrPromise]:
        return {}

    def words(self, value: Any, _known: Known) -> str:
        return str(value)


class Nothing(Typed):
    widget = Widget.NOTHING

    def read(self, value: Any, _known: Known) -> None:
        if value not in (None, "", []):
            raise BadValue(_("this takes no value"))

    def words(self, _value: Any, _known: Known) -> str:
        return ""


class Text(Typed):
    widget = Widget.TEXT

    def read(self, value: Any, _known: Known) -> str:
        if not isinstance(value, str) or not value.strip():
            raise BadValue(_("write what to look for"))
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
            raise BadValue(_("write a domain, like example.org")) from None


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
            raise BadValue(_("name at least one"))
        if len(value) > MOST_VALUES:
            raise BadValue(_("name at most %(most)s") % {"most": MOST_VALUES})
        return list(dict.fromkeys(self.one.read(each, known) for each in value))

    def words(self, value: Any, known: Known) -> str:
        *others, last = (self.one.words(each, known) for each in value)
        if not others:
            return last
        return _("%(others)s or %(last)s") % {"others": ", ".join(others), "last": last}

    def options(self, known: Known) -> Mapping[str, StrOrPromise]:
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
        return date_format(date.fromisoformat(value), pgettext("a format of dates", "j F Y"))


@dataclass(frozen=True, slots=True)
class Span(Typed):
    """From one value to another one, both included."""

    end: Takes

    @property
    def widget(self) -> Widget:
        return Widget.DATES if self.end.widget == Widget.DATE else Widget.NUMBERS

    def read(self, value: Any, known: Known) -> list[Any]:
        if not isinstance(value, list) or len(value) != 2:
            raise BadValue(_("write two values: from, to"))
        low, high = (self.end.read(each, known) for each in value)
        if low > high:
            raise BadValue(
                _("%(low)s is after %(high)s")
                % {"low": self.end.words(low, known), "high": self.end.words(high, known)}
            )
        return [low, high]

    def words(self, value: Any, known: Known) -> str:
        low, high = (self.end.words(each, known) for each in value)
        return _("%(low)s and %(high)s") % {"low": low, "high": high}


@dataclass(frozen=True, slots=True)
class Count(Typed):
    """A whole number of something: days, campaigns."""

    most: int
    asks: StrOrPromise
    """What to write, with `%(most)s`."""
    one: StrOrPromise
    several: StrOrPromise
    """By `number`; `%(count)s` is the number as it is written."""
    widget: Widget = Widget.NUMBER

    def read(self, value: Any, _known: Known) -> int:
        text = str(value).strip() if isinstance(value, str | int) else ""
        is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(self.most))
        if isinstance(value, bool) or not is_number or not 1 <= int(text) <= self.most:
            raise BadValue(str(self.asks) % {"most": number(self.most)})
        return int(text)

    def words(self, value: Any, _known: Known) -> str:
        if value == 1:
            return str(self.one)
        return str(self.several % {"number": value, "count": number(value)})


DAYS = Count(
    MOST_DAYS,
    gettext_lazy("write a number of days, 1 to %(most)s"),
    gettext_lazy("day"),
    ngettext_lazy("%(count)s day", "%(count)s days", "number"),
)


@dataclass(frozen=True, slots=True)
class Choice:
    choices: Mapping[str, StrOrPromise] | Sequence[str]
    widget: Widget = Widget.CHOICE

    def read(self, value: Any, known: Known) -> str:
        options = self.options(known)
        if not isinstance(value, str) or value not in options:
            raise BadValue(
                _("choose one of %(options)s") % {"options": ", ".join(map(str, options.values()))}
            )
        return next(option for option in options if option == value)

    def words(self, value: Any, known: Known) -> str:
        return str(self.options(known).get(value, value))

    def options(self, _known: Known) -> Mapping[str, StrOrPromise]:
        if isinstance(self.choices, Mapping):
            return self.choices
        return dict(zip(self.choices, self.choices, strict=True))


_GONE = {
    "list": gettext_lazy("there is no such list any more; choose another one"),
    "tag": gettext_lazy("there is no such tag any more; choose another one"),
    "segment": gettext_lazy("there is no such segment any more; choose another one"),
}


@dataclass(frozen=True, slots=True)
class Named:
    """One of the lists, tags or segments, by its id."""

    what: str
    widget: Widget = field(default=Widget.CHOICE)

    def read(self, value: Any, known: Known) -> int:
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if text not in self.options(known):
            raise BadValue(str(_GONE[self.what]))
        return int(text)

    def words(self, value: Any, known: Known) -> str:
        return self.options(known).get(str(value), _("%(id)s (deleted)") % {"id": value})

    def options(self, known: Known) -> Mapping[str, str]:
        return {str(pk): name for pk, name in known.names(self.what).items()}


def _storable(text: str) -> str:
    if len(text) > LONGEST_VALUE:
        raise BadValue(_("write at most %(most)s characters") % {"most": LONGEST_VALUE})
    if any(unicodedata.category(character) in _NOT_TYPED for character in text):
        raise BadValue(_("there is a character that no text has in it; type it anew"))
    return text
