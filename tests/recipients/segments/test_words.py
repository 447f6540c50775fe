import pytest

from recipients.models import Field, Segment, Tag
from recipients.segments.grammar import BadRules
from recipients.segments.words import describe
from tests.factories import make_list
from tests.recipients.segments.asked import every, group, rule

pytestmark = pytest.mark.django_db


def test_rules_are_said_in_one_sentence() -> None:
    news, vip = make_list("News"), Tag.objects.create(name="VIP")
    inner = Segment.objects.create(name="Old", rules=every(rule("language", "blank")))
    Field.objects.create(name="city")
    Field.objects.create(name="age", kind="number")

    words = describe(
        every(
            rule("language", "is", "vi"),
            rule("list", "not_on", news.pk),
            group(
                "any", rule("field:city", "one_of", "Huế\nHanoi\nVinh"),
                rule("field:age", "between", ["18", 30]), rule("tag", "has", vip.pk),
            ),
            group("none", rule("created_at", "last_days", 1), rule("segment", "in", inner.pk)),
            rule("created_at", "between", ["2026-01-01", "2026-12-04"]),
        )
    )  # fmt: skip

    assert words == (
        "Language is vi, and not on the list News, and (city is Huế, Hanoi or Vinh, or age is"
        " between 18 and 30, or has the tag VIP), and not (Added is within the last day, or in the"
        " segment Old), and Added is between 1 January 2026 and 4 December 2026"
    )


def test_names_are_not_read_as_patterns() -> None:
    tag = Tag.objects.create(name="{about} {value} %s")

    assert describe(every(rule("tag", "has", tag.pk))) == "Has the tag {about} {value} %s"


def test_what_is_gone_is_said_to_be_gone() -> None:
    with pytest.raises(BadRules, match="there is no such list any more"):
        describe(every(rule("list", "on", 1)))
