"""The controls of a segment's rules: a page that needs no script."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from django import forms
from django.forms import Widget as Control
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recipients.models import Segment
from recipients.segments.catalogue import operator_of, subjects
from recipients.segments.draft import DraftGroup, DraftRule, place_of
from recipients.segments.grammar import BadRules, Path, Rule
from recipients.segments.known import Known
from recipients.segments.subjects import Operator
from recipients.segments.takes import Widget

DEEPEST_SHOWN = 2  # groups in the outermost one, and groups in those; more is hard to read
MATCHES = [
    ("all", gettext_lazy("All of")),
    ("any", gettext_lazy("Any of")),
    ("none", gettext_lazy("None of")),
]


# Another operator takes another value: where a script runs, all is shown again.
_OTHER_CONTROLS = {
    "hx-post": "",
    "hx-trigger": "change consume",
    "hx-select": "#segment",
    "hx-target": "#segment",
    "hx-swap": "outerMorph",
}


class SegmentForm(forms.ModelForm[Segment]):
    class Meta:
        model = Segment
        fields = ("name", "description")
        labels = {"name": gettext_lazy("Name"), "description": gettext_lazy("Description")}
        widgets = {"description": forms.Textarea({"rows": 2})}


@dataclass(slots=True)
class RuleRow:
    place: str
    label: str
    controls: list[SafeString]
    about: str
    problem: str = ""
    is_group: bool = field(default=False, init=False)


@dataclass(slots=True)
class GroupRow:
    place: str
    match: SafeString
    new: SafeString
    rows: Sequence["GroupRow | RuleRow"]
    can_nest: bool
    problem: str = ""
    is_group: bool = field(default=True, init=False)


def rows(
    draft: DraftGroup, known: Known, *, problem: BadRules | None = None, focus: str = ""
) -> GroupRow:
    """Return what the page shows of a draft.

    :param problem: stands at the rule or group that it speaks of
    :param focus: the place whose first control is to be typed into
    """
    return _Page(known, problem, focus).group(draft, ())


@dataclass(frozen=True, slots=True)
class _Page:
    known: Known
    problem: BadRules | None
    focus: str

    def group(self, draft: DraftGroup, path: Path) -> GroupRow:
        place = place_of(path)
        return GroupRow(
            place=place,
            match=_select(
                f"{place}-match",
                MATCHES,
                draft.match,
                _("How the rules are joined"),
                self._at(place),
            ),
            new=_select(f"{place}-new", list(_to_add(self.known)), "", _("What to add")),
            rows=[self._row(node, (*path, number)) for number, node in enumerate(draft.inside)],
            can_nest=len(path) < DEEPEST_SHOWN,
            problem=self._problem_at(path),
        )

    def _row(self, draft: DraftGroup | DraftRule, path: Path) -> GroupRow | RuleRow:
        if isinstance(draft, DraftGroup):
            return self.group(draft, path)
        place = place_of(path)
        subject = subjects(self.known).get(draft.about)
        label = str(subject.label) if subject else draft.about
        operators = subject.operators if subject else {}
        choices = [(name, each.label) for name, each in operators.items()]
        operator = _select(
            f"{place}-operator",
            choices,
            draft.operator,
            _("%(about)s: operator") % {"about": label},
            {**_OTHER_CONTROLS, **self._at(place)},
        )
        values = _values(draft, f"{place}-value", label, self.known)
        return RuleRow(place, label, [operator, *values], draft.about, self._problem_at(path))

    def _at(self, place: str) -> dict[str, bool]:
        return {"autofocus": True} if place == self.focus else {}

    def _problem_at(self, path: Path) -> str:
        return self.problem.reason if self.problem and self.problem.path == path else ""


def _to_add(known: Known) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for heading, found in groupby(subjects(known).items(), key=lambda item: item[1].heading):
        yield str(heading), [(about, str(subject.label)) for about, subject in found]


def _values(draft: DraftRule, name: str, label: str, known: Known) -> Iterator[SafeString]:
    try:
        _subject, operator = operator_of(Rule(draft.about, draft.operator, None), known)
    except BadRules:
        return
    for number, (control, value) in enumerate(_controls(operator, draft.values, known)):
        said = _VALUES[number] if operator.takes.widget in _TWO else _VALUE
        attrs = {"aria-label": f"{label}: {said}", "id": f"id_{name}-{number}"}
        yield SafeString(control.render(name, value, attrs))


_VALUE = gettext_lazy("value")
_VALUES = (gettext_lazy("value, from"), gettext_lazy("value, to"))
_TWO = frozenset({Widget.NUMBERS, Widget.DATES})
_TYPES: Mapping[Widget, dict[str, str]] = {
    Widget.NUMBER: {"inputmode": "decimal"},
    Widget.NUMBERS: {"inputmode": "decimal"},
    Widget.DATE: {"type": "date"},
    Widget.DATES: {"type": "date"},
    Widget.TEXT: {},
}


def _controls(
    operator: Operator, values: list[str], known: Known
) -> Iterator[tuple[Control, str | list[str]]]:
    widget = operator.takes.widget
    options = list(operator.takes.options(known).items())
    first, second, *_rest = [*values, "", ""]
    match widget:
        case Widget.NOTHING:
            return
        case Widget.CHOICE:
            yield forms.Select(choices=[("", _("Choose")), *options]), first
        case Widget.CHOICES:
            yield forms.SelectMultiple(choices=options), values
        case Widget.LINES:
            yield forms.Textarea({"rows": 3}), "\n".join(values)
        case _:
            yield forms.TextInput(dict(_TYPES[widget])), first
            if widget in _TWO:
                yield forms.TextInput(dict(_TYPES[widget])), second


def _select(
    name: str,
    choices: Sequence[tuple[str, object]],
    chosen: str,
    label: str,
    attrs: Mapping[str, bool | str] | None = None,
) -> SafeString:
    control = forms.Select(choices=choices)
    return SafeString(
        control.render(name, chosen, {"aria-label": label, "id": f"id_{name}", **(attrs or {})})
    )
