"""Rules about the custom fields of an installation.

The expressions here are those of the fields' indexes (recipients.segments.indexes), letter by
letter, so that PostgreSQL finds them.
"""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from recipients.models import FieldKind
from recipients.segments.operators import (
    NO_NUMBER,
    Expression,
    blankness,
    days,
    equality,
    numbers,
    parts,
)
from recipients.segments.subjects import Operator, Question, Subject
from recipients.segments.takes import Choice, Text
from recipients.values import Kind

HEADING = _("Fields")

# What a rule about a field compares, never NULL. Of texts no more than a rule can say
# (takes.LONGEST_VALUE) and one character: so two of them are equal where the wholes are, and none
# is too long for an index.
FOLDED = """(lower(left(COALESCE(recipient.fields ->> {name}, ''), 201)) COLLATE "C")"""
EXACT = """(left(COALESCE(recipient.fields ->> {name}, ''), 201) COLLATE "C")"""
NUMBER = "COALESCE(recipient.fields -> {name}, 'null')"
WHOLE_TEXT = "lower(COALESCE(recipient.fields ->> {name}, ''))"

VALUES: Mapping[FieldKind, str] = {
    FieldKind.TEXT: FOLDED,
    FieldKind.NUMBER: NUMBER,
    FieldKind.DATE: EXACT,
    FieldKind.BOOLEAN: EXACT,
    FieldKind.CHOICE: EXACT,
}


# Whether it is blank: `{value}` is what VALUES says.
BLANK: Mapping[FieldKind, str] = {
    kind: NO_NUMBER if kind == FieldKind.NUMBER else "{value} = ''" for kind in FieldKind
}


def subject(name: str, kind: Kind) -> Subject:
    """Return what rules about a field may ask."""
    return Subject(name, HEADING, _operators(name, kind))


def _operators(name: str, kind: Kind) -> dict[str, Operator]:
    value = _of(name, VALUES[kind.kind])
    return _comparisons(name, kind, value) | blankness(value, BLANK[kind.kind])


def _comparisons(name: str, kind: Kind, value: Expression) -> dict[str, Operator]:
    match kind.kind:
        case FieldKind.NUMBER:
            return numbers(value)
        case FieldKind.DATE:
            return days(value)
        case FieldKind.BOOLEAN:
            return _booleans(value)
        case FieldKind.CHOICE:
            return equality(value, Choice(list(kind.choices)), folds=False)
    return equality(value, Text()) | parts(value, _of(name, WHOLE_TEXT))


def _of(name: str, expression: str) -> Expression:
    def sql(question: Question) -> str:
        return expression.format(name=question.bind(name))

    return sql


def _booleans(value: Expression) -> dict[str, Operator]:
    yes = Operator(
        _("is yes"), _("%(about)s is yes"), lambda question: f"{value(question)} = 'true'"
    )
    no = Operator(_("is no"), _("%(about)s is no"), lambda question: f"{value(question)} = 'false'")
    return {
        "yes": yes,
        "no": no,
        "not_yes": yes.denied(_("is not yes"), _("%(about)s is not yes")),
        "not_no": no.denied(_("is not no"), _("%(about)s is not no")),
    }
