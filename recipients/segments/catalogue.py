"""All that rules may be about in an installation, and how it is asked."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from recipients.models import FieldKind
from recipients.segments.custom import subject
from recipients.segments.grammar import BadRules, Rule
from recipients.segments.known import Known
from recipients.segments.standard import FIELDS, STANDARD
from recipients.segments.subjects import Operator, Subject, registered
from recipients.values import Kind

FIELD = "field:"


def subjects(known: Known) -> Mapping[str, Subject]:
    """Return all of them by how rules call them, in the order in which they are offered."""
    fields = {f"{FIELD}{name}": subject(name, kind) for name, kind in known.fields.items()}
    return {**STANDARD, **fields, **registered()}


def rules_for_value(name: str, kind: Kind, text: str) -> dict[str, Any]:
    """Return the rules for who has this value in a field, as people type it.

    :raises BadValue: it is none of the field's kind
    """
    value: Any = kind.read(text)
    if isinstance(value, bool):
        operator, value = ("yes" if value else "no"), None
    else:
        operator = "on" if kind.kind == FieldKind.DATE else "is"
    rule = {"about": f"{FIELD}{name}", "operator": operator, "value": value}
    return {"match": "all", "rules": [rule]}


def is_with_recipient(about: str) -> bool:
    """Whether a rule looks at the recipient's own row alone."""
    return about.startswith(FIELD) or (about in STANDARD and STANDARD[about].heading == FIELDS)


def operator_of(rule: Rule, known: Known) -> tuple[Subject, Operator]:
    """Return what a rule speaks of, and how it asks.

    :raises BadRules: there is no such thing
    """
    found = _subject_of(rule.about, known)
    if found is None:
        raise BadRules(_unknown(rule.about), path=rule.path)
    if rule.operator not in found.operators:
        can = ", ".join(str(each.label) for each in found.operators.values())
        raise BadRules(
            _("%(about)s: choose one of %(operators)s") % {"about": found.label, "operators": can},
            path=rule.path,
        )
    return found, found.operators[rule.operator]


def _subject_of(about: str, known: Known) -> Subject | None:
    name = about.removeprefix(FIELD)
    if about.startswith(FIELD) and name in known.fields:
        return subject(name, known.fields[name])
    return STANDARD.get(about) or registered().get(about)


def _unknown(about: str) -> str:
    if about.startswith(FIELD):
        name = about.removeprefix(FIELD)[:100]
        return _("there is no field %(name)s any more; choose another one") % {"name": repr(name)}
    return _("nothing is known about %(about)s; choose what there is") % {
        "about": repr(about[:100])
    }
