from typing import Any

import pytest
from django.db import connection

from recipients.models import Recipient, Subscription, Tag, Tagging
from recipients.segments.asking import count, matches, sample
from recipients.segments.grammar import DEEPEST, BadRules
from tests.factories import make_list, make_recipient, make_recipients
from tests.recipients.segments.asked import NOW, every, group, rule

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("match", "expected"), [("all", 3), ("any", 12), ("none", 3)])
def test_a_count_is_exact_whatever_the_rules_are_joined_by(match: str, expected: int) -> None:
    news, vip = make_list("News"), Tag.objects.create(name="VIP")
    make_recipients(6, mailing_list=news)
    tagged = make_recipients(6, mailing_list=make_list("Other"), prefix="x")[:3]
    both = make_recipients(3, mailing_list=news, prefix="b")
    Tagging.objects.bulk_create(Tagging(tag=vip, recipient=each) for each in [*tagged, *both])
    on, tag = rule("list", "on", news.pk), rule("tag", "has", vip.pk)

    found = count(group(match, on, tag), now=NOW)

    assert found == expected


@pytest.mark.parametrize(
    ("match", "either_way", "with_r"), [("all", 1, 1), ("any", 5, 3), ("none", 1, 2)]
)
def test_a_count_is_exact_where_groups_stand_in_groups(
    match: str, either_way: int, with_r: int
) -> None:
    news, other = make_list("News"), make_list("Other")
    make_recipients(3, mailing_list=news)
    both, one = make_recipients(2, mailing_list=other, prefix="x")
    Subscription.objects.create(recipient=both, mailing_list=news, state="confirmed")
    make_recipient("r9@example.org")
    r, on_news, on_other = (
        rule("address", "starts_with", "r"),
        rule("list", "on", news.pk),
        rule("list", "on", other.pk),
    )
    vietnamese = rule("language", "is", "vi")
    Recipient.objects.filter(key__in=["r0001@example.org", one.key]).update(language="vi")

    def counted(*rules: dict[str, Any], joined: str = "all") -> int:
        return count(group(joined, *rules), now=NOW)

    assert counted(r, group("any", on_news, vietnamese)) == 3
    assert counted(group("any", on_news, on_other)) == 5
    assert counted(group("any", on_news, on_other), group("any", vietnamese, r)) == 4
    inner = group(match, on_news, on_other)
    assert counted(inner, joined="any") == either_way
    assert counted(group("any", inner, vietnamese), r) == with_r


def test_a_rule_that_cannot_be_asked_is_named_where_it_stands() -> None:
    wrong = group("any", rule("language", "blank"), rule("list", "on", 7))

    with pytest.raises(BadRules, match="rule 2: List on: there is no such list"):
        count(wrong, now=NOW)


def test_groups_may_be_as_deep_when_they_are_counted() -> None:
    news = make_list("News")
    rules = group("any", rule("list", "on", news.pk), rule("language", "blank"))
    for _ in range(DEEPEST - 1):
        rules = group("any", rules, rule("language", "blank"))

    assert count(rules, now=NOW) == 0


def test_a_sample_is_no_more_than_asked_for() -> None:
    news = make_list("News")
    make_recipients(7, mailing_list=news)
    make_recipient("not-on-it@example.org")

    found = sample(every(rule("list", "on", news.pk)), now=NOW)

    assert len(set(found)) == 5
    assert all(address.startswith("r0") for address in found)
    assert sample(every(rule("list", "pending", news.pk)), now=NOW) == []


def test_a_recipient_matches_or_does_not() -> None:
    ada, bob = make_recipient("ada@example.org"), make_recipient("bob@example.org")
    rules = every(rule("address", "starts_with", "a"))

    assert matches(rules, ada, now=NOW)
    assert not matches(rules, bob, now=NOW)


def test_the_planner_is_left_as_it_was() -> None:
    count(every(rule("language", "blank")), now=NOW)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM pg_settings WHERE setting <> reset_val AND context = 'user'"
        )
        assert cursor.fetchall() == []
