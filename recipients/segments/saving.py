"""What staff do with segments: save them, delete them; and who speaks of what."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from recipients.models import Segment
from recipients.segments.compiling import compile_rules, understand
from recipients.segments.grammar import BadRules, parse
from recipients.segments.known import Known

_NEW = 0  # the id of none


class InUse(Exception):
    """It cannot be deleted; the text says what uses it."""


@transaction.atomic
def save_segment(segment: Segment, *, rules: object, now: datetime) -> None:
    """Save a segment with these rules, its values in the form in which they are asked.

    :raises BadRules: they cannot be asked, lead back to the segment, or leave another one that
        speaks of it too deep or too large
    """
    # All of them, and there are few: two that are saved at once cannot lead to each other.
    list(Segment.objects.select_for_update().order_by("pk").values_list("pk"))
    known = Known.load()
    compile_rules(rules, now=now, known=known, within=[segment.pk or _NEW])
    _keep_others(segment, rules, known, now=now)
    segment.rules = understand(rules, known).as_json()
    segment.full_clean()
    segment.save()


def _keep_others(segment: Segment, rules: object, known: Known, *, now: datetime) -> None:
    """Refuse rules with which a segment that can be asked could not be asked any more."""
    if not segment.pk:
        return
    later = replace(known, rules={**known.rules, segment.pk: rules})
    for pk, name in known.segments.items():
        problem = _problem_of(pk, later, now=now)
        if problem and not _problem_of(pk, known, now=now):
            raise BadRules(
                _("the segment %(name)s could not be asked any more: %(reason)s")
                % {"name": name, "reason": problem}
            )


def _problem_of(pk: int, known: Known, *, now: datetime) -> BadRules | None:
    try:
        compile_rules(known.rules[pk], now=now, known=known, within=[pk])
    except BadRules as problem:
        return problem
    return None


@transaction.atomic
def delete_segment(segment: Segment) -> None:
    """Delete a segment.

    :raises InUse: a campaign or another segment speaks of it
    """
    Segment.objects.select_for_update().get(pk=segment.pk)
    if users := list(users_of(segment)):
        raise InUse(
            _("%(segment)s is used by %(users)s; take it out there first")
            % {"segment": segment, "users": ", ".join(users)}
        )
    segment.delete()


def users_of(segment: Segment) -> Iterator[str]:
    """Return what speaks of a segment, in words: campaigns, and other segments."""
    by_id: dict[int, Any] = {}
    for campaigns in (segment.campaigns, segment.excluding_campaigns):
        by_id |= {campaign.pk: campaign for campaign in campaigns.all()}
    yield from (_("the campaign %(name)s") % {"name": each} for each in by_id.values())
    yield from segments_about("segment", segment.pk)


def segments_about(about: str, value: Any = None) -> Iterator[str]:
    """Return the segments with a rule about a field, or about a list, tag or segment, in words."""
    for segment in Segment.objects.order_by("name"):
        if any(rule.about == about and value in (None, rule.value) for rule in _rules_of(segment)):
            yield _("the segment %(name)s") % {"name": segment}


def segments_choosing(about: str, choices: Collection[str]) -> Iterator[str]:
    """Return the segments with a rule about a field that names one of these choices, in words."""
    for segment in Segment.objects.order_by("name"):
        values = [rule.value for rule in _rules_of(segment) if rule.about == about]
        named = {
            each for value in values for each in (value if isinstance(value, list) else [value])
        }
        if not named.isdisjoint(choices):
            yield _("the segment %(name)s") % {"name": segment}


def _rules_of(segment: Segment) -> list[Any]:
    try:
        return list(parse(segment.rules).leaves())
    except BadRules:  # written by hand: it can be neither asked nor read
        return []
