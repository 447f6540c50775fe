import pytest
from django.db import IntegrityError, transaction

from recipients.models import Segment
from recipients.segments.compiling import DEEPEST_SEGMENTS
from recipients.segments.grammar import BadRules
from recipients.segments.saving import InUse, delete_segment, save_segment, segments_about
from tests.factories import make_campaign, make_list
from tests.recipients.segments.asked import NOW, every, rule

pytestmark = pytest.mark.django_db

RULES = every(rule("language", "is", "vi"))


def make_segment(name: str, **about: int) -> Segment:
    """Save a segment; `segment` or `list` names what it speaks of."""
    operators = {"segment": "in", "list": "on"}
    rules = [rule(what, operators[what], pk) for what, pk in about.items()]
    segment = Segment(name=name)
    save_segment(segment, rules=every(*rules) if rules else RULES, now=NOW)
    return segment


def test_a_segment_is_saved_as_it_is_asked() -> None:
    segment = Segment(name="Vietnamese")

    save_segment(
        segment,
        rules=every(rule("language", "one_of", " vi \nen"), rule("created_at", "last_days", "3")),
        now=NOW,
    )

    segment.refresh_from_db()
    assert segment.rules == every(
        rule("language", "one_of", ["vi", "en"]), rule("created_at", "last_days", 3)
    )


def test_a_segment_that_cannot_be_asked_is_not_saved() -> None:
    segment = make_segment("Kept")

    with pytest.raises(BadRules, match="rule 1: nothing is known"):
        save_segment(segment, rules=every(rule("moon", "is", "full")), now=NOW)

    segment.refresh_from_db()
    assert segment.rules == RULES


def test_a_segment_may_not_come_to_lead_to_itself() -> None:
    first = make_segment("First")
    second = make_segment("Second", segment=make_segment("Between", segment=first.pk).pk)

    for pk in (first.pk, second.pk):
        with pytest.raises(BadRules, match="First leads back to itself"):
            save_segment(first, rules=every(rule("segment", "not_in", pk)), now=NOW)


def test_segments_that_could_not_be_asked_any_more_keep_one_from_being_saved() -> None:
    lower = [make_segment("0")]
    for number in range(1, DEEPEST_SEGMENTS):
        lower.append(make_segment(str(number), segment=lower[-1].pk))
    bottom = make_segment("Bottom")
    make_segment("Top", segment=make_segment("Between", segment=bottom.pk).pk)
    Segment.objects.create(name="Broken", rules=[])

    with pytest.raises(BadRules, match="10 deep"):
        make_segment("New", segment=lower[-1].pk)
    with pytest.raises(BadRules, match=r"the segment Top could not be asked .* 10 deep"):
        save_segment(bottom, rules=every(rule("segment", "in", lower[-3].pk)), now=NOW)
    save_segment(bottom, rules=every(rule("segment", "in", lower[-4].pk)), now=NOW)


def test_a_segment_that_somebody_speaks_of_is_not_deleted() -> None:
    inner = make_segment("Inner")
    outer = make_segment("Outer", segment=inner.pk)
    campaign = make_campaign()
    campaign.excluded_segments.add(inner)

    with pytest.raises(InUse, match="the campaign Spring, the segment Outer"):
        delete_segment(inner)
    campaign.excluded_segments.clear()
    delete_segment(outer)
    delete_segment(inner)

    assert not Segment.objects.exists()


def test_what_segments_speak_of_is_known() -> None:
    news = make_list("News")
    make_segment("Readers", list=news.pk)
    Segment.objects.create(name="Broken", rules=[])

    assert list(segments_about("list", news.pk)) == ["the segment Readers"]
    assert list(segments_about("list", news.pk + 1)) == []
    assert list(segments_about("language")) == []


def test_a_segments_name_and_identifier_are_its_own() -> None:
    known = make_segment("Known")

    with pytest.raises(IntegrityError, match="segment_name_unique"), transaction.atomic():
        Segment.objects.create(name="Known", rules={})
    with pytest.raises(IntegrityError, match="segment_identifier_unique"), transaction.atomic():
        Segment.objects.create(name="Other", rules={}, identifier=known.identifier)
