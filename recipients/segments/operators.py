"""The operators that subjects share, over an SQL expression that is never NULL."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeAlias

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

    equal = Operator("is", one, takes)
    one_of = Operator("is one of", some, Several(takes), words="{about} is {value}")
    return {
        "is": equal,
        "is_not": equal.denied("is not"),
        "one_of": one_of,
        "none_of": one_of.denied("is none of", "{about} is not {value}"),
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

    contains = Operator("contains", inside, Text())
    return {
        "contains": contains,
        "contains_not": contains.denied("does not contain"),
        "starts_with": Operator("starts with", starts, Text()),
    }


def ending(expression: Expression, *, written: Spelling = as_typed) -> dict[str, Operator]:
    def ends(question: Question) -> str:
        found = f"right({expression(question)}, length({{part}})) = {{part}}"
        return _any_spelling(question, written, found)

    return {"ends_with": Operator("ends with", ends, Text())}


def _any_spelling(question: Question, written: Spelling, condition: str) -> str:
    spellings = dict.fromkeys([question.value, written(question.value)])
    found = [condition.replace("{part}", _lower(question, each)) for each in spellings]
    return f"({' OR '.join(found)})" if len(found) > 1 else found[0]


def blankness(expression: Expression, blank: str) -> dict[str, Operator]:
    """Tell who has no value: where `blank` is true of {value}."""
    is_blank = Operator("is blank", lambda question: blank.format(value=expression(question)))
    return {"blank": is_blank, "not_blank": is_blank.denied("is not blank")}


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
    same = Operator("is", equal, number)
    return {
        "is": same,
        "is_not": same.denied("is not"),
        "less": Operator("is less than", less, number),
        "more": Operator("is more than", more, number),
        "between": Operator("is between", between, Span(number)),
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
        "on": Operator("is on", on, Date()),
        "before": Operator("is before", before, Date()),
        "after": Operator("is after", after, Date()),
        "between": Operator("is between", lambda each: within(each, *each.value), Span(Date())),
        **_last_days(last),
        "next_days": Operator(
            "is within the next days", coming, DAYS, words="{about} is within the next {value}"
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
        "on": Operator("is on", on, Date()),
        "before": Operator("is before", before, Date()),
        "after": Operator("is after", after, Date()),
        "between": Operator("is between", between, Span(Date())),
        **_last_days(last),
    }


def _last_days(last: Expression) -> dict[str, Operator]:
    recent = Operator(
        "is within the last days", last, DAYS, words="{about} is within the last {value}"
    )
    return {
        "last_days": recent,
        "not_last_days": recent.denied(
            "is not within the last days", "{about} is not within the last {value}"
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
