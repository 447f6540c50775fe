"""Rules while they are edited: what a form holds, which need not make sense yet.

A group's controls begin with its place: `r` is the outermost one, `r-0-2` the third thing in the
first thing of it. `r-match` says how it joins what is in it, `r-size` how much that is, `r-new`
what a new rule would be about. A rule has `r-0-about`, `r-0-operator` and `r-0-value`, the last one
as often as there are values. A button says what it does and where: `action=add-rule r-0`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from recipients.segments.catalogue import operator_of, subjects
from recipients.segments.grammar import DEEPEST, MOST_RULES, BadRules, Match, Path, Rule
from recipients.segments.known import Known
from recipients.segments.takes import Widget
from recipients.values import in_digits

ROOT = "r"
_LONGEST_NUMBER = 4  # digits
_SEVERAL = frozenset({Widget.CHOICES, Widget.NUMBERS, Widget.DATES})


class Posted(Protocol):
    """What a form sends: Django's QueryDict."""

    def __contains__(self, key: object, /) -> bool: ...
    def getlist(self, key: str, /) -> list[Any]: ...


@dataclass(slots=True)
class DraftRule:
    about: str
    operator: str
    values: list[str] = field(default_factory=list)

    def as_rules(self, known: Known) -> dict[str, Any]:
        return {"about": self.about, "operator": self.operator, "value": self._value(known)}

    def _value(self, known: Known) -> Any:
        try:
            _, operator = operator_of(Rule(self.about, self.operator, None), known)
        except BadRules:  # said when the rules are read, with its place
            return None
        widget = operator.takes.widget
        if widget == Widget.NOTHING:
            return None
        return self.values if widget in _SEVERAL else "\n".join(self.values[: _lines(widget)])


def _lines(widget: Widget) -> int | None:
    """Return how many values a text has; those of a rule that is saved stand apart."""
    return None if widget == Widget.LINES else 1


@dataclass(slots=True)
class DraftGroup:
    match: str = Match.ALL
    inside: list["Draft"] = field(default_factory=list)

    def as_rules(self, known: Known) -> dict[str, Any]:
        return {"match": self.match, "rules": [node.as_rules(known) for node in self.inside]}


Draft: TypeAlias = DraftGroup | DraftRule


def from_rules(rules: Any) -> DraftGroup:
    """Return a draft of rules that are saved."""
    return DraftGroup(rules["match"], [_from_node(node) for node in rules["rules"]])


def _from_node(node: Any) -> Draft:
    if "about" not in node:
        return from_rules(node)
    value = node["value"]
    values = value if isinstance(value, list) else [value] if value is not None else []
    return DraftRule(node["about"], node["operator"], [_typed(each) for each in values])


def _typed(value: Any) -> str:
    return in_digits(value) if isinstance(value, float) else str(value)


def from_post(data: Posted) -> DraftGroup:
    """Return what a form holds."""
    return _posted_group(data, ROOT, depth=1)


def _posted_group(data: Posted, place: str, *, depth: int) -> DraftGroup:
    size = _last(data, f"{place}-size")
    count = int(size) if _is_number(size) else 0
    places = [f"{place}-{number}" for number in range(min(count, MOST_RULES))]
    inside = [_posted(data, each, depth=depth) for each in places]
    match = _last(data, f"{place}-match") or Match.ALL
    return DraftGroup(match, [node for node in inside if node])


def _posted(data: Posted, place: str, *, depth: int) -> Draft | None:
    if f"{place}-about" in data:
        values = [str(value) for value in data.getlist(f"{place}-value")]
        return DraftRule(_last(data, f"{place}-about"), _last(data, f"{place}-operator"), values)
    if f"{place}-match" in data and depth < DEEPEST:
        return _posted_group(data, place, depth=depth + 1)
    return None


def _last(data: Posted, key: str) -> str:
    return str((data.getlist(key) or [""])[-1])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER


# --- what buttons do --------------------------------------------------------------------------


def place_of(path: Path) -> str:
    return "-".join([ROOT, *map(str, path)])


def act(draft: DraftGroup, data: Posted, *, known: Known) -> str:
    """Do what the pressed button says; return the place that is to be edited next, or "".

    A button that is unknown, or for a place that is not there, does nothing.
    """
    verb, _, place = _last(data, "action").partition(" ")
    numbers = place.split("-")[1:]
    if verb not in _ACTIONS or not all(map(_is_number, numbers)):
        return ""
    try:
        return _ACTIONS[verb](draft, tuple(map(int, numbers)), data, known)
    except LookupError:
        return ""


def _find(draft: DraftGroup, path: Path) -> DraftGroup:
    for number in path:
        inner = draft.inside[number]
        if isinstance(inner, DraftRule):
            raise LookupError(path)
        draft = inner
    return draft


def _add_rule(draft: DraftGroup, path: Path, data: Posted, known: Known) -> str:
    group, about = _find(draft, path), _last(data, f"{place_of(path)}-new")
    operator = next(iter(subjects(known)[about].operators))
    group.inside.append(DraftRule(about, operator))
    return place_of((*path, len(group.inside) - 1))


def _add_group(draft: DraftGroup, path: Path, _data: Posted, _known: Known) -> str:
    group = _find(draft, path)
    group.inside.append(DraftGroup(Match.ANY))
    return place_of((*path, len(group.inside) - 1))


def _remove(draft: DraftGroup, path: Path, _data: Posted, _known: Known) -> str:
    if not path:
        return ""
    *outer, number = path
    group = _find(draft, tuple(outer))
    del group.inside[number]
    # The next one, which has moved up; after the last, the group.
    return place_of(path if number < len(group.inside) else tuple(outer))


_ACTIONS: Mapping[str, Callable[[DraftGroup, Path, Posted, Known], str]] = {
    "add-rule": _add_rule,
    "add-group": _add_group,
    "remove": _remove,
}
