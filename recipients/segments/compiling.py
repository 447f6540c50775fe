"""From rules to one SQL condition over `recipient`; values are parameters, never text."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from recipients.segments.catalogue import operator_of
from recipients.segments.grammar import BadRules, Group, Match, Path, Rule, parse
from recipients.segments.known import Known
from recipients.values import BadValue

MOST_RULES_IN_ALL = 500  # with those of other segments that are spoken of
DEEPEST_SEGMENTS = 10  # within each other


@dataclass(frozen=True, slots=True)
class Condition:
    sql: str
    """True or false, never NULL, for each row of recipients_recipient AS recipient."""
    params: dict[str, Any]


def compile_rules(
    rules: object,
    *,
    now: datetime,
    prefix: str = "rule",
    known: Known | None = None,
    within: Iterable[int] = (),
) -> Condition:
    """Compile rules to one SQL condition.

    :param rules: JSON in the form that the package describes
    :param prefix: of the parameters' names; other ones where several stand in one statement
    :param known: what there is, where the caller has read it already
    :param within: the ids of the segments whose rules these are: they must not lead back to them
    :raises BadRules: they cannot be asked
    """
    known = known or Known.load()
    group = expand(understand(rules, known), known, within=tuple(within))
    statement = _Statement(now, prefix, known)
    return Condition(statement.group(group), statement.params)


def understand(rules: object, known: Known) -> Group:
    """Return the rules, each with its value in the form in which it is stored.

    :raises BadRules: one is about what there is not, or cannot be asked so
    """
    return _read(parse(rules), known)


def _read(group: Group, known: Known) -> Group:
    return replace(
        group,
        rules=tuple(
            _read(node, known) if isinstance(node, Group) else _read_rule(node, known)
            for node in group.rules
        ),
    )


def _read_rule(rule: Rule, known: Known) -> Rule:
    subject, operator = operator_of(rule, known)
    try:
        return replace(rule, value=operator.takes.read(rule.value, known))
    except BadValue as error:
        raise BadRules(
            _("%(about)s %(operator)s: %(reason)s")
            % {"about": subject.label, "operator": operator.label, "reason": error},
            path=rule.path,
        ) from None


# --- other segments ---------------------------------------------------------------------------


def expand(group: Group, known: Known, *, within: tuple[int, ...] = ()) -> Group:
    """Return the rules with those of other segments in the places where they are spoken of.

    :raises BadRules: they lead back to themselves, or are too deep or too many
    """
    return _Expansion(known).group(group, within)


@dataclass(slots=True)
class _Expansion:
    known: Known
    rules: int = 0

    def group(self, group: Group, within: tuple[int, ...]) -> Group:
        return replace(group, rules=tuple(self._node(node, within) for node in group.rules))

    def _node(self, node: Group | Rule, within: tuple[int, ...]) -> Group | Rule:
        if isinstance(node, Group):
            return self.group(node, within)
        _subject, operator = operator_of(node, self.known)
        if operator.sql is None:
            inner = self._segment(node.value, within, path=node.path)
            return Group(Match.NONE, (inner,), node.path) if operator.denies else inner
        self.rules += 1
        if self.rules > MOST_RULES_IN_ALL:
            raise BadRules(
                _("with the segments in it, there are more than %(most)s rules")
                % {"most": MOST_RULES_IN_ALL},
                path=node.path,
            )
        return node

    def _segment(self, pk: int, within: tuple[int, ...], *, path: Path) -> Group:
        name = self.known.segments[pk]
        if pk in within:
            raise BadRules(
                _("the segment %(name)s leads back to itself; take it out") % {"name": name},
                path=path,
            )
        if len(within) == DEEPEST_SEGMENTS:
            raise BadRules(
                _(
                    "segments may stand %(most)s deep in each other; write the rules of %(name)s"
                    " in its place"
                )
                % {"most": DEEPEST_SEGMENTS, "name": name},
                path=path,
            )
        try:
            return self.group(understand(self.known.rules[pk], self.known), (*within, pk))
        except BadRules as error:
            raise BadRules(
                _("in the segment %(name)s: %(reason)s") % {"name": name, "reason": error},
                path=path,
            ) from None


# --- the statement ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Statement:
    now: datetime
    prefix: str
    known: Known
    params: dict[str, Any] = field(default_factory=dict)

    def group(self, group: Group, *, denied: bool = False) -> str:
        """Return what a group asks, or its opposite, with each NOT where PostgreSQL wants it.

        That is before a rule, and nowhere else: it makes a join of `NOT EXISTS`, but looks for
        those before it looks into `NOT (… OR …)`.
        """
        denied ^= group.match == Match.NONE
        is_any = (group.match != Match.ALL) ^ denied
        inner = (self._node(node, denied=denied) for node in group.rules)
        return f"({(' OR ' if is_any else ' AND ').join(inner)})"

    def _node(self, node: Group | Rule, *, denied: bool) -> str:
        if isinstance(node, Group):
            return self.group(node, denied=denied)
        _subject, operator = operator_of(node, self.known)
        if operator.sql is None:
            raise AssertionError("segments are expanded before")
        sql = operator.sql(_Question(node.value, self))
        return f"NOT {sql}" if operator.denies ^ denied else sql


@dataclass(frozen=True, slots=True)
class _Question:
    value: Any
    statement: _Statement

    @property
    def now(self) -> datetime:
        return self.statement.now

    def bind(self, value: object) -> str:
        params = self.statement.params
        name = f"{self.statement.prefix}{len(params)}"
        params[name] = value
        return f"%({name})s"
