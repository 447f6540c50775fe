"""The operators that subjects share, over an SQL expression that is never NULL."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeAlias

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from recipients.segments.subjects import Operator, Question, days_ago, today
from recipients.segments.takes import DAYS, Date, Number, Several, Span, Takes, Text

Expression: TypeAlias = Callable[[Question], str]
Spelling: TypeAlias = Callable[[str], str]

# No number is further from 0 (recipients.values).
_LEAST, _MOST = "'-1e15'", "'1e15'"
NO_NUMBER = f"{{value}} NOT BETWEEN {_LEAST} AND {_MOST}"
FIRST_DAY, LAST_DAY = date.min.isoformat(), date.max.isoformat()


def as_typed(text: str) -> str:
    return text


def equality(expression: Expression, takes: Takes, *, folds: bool = True) -> dict[str, Operator]:
    """Compare with one value, or some.

    :param folds: the expression is in lower case
    """

    def bound(question: Question, value: object) -> str:
        return _lower(question, value) if folds else question.bind(value)

    def one(question: Question) -> str:
        return f"{expression(question)} = {bound(question, question.value)}"

    def some(question: Question) -> str:
        values = ", ".join(bound(question, value) for value in question.value)
        return f"{expression(question)} IN ({values})"

    equal = Operator(pgettext_lazy("a rule", "is"), _("%(about)s is %(value)s"), one, takes)
    one_of = Operator(_("is one of"), _("%(about)s is %(value)s"), some, Several(takes))
    return {
        "is": equal,
        "is_not": equal.denied(_("is not"), _("%(about)s is not %(value)s")),
        "one_of": one_of,
        "none_of": one_of.denied(_("is none of"), _("%(about)s is not %(value)s")),
    }


def parts(
    expression: Expression, whole: Expression, *, written: Spelling = as_typed
) -> dict[str, Operator]:
    """Look for a part of a text: at its beginning, and anywhere in all of it.

    :param written: how else what is looked for may stand there
    """

    def inside(question: Question) -> str:
        return _any_spelling(question, written, f"strpos({whole(question)}, {{part}}) > 0")

    def starts(question: Question) -> str:
        # Nothing that starts so is blank; a field's index has what is not, and PostgreSQL asks.
        found = expression(question)
        return _any_spelling(question, written, f"({found} ^@ {{part}} AND {found} <> '')")

    contains = Operator(_("contains"), _("%(about)s contains %(value)s"), inside, Text())
    return {
        "contains": contains,
        "contains_not": contains.denied(
            _("does not contain"), _("%(about)s does not contain %(value)s")
        ),
        "starts_with": Operator(
            _("starts with"), _("%(about)s starts with %(value)s"), starts, Text()
        ),
    }


def ending(expression: Expression, *, written: Spelling = as_typed) -> dict[str, Operator]:
    def ends(question: Question) -> str:
        found = f"right({expression(question)}, length({{part}})) = {{part}}"
        return _any_spelling(question, written, found)

    return {"ends_with": Operator(_("ends with"), _("%(about)s ends with %(value)s"), ends, Text())}


def _any_spelling(question: Question, written: Spelling, condition: str) -> str:
    spellings = dict.fromkeys([question.value, written(question.value)])
    found = [condition.replace("{part}", _lower(question, each)) for each in spellings]
    return f"({' OR '.join(found)})" if len(found) > 1 else found[0]


def blankness(expression: Expression, blank: str) -> dict[str, Operator]:
    """Tell who has no value: where `blank` is true of {value}."""
    is_blank = Operator(
        _("is blank"),
        _("%(about)s is blank"),
        lambda question: blank.format(value=expression(question)),
    )
    return {
        "blank": is_blank,
        "not_blank": is_blank.denied(_("is not blank"), _("%(about)s is not blank")),
    }


def numbers(expression: Expression) -> dict[str, Operator]:
    """Compare numbers as JSON has them: one look, where a cast needs two and can fail.

    PostgreSQL sorts JSON by its types: null, texts, numbers, true and false, and the rest.
    """

    def equal(question: Question) -> str:
        return f"{expression(question)} = {_number(question, question.value)}"

    def less(question: Question) -> str:
        found = expression(question)
        return f"({found} < {_number(question, question.value)} AND {found} >= {_LEAST})"

    def more(question: Question) -> str:
        found = expression(question)
        return f"({found} > {_number(question, question.value)} AND {found} <= {_MOST})"

    def between(question: Question) -> str:
        low, high = (_number(question, each) for each in question.value)
        return f"{expression(question)} BETWEEN {low} AND {high}"

    number = Number()
    same = Operator(pgettext_lazy("a rule", "is"), _("%(about)s is %(value)s"), equal, number)
    return {
        "is": same,
        "is_not": same.denied(_("is not"), _("%(about)s is not %(value)s")),
        "less": Operator(_("is less than"), _("%(about)s is less than %(value)s"), less, number),
        "more": Operator(_("is more than"), _("%(about)s is more than %(value)s"), more, number),
        "between": Operator(
            _("is between"), _("%(about)s is between %(value)s"), between, Span(number)
        ),
    }


def days(expression: Expression) -> dict[str, Operator]:
    """Compare dates, as texts: 2026-12-04; a blank is "", which is before all of them."""

    def within(question: Question, first: str, last: str) -> str:
        return f"{expression(question)} BETWEEN {question.bind(first)} AND {question.bind(last)}"

    def on(question: Question) -> str:
        return f"{expression(question)} = {question.bind(question.value)}"

    def before(question: Question) -> str:
        found = expression(question)
        first, last = question.bind(FIRST_DAY), question.bind(question.value)
        return f"({found} >= {first} AND {found} < {last})"

    def after(question: Question) -> str:
        found = expression(question)
        first, last = question.bind(question.value), question.bind(LAST_DAY)
        return f"({found} > {first} AND {found} <= {last})"

    def last(question: Question) -> str:
        return within(question, _day(question, -question.value), _day(question, 0))

    def coming(question: Question) -> str:
        return within(question, _day(question, 0), _day(question, question.value))

    return {
        **_one_day(on, before, after),
        "between": Operator(
            _("is between"),
            _("%(about)s is between %(value)s"),
            lambda each: within(each, *each.value),
            Span(Date()),
        ),
        **_last_days(last),
        "next_days": Operator(
            _("is within the next days"),
            _("%(about)s is within the next %(value)s"),
            coming,
            DAYS,
        ),
    }


def moments(expression: Expression) -> dict[str, Operator]:
    """Compare moments with days of UTC, and with now."""

    def on(question: Question) -> str:
        return _days_of(expression, question, question.value, question.value)

    def before(question: Question) -> str:
        return f"{expression(question)} < {_midnight(question, question.value)}"

    def after(question: Question) -> str:
        return f"{expression(question)} >= {_midnight(question, question.value, later=1)}"

    def last(question: Question) -> str:
        first, now = question.bind(days_ago(question)), question.bind(question.now)
        return f"{expression(question)} BETWEEN {first} AND {now}"

    def between(question: Question) -> str:
        return _days_of(expression, question, *question.value)

    return {
        **_one_day(on, before, after),
        "between": Operator(
            _("is between"), _("%(about)s is between %(value)s"), between, Span(Date())
        ),
        **_last_days(last),
    }


def _one_day(on: Expression, before: Expression, after: Expression) -> dict[str, Operator]:
    return {
        "on": Operator(_("is on"), _("%(about)s is on %(value)s"), on, Date()),
        "before": Operator(_("is before"), _("%(about)s is before %(value)s"), before, Date()),
        "after": Operator(_("is after"), _("%(about)s is after %(value)s"), after, Date()),
    }


def _last_days(last: Expression) -> dict[str, Operator]:
    recent = Operator(
        _("is within the last days"), _("%(about)s is within the last %(value)s"), last, DAYS
    )
    return {
        "last_days": recent,
        "not_last_days": recent.denied(
            _("is not within the last days"), _("%(about)s is not within the last %(value)s")
        ),
    }


def _days_of(expression: Expression, question: Question, first: str, last: str) -> str:
    found = expression(question)
    start, end = _midnight(question, first), _midnight(question, last, later=1)
    return f"({found} >= {start} AND {found} < {end})"


def _midnight(question: Question, day: str, *, later: int = 0) -> str:
    # PostgreSQL adds the day: it goes on after the last one that Python knows.
    return f"({question.bind(day)}::date + {later})::timestamp AT TIME ZONE 'UTC'"


def _number(question: Question, value: float) -> str:
    return f"{question.bind(json.dumps(value))}::jsonb"


def _lower(question: Question, value: object) -> str:
    return f"lower({question.bind(value)})"


def _day(question: Question, offset: int) -> str:
    return (today(question) + timedelta(days=offset)).isoformat()
