"""Rules in words."""

from functools import reduce

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from recipients.segments.catalogue import operator_of
from recipients.segments.compiling import understand
from recipients.segments.grammar import Group, Match, Rule
from recipients.segments.known import Known

_JOIN = {
    Match.ALL: _("%(first)s, and %(second)s"),
    Match.ANY: _("%(first)s, or %(second)s"),
    Match.NONE: _("%(first)s, or %(second)s"),
}


def describe(rules: object, *, known: Known | None = None) -> str:
    """Say rules in one sentence without its full stop: Language is vi, and not on the list News.

    :raises BadRules: they cannot be asked
    """
    known = known or Known.load()
    words = _group(understand(rules, known), known, is_outermost=True)
    return words[:1].upper() + words[1:]


def _group(group: Group, known: Known, *, is_outermost: bool = False) -> str:
    pattern = str(_JOIN[group.match])
    words = reduce(
        lambda first, second: pattern % {"first": first, "second": second},
        (_node(node, known) for node in group.rules),
    )
    if group.match == Match.NONE:
        return gettext("not (%(words)s)") % {"words": words}
    return words if is_outermost or len(group.rules) == 1 else f"({words})"


def _node(node: Group | Rule, known: Known) -> str:
    if isinstance(node, Group):
        return _group(node, known)
    subject, operator = operator_of(node, known)
    return operator.say(subject.label, operator.takes.words(node.value, known))
