"""The form of rules: a tree of groups and rules, whatever they are about."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from django.utils.translation import gettext as _

DEEPEST = 5  # groups within each other
MOST_RULES = 100

Path: TypeAlias = tuple[int, ...]
"""Where a group or a rule stands: (0, 2) is the third one in the first group of the root."""


class BadRules(ValueError):
    """Rules that cannot be asked; the text says which one, and what to do."""

    def __init__(self, reason: str, *, path: Path = ()) -> None:
        place = ".".join(str(number + 1) for number in path)
        said = _("rule %(place)s: %(reason)s") % {"place": place, "reason": reason}
        super().__init__(said if path else reason)
        self.reason = reason
        self.path = path


class Match(StrEnum):
    ALL = "all"
    ANY = "any"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Rule:
    about: str
    operator: str
    value: Any
    path: Path = ()

    def as_json(self) -> dict[str, Any]:
        return {"about": self.about, "operator": self.operator, "value": self.value}


@dataclass(frozen=True, slots=True)
class Group:
    match: Match
    rules: tuple["Group | Rule", ...]
    path: Path = ()

    def as_json(self) -> dict[str, Any]:
        return {"match": str(self.match), "rules": [rule.as_json() for rule in self.rules]}

    def leaves(self) -> Iterator[Rule]:
        """Return the rules in it, and in the groups in it."""
        for rule in self.rules:
            if isinstance(rule, Group):
                yield from rule.leaves()
            else:
                yield rule


def parse(rules: object) -> Group:
    """Read the form of rules; what they are about is not looked at.

    :raises BadRules: it is not of this form, too deep, or too much.
    """
    group = _group(rules, path=())
    if (count := sum(1 for _ in group.leaves())) > MOST_RULES:
        raise BadRules(
            _("there are %(count)s rules; at most %(most)s can be asked at once")
            % {"count": count, "most": MOST_RULES}
        )
    return group


def _group(found: object, *, path: Path) -> Group:
    if not isinstance(found, dict) or found.keys() != {"match", "rules"}:
        raise BadRules(_('a group has "match" and "rules", and nothing else'), path=path)
    if len(path) >= DEEPEST:
        raise BadRules(
            _("groups may stand %(most)s deep; save the inner ones as a segment of their own")
            % {"most": DEEPEST},
            path=path,
        )
    match, rules = found["match"], found["rules"]
    if not isinstance(match, str) or match not in list(Match):
        raise BadRules(_('"match" is "all", "any" or "none"'), path=path)
    if not isinstance(rules, list) or not rules:
        raise BadRules(_("there is nothing in this group; add a rule"), path=path)
    if len(rules) > MOST_RULES:
        raise BadRules(_("a group has at most %(most)s rules") % {"most": MOST_RULES}, path=path)
    inner = (_node(rule, path=(*path, number)) for number, rule in enumerate(rules))
    return Group(Match(match), tuple(inner), path)


def _node(found: object, *, path: Path) -> Group | Rule:
    if isinstance(found, dict) and "about" in found:
        return _rule(found, path=path)
    return _group(found, path=path)


def _rule(found: dict[str, object], *, path: Path) -> Rule:
    if not found.keys() <= {"about", "operator", "value"}:
        raise BadRules(_('a rule has "about", "operator" and "value", and nothing else'), path=path)
    about, operator = found["about"], found.get("operator")
    if not isinstance(about, str) or not isinstance(operator, str):
        raise BadRules(_('"about" and "operator" are texts'), path=path)
    return Rule(about, operator, found.get("value"), path)
