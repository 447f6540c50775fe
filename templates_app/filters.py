"""What templates do with values: `{{ born | date("long") }}`, in the language of the content.

Each takes what any author may write and any recipient may have in a field. The engine's fuel counts
a filter as one step, whatever it does, so each has limits of its own.
"""

import copy
import itertools
import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import NumberPattern, is_currency
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from minijinja import pass_state

from templates_app.languages import locale_of
from templates_app.schemes import is_program


def gettext_noop(text: str) -> str:
    """Mark what is translated later; Django's own needs settings, and a rehearsal has none yet."""
    return text


NO_VALUE = gettext_noop("a field has no value; write | default('…') after it if it may be missing")
TOO_LARGE = gettext_noop("the result is too large")
# Of one recipient's fields.
NO_TIME = gettext_noop("%(value)s has no time of day, as 2026-12-04T15:30 has")
NO_DATE = gettext_noop("%(value)s is no date like 2026-12-04 or 2026-12-04T15:30")
NO_NUMBER = gettext_noop("%(value)s is no number like 12 or -3.5")


class BadArgument(ValueError):
    """What the author has written beside the value is wrong, whatever the value is."""


_VALUE_LIMIT = 64 * 1024  # characters of what one filter makes
_WORK_LIMIT = 2 * 1024 * 1024  # characters that the filters of one part work on
_FORM_LIMIT = 50
_MOST_PARTS = 1_000
_MOST_COLUMNS = 20
_MOST_DECIMALS = 6
_REMEMBERED = 4_096  # short texts
_TOO_GREAT = 10**15

_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_DIGIT_OF_VALUE = re.compile("[1-9]")  # of CLDR's patterns, which keep to these digits
# Nothing that ends a value, or begins a function, a rule or a comment.
_IN_CSS = re.compile(r"[\w\s#%.,+~-]*")
_PAGE = re.compile(r"(https?://[\w.-]+(?::\d+)?)((?:[/?#].*)?)", re.IGNORECASE | re.DOTALL)
_STRFTIME = re.compile(r"(?:[^%]|%-?[A-Za-z%])*")
# Of what Unicode (UTS 35) lets a pattern say, all but zones: a time is shown as it was written.
# Nor `b`: of noon and midnight some languages have no word, so that it fails for some people.
_PATTERN = re.compile(r"(?:'[^']*'|[^A-Za-z']|[GyYuQqMLwWdDFEecaBhHKkmsS])*")
_DATE_NAMES = frozenset({"short", "medium", "long", "full"})
_TIME_NAMES = frozenset({"short", "medium"})
_LONGEST_DATE = len("2026-12-04")
_PLURALS = ("zero", "one", "two", "few", "many", "other")  # CLDR's categories
_PART_OF_WORD = r"[^\s!-/:-@\[-`{-~]"
# With what is left out or belongs to somebody: `don't`, `Ada's`, but `O'Neil`.
_WORD = re.compile(rf"{_PART_OF_WORD}+(?:'[a-zA-Z]{{1,2}}(?!{_PART_OF_WORD}))?")


def filters_of(language: str) -> dict[str, Callable[..., Any]]:
    """Return the filters by name; the engine has some more of its own (`grammar.FILTERS`)."""
    local = _Local(locale_of(language))
    return {
        "address": _address,
        "capitalize": _changed_by(str.capitalize),
        "css": _css,
        "d": _default,
        "date": local.date,
        "default": _default,
        "e": _escape,
        "escape": _escape,
        "join": _join,
        "lower": _changed_by(str.lower),
        "money": local.money,
        "number": local.number,
        "percent": local.percent,
        "plural": local.plural,
        "replace": _replace,
        "rows": _rows,
        "split": _split,
        "time": local.time,
        "title": _changed_by(_titled),
        "trim": _changed_by(str.strip),
        "truncate": _truncate,
        "upper": _changed_by(str.upper),
        "urlencode": _urlencode,
    }


def is_divisible(value: object, divisor: object) -> bool:
    """Whether a number is a multiple of another; the engine's own test aborts at a zero."""
    if not (isinstance(value, int | float) and isinstance(divisor, int | float)):
        return False
    return divisor != 0 and value % divisor == 0


class _Local:
    """The filters that write as people of one language do."""

    def __init__(self, locale: Locale) -> None:
        self._locale = locale

    def date(self, value: object, form: object = "medium") -> str:
        """Write the day: `short` to `full`, '%d.%m.%Y' (strftime), or 'd MMMM' (UTS 35)."""
        return _date(_moment(value), _form(form), self._locale)

    def time(self, value: object, form: object = "short") -> str:
        """Write the time of day that a date and time has, in its own zone."""
        if len(_text(value)) <= _LONGEST_DATE:
            raise ValueError(_(NO_TIME) % {"value": _quoted(value)})
        return _time(_moment(value), _form(form), self._locale)

    def number(self, value: object, decimals: object = None) -> str:
        return _written(self._locale, "number", _number(value), _decimals(decimals))

    def percent(self, value: object, decimals: object = 0) -> str:
        """Write a part of one: 0.25 is 25 %."""
        return _written(self._locale, "percent", _number(value), _decimals(decimals))

    def money(self, value: object, currency: object, decimals: object = None) -> str:
        """Write an amount; with as many decimals as the currency has (ISO 4217)."""
        code = _text(currency)
        if not _is_currency(code):
            raise BadArgument(
                _("%(code)s is no currency such as EUR, USD or VND") % {"code": _quoted(code)}
            )
        return _written(self._locale, "money", _number(value), _decimals(decimals), code)

    def plural(self, value: object, *forms: object, **named: object) -> str:
        """Choose a form by CLDR's rules: ("item", "items"), or one=, few=, many= and other=."""
        texts = {**dict(zip(("one", "other")[-len(forms) :], forms, strict=False)), **named}
        if len(forms) > 2 or "other" not in texts or not texts.keys() <= set(_PLURALS):
            raise BadArgument(
                _(
                    'write plural("item", "items"), or plural(one="…", few="…", many="…", '
                    'other="…") with the names %(names)s; other is for all that have no form'
                )
                % {"names": ", ".join(_PLURALS)}
            )
        return _text(texts.get(self._locale.plural_form(_number(value)), texts["other"]))


# Each takes 20 to 40 µs, for HTML and text alike, and many recipients have the same values.
@lru_cache(maxsize=_REMEMBERED)
def _date(when: datetime, form: str, locale: Locale) -> str:
    if form in _DATE_NAMES:
        return format_date(when, form, locale=locale)
    return _in_form(when, form, locale, names="short, medium, long, full")


@lru_cache(maxsize=_REMEMBERED)
def _time(when: datetime, form: str, locale: Locale) -> str:
    if form in _TIME_NAMES:
        return format_time(when, form, locale=locale)
    return _in_form(when, form, locale, names="short, medium")


def _in_form(when: datetime, form: str, locale: Locale, *, names: str) -> str:
    if "%" in form and _STRFTIME.fullmatch(form):
        return when.strftime(form)
    try:
        if _PATTERN.fullmatch(form) and "%" not in form:
            return format_datetime(when, form, locale=locale)
    except ValueError:  # a letter too often
        pass
    raise BadArgument(
        _("%(form)s is no form; write %(names)s, '%%d.%%m.%%Y' or 'd MMMM y'")
        % {"form": _quoted(form), "names": names}
    )


@lru_cache(maxsize=_REMEMBERED)
def _written(
    locale: Locale, kind: str, number: Decimal, decimals: int | None, currency: str | None = None
) -> str:
    pattern = _patterns(locale)[kind]
    if decimals is not None:
        pattern = copy.copy(pattern)
        pattern.frac_prec = (decimals, decimals)
    with localcontext(rounding=ROUND_HALF_UP):  # as people round, who pay: 0.125 is 0.13
        written = pattern.apply(number, locale, currency=currency, currency_digits=decimals is None)
    if number < 0 and not _DIGIT_OF_VALUE.search(written):
        return _written(locale, kind, Decimal(0), decimals, currency)
    return str(written)


def _patterns(locale: Locale) -> dict[str, NumberPattern]:
    return {
        "number": locale.decimal_formats[None],
        "percent": locale.percent_formats[None],
        "money": locale.currency_formats["standard"],
    }


def _decimals(decimals: object) -> int | None:
    if decimals is None or (type(decimals) is int and 0 <= decimals <= _MOST_DECIMALS):
        return decimals
    raise BadArgument(
        _("a number has 0 to %(most)s decimals, not %(value)s")
        % {"most": _MOST_DECIMALS, "value": _quoted(decimals)}
    )


def _changed_by(change: Callable[..., str]) -> Callable[..., str]:
    """Make a filter of what changes a text, and makes it no longer to speak of."""

    @pass_state
    def changed(state: Any, value: object, *arguments: object) -> str:
        text = _text(value)
        _charge(state, len(text))
        return change(text, *arguments)

    return changed


def _titled(text: str) -> str:
    return _WORD.sub(lambda word: word[0].capitalize(), text)


@pass_state
def _escape(state: Any, value: object) -> object:
    """Return a value as it came: HTML is escaped where it is printed, and other parts never are."""
    _charge(state, len(_text(value)))
    return value


def _default(value: object = None, alternative: object = "", *_: object) -> object:
    """A blank cell of a CSV is a missing value to an author, so '' and None count as missing."""
    return alternative if value is None or value == "" else value


@pass_state  # type: ignore[arg-type]  # its stub knows filters of one argument
def _replace(state: Any, value: object, old: object, new: object) -> str:
    text, searched, put = _text(value), _text(old), _text(new)
    _charge(state, len(text))
    _charge(state, text.count(searched) * len(put))
    return text.replace(searched, put)


@pass_state
def _join(state: Any, value: Collection[object], separator: object = "") -> str:
    if value is None:
        raise ValueError(_(NO_VALUE))
    _charge(state, len(value))
    texts, between = [_text(item) for item in value], _text(separator)
    _charge(state, sum(map(len, texts)) + len(texts) * len(between))
    return between.join(texts)


@pass_state
def _split(state: Any, value: object, separator: object = ",") -> Sequence[object]:
    """Make a list of a text; what is blank between two separators is left out.

    What is a list already stays as it is.
    """
    return value if isinstance(value, list | tuple) else _parts(state, value, separator)


@pass_state
def _rows(state: Any, value: object, *columns: object) -> Sequence[object]:
    """Make a list of entries of a text: rows by line or semicolon, their cells by `|`.

    What is a list already stays as it is.
    """
    if isinstance(value, list | tuple):
        return value
    names = [_text(column) for column in columns]
    if not 0 < len(names) <= _MOST_COLUMNS:
        raise BadArgument(
            _('rows needs the names of its columns, %(most)s at most: rows("name", "price")')
            % {"most": _MOST_COLUMNS}
        )
    text = _text(value)
    rows = _parts(state, text, "\n" if "\n" in text.strip() else ";")
    _charge(state, len(rows) * len(names))
    return [_entry(row, names) for row in rows if row.strip("| ")]


def _entry(row: str, names: list[str]) -> dict[str, str]:
    cells = [cell.strip() for cell in row.split("|")]
    if len(cells) > len(names):
        raise ValueError(
            _("%(row)s has more than %(most)s parts") % {"row": _quoted(row), "most": len(names)}
        )
    return dict(itertools.zip_longest(names, cells, fillvalue=""))


def _parts(state: Any, value: object, separator: object) -> tuple[str, ...]:
    text, between = _text(value), _text(separator)
    _charge(state, len(text))
    if not between:
        raise BadArgument(_("split needs a separator, such as split(';')"))
    if text.count(between) >= _MOST_PARTS:
        raise ValueError(
            _("more than %(most)s parts")
            % {"most": number_format(_MOST_PARTS, force_grouping=True)}
        )
    return tuple(part.strip() for part in text.split(between) if part.strip())


@pass_state
def _truncate(state: Any, value: object, length: object = 80, end: object = "…") -> str:
    """Shorten to so many characters, the end among them; between words where that is possible."""
    text, ending = _text(value), _text(end)
    _charge(state, len(text))
    if type(length) is not int or length < len(ending):
        raise BadArgument(
            _("truncate needs a whole number above the length of %(ending)s")
            % {"ending": _quoted(ending)}
        )
    if len(text) <= length:
        return text
    room = length - len(ending)
    whole_words = text[: room + 1].rpartition(" ")[0]
    return (whole_words or text[:room]).rstrip() + ending


@pass_state
def _address(state: Any, value: object) -> object:
    """Let an address through that leads to a page, a mail or a phone; it is put in for authors."""
    text = _text(value)
    _charge(state, len(text))
    if is_program(text):
        raise ValueError(
            _("%(text)r is no address that a link may have; write https://, mailto: or tel:")
            % {"text": text[:60]}
        )
    return value  # as it came: what is escaped already is not escaped again


@pass_state
def _css(state: Any, value: object) -> object:
    """Let a word, a colour, a number or an address through; it is put in for authors."""
    text = _text(value)
    _charge(state, len(text) * 12)  # as in `_urlencode`
    if _IN_CSS.fullmatch(text):
        return value
    if page := _PAGE.fullmatch(text):
        return page[1] + quote(page[2], safe="%/?#@!$&+,=~")
    raise ValueError(
        _("%(text)r may not stand in a style; a colour, a number, a word or an address may")
        % {"text": text[:60]}
    )


@pass_state
def _urlencode(state: Any, value: object) -> str:
    text = _text(value)
    _charge(state, len(text) * 12)  # at most 4 bytes each, written as %XX
    return quote(text, safe="")


def _text(value: object) -> str:
    """Return a filter's argument as text; the engine hands over a missing value as None."""
    if value is None:
        raise ValueError(_(NO_VALUE))
    return str(value)


def _charge(state: Any, characters: int) -> None:
    """Stop filters that work on too much, also in sum: the engine counts each as one step."""
    worked_on = state.get_temp("worked_on", 0) + characters
    if characters > _VALUE_LIMIT or worked_on > _WORK_LIMIT:
        raise ValueError(_(TOO_LARGE))
    state.set_temp("worked_on", worked_on)


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def _form(form: object) -> str:
    if len(_text(form)) > _FORM_LIMIT:
        raise ValueError(_(TOO_LARGE))
    return _text(form)


def _moment(value: object) -> datetime:
    """Return a date, or a date and time, of ISO 8601; without its zone, which is not shown."""
    try:
        return datetime.fromisoformat(_text(value)).replace(tzinfo=None)
    except ValueError:
        if value is None:
            raise
    raise ValueError(_(NO_DATE) % {"value": _quoted(value)})


def _number(value: object) -> Decimal:
    """Return a number of a field of that kind, or of a text."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        if abs(value) < _TOO_GREAT:  # not NaN either
            return Decimal(repr(value))
    elif _NUMBER.fullmatch(_text(value).strip()):
        return Decimal(_text(value).strip())
    raise ValueError(_(NO_NUMBER) % {"value": _quoted(value)})


@lru_cache(maxsize=256)
def _is_currency(code: str) -> bool:
    return is_currency(code)
