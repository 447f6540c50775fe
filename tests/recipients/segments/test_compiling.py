from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recipients.models import (
    Field,
    FieldKind,
    Recipient,
    Segment,
    SubscriptionState,
    Tag,
    Tagging,
)
from recipients.segments.catalogue import subjects
from recipients.segments.compiling import DEEPEST_SEGMENTS, compile_rules
from recipients.segments.grammar import DEEPEST, MOST_RULES, BadRules
from recipients.segments.known import Known
from tests.factories import make_list, make_recipient
from tests.recipients.segments.asked import NOW, every, found, group, rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def fields() -> None:
    """One field of each kind, of the name of its kind."""
    for kind in FieldKind:
        Field.objects.create(
            name=kind, kind=kind, choices=["Free", "Pro"] if kind == FieldKind.CHOICE else []
        )


# --- each kind of rule on rows ----------------------------------------------------------------

VALUES: list[dict[str, Any]] = [
    {},
    {"text": "", "number": "", "date": "", "boolean": "", "choice": ""},
    {"text": None, "number": None, "date": None, "boolean": None, "choice": None},
    {"text": "Huế", "number": -2.5, "date": "2026-12-01", "boolean": True, "choice": "Free"},
    {"text": "Hanoi", "number": 18, "date": "2026-12-04", "boolean": False, "choice": "Pro"},
    {"text": "x" * 201, "number": 10**14, "date": "2026-12-09", "boolean": True, "choice": "Pro"},
]


@pytest.mark.parametrize(
    ("about", "operator", "value", "expected"),
    [
        ("text", "is", "HUẾ", "3"),
        ("text", "is", "x" * 200, ""),
        ("text", "is_not", "huế", "01245"),
        ("text", "one_of", ["huế", "hanoi"], "34"),
        ("text", "none_of", "huế\nhanoi\n", "0125"),
        ("text", "contains", "U", "3"),
        ("text", "contains_not", "u", "01245"),
        ("text", "starts_with", "H", "34"),
        ("text", "blank", None, "012"),
        ("text", "not_blank", None, "345"),
        ("number", "is", 18, "4"),
        ("number", "is", "-2.5", "3"),
        ("number", "is_not", 18, "01235"),
        ("number", "less", 18, "3"),
        ("number", "more", -3, "345"),
        ("number", "more", 18, "5"),
        ("number", "between", [-2.5, 18], "34"),
        ("number", "blank", None, "012"),
        ("number", "not_blank", None, "345"),
        ("date", "on", "2026-12-04", "4"),
        ("date", "before", "2026-12-04", "3"),
        ("date", "after", "2026-12-01", "45"),
        ("date", "between", ["2026-12-01", "2026-12-04"], "34"),
        ("date", "last_days", 2, "4"),
        ("date", "last_days", 3, "34"),
        ("date", "not_last_days", 3, "0125"),
        ("date", "next_days", 4, "4"),
        ("date", "next_days", 5, "45"),
        ("date", "blank", None, "012"),
        ("date", "not_blank", None, "345"),
        ("boolean", "yes", None, "35"),
        ("boolean", "no", None, "4"),
        ("boolean", "not_yes", None, "0124"),
        ("boolean", "not_no", None, "01235"),
        ("boolean", "blank", None, "012"),
        ("boolean", "not_blank", None, "345"),
        ("choice", "is", "Free", "3"),
        ("choice", "is_not", "Free", "01245"),
        ("choice", "one_of", ["Free", "Pro"], "345"),
        ("choice", "none_of", ["Free"], "01245"),
        ("choice", "blank", None, "012"),
        ("choice", "not_blank", None, "345"),
    ],
)
def test_a_blank_field_answers_to_no_comparison_and_to_each_denial(
    about: str, operator: str, value: Any, expected: str, fields: None
) -> None:
    for number, values in enumerate(VALUES):
        make_recipient(f"{number}@example.org", fields=values)

    asked = rule(f"field:{about}", operator, value)

    assert "".join(found(asked)) == expected
    assert "".join(found(group("none", asked))) == "".join(
        str(number) for number in range(len(VALUES)) if str(number) not in expected
    )


def test_what_is_none_of_its_fields_kind_is_blank_or_without_meaning(fields: None) -> None:
    make_recipient("text@example.org", fields={"number": "18", "boolean": "maybe", "date": "old"})
    make_recipient("tree@example.org", fields={"number": [18], "text": {"a": 1}, "date": [1]})

    assert found(rule("field:number", "not_blank")) == []
    assert found(rule("field:date", "after", "0001-01-01")) == []
    assert found(rule("field:boolean", "yes")) == []


@pytest.mark.parametrize(
    ("about", "operator", "value", "expected"),
    [
        ("address", "is", "ADA@Example.org", ["ada"]),
        ("address", "is", "zoe@bücher.de", ["zoe"]),
        ("address", "is", "erased", []),
        ("address", "none_of", ["Zoe@bücher.de"], ["ada", "bob"]),
        ("address", "starts_with", "a", ["ada"]),
        ("address", "ends_with", ".example.org", ["bob"]),
        ("address", "contains_not", "example", ["zoe"]),
        ("domain", "is", "BÜCHER.de", ["zoe"]),
        ("domain", "one_of", ["example.org", "@bücher.de"], ["ada", "zoe"]),
        ("domain", "ends_with", "example.org", ["ada", "bob"]),
        ("domain", "ends_with", ".BÜCHER.de", []),
        ("domain", "ends_with", "BÜCHER.de", ["zoe"]),
        ("domain", "starts_with", "bu\u0308cher.", ["zoe"]),
        ("domain", "contains", "bücher", ["zoe"]),
        ("domain", "contains_not", "xn--bcher-kva", ["ada", "bob"]),
        ("address", "ends_with", "@bücher.de", ["zoe"]),
        ("address", "starts_with", "zoe@bücher", ["zoe"]),
        ("address", "contains", "Bücher.de", ["zoe"]),
        ("address", "contains", "bücher..de", []),
        ("language", "is", "VI", ["ada"]),
        ("language", "is_not", "vi", ["bob", "zoe"]),
        ("language", "starts_with", "pt", ["bob"]),
        ("language", "blank", None, ["zoe"]),
        ("time_zone", "is", "asia/ho_chi_minh", ["ada"]),
        ("time_zone", "not_blank", None, ["ada"]),
        ("created_at", "on", "2026-12-03", ["ada"]),
        ("created_at", "before", "2026-12-03", ["zoe"]),
        ("created_at", "after", "2026-12-03", ["bob"]),
        ("created_at", "after", "9999-12-31", []),
        ("created_at", "between", ["2026-12-03", "2026-12-04"], ["ada", "bob"]),
        ("created_at", "last_days", 1, ["bob"]),
        ("created_at", "not_last_days", 1, ["ada", "zoe"]),
        ("tracking_consent", "is", "granted", ["ada"]),
        ("tracking_consent", "is_not", "granted", ["bob", "zoe"]),
    ],
)
def test_what_every_recipient_has_can_be_asked(
    about: str, operator: str, value: Any, expected: list[str]
) -> None:
    rows: dict[str, dict[str, Any]] = {
        "ada@example.org": {
            "language": "vi", "time_zone": "Asia/Ho_Chi_Minh", "tracking_consent": "granted",
            "created_at": datetime(2026, 12, 3, 0, tzinfo=UTC),
        },
        "bob@news.example.org": {
            "language": "pt-BR", "created_at": datetime(2026, 12, 4, 0, tzinfo=UTC),
        },
        "zoe@bücher.de": {"created_at": datetime(2026, 12, 2, 23, 59, 59, 999999, tzinfo=UTC)},
    }  # fmt: skip
    for address, values in rows.items():
        Recipient.objects.filter(pk=make_recipient(address).pk).update(**values)

    assert found(rule(about, operator, value)) == expected


def test_lists_are_asked_with_the_state_of_the_subscription() -> None:
    news, others = make_list("News"), make_list("Others")
    make_recipient("stranger@example.org", lists=[others])
    for state in SubscriptionState:
        make_recipient(f"{state}@example.org", lists=[news], state=state)

    def asked(operator: str) -> list[str]:
        return found(rule("list", operator, news.pk))

    assert asked("on") == ["confirmed"]
    assert asked("not_on") == ["pending", "stranger", "unsubscribed"]
    assert asked("pending") == ["pending"]
    assert asked("left") == ["unsubscribed"]
    assert asked("never") == ["stranger"]


def test_tags_are_asked() -> None:
    vip, other = Tag.objects.create(name="VIP"), Tag.objects.create(name="Other")
    ada, bob = make_recipient("ada@example.org"), make_recipient("bob@example.org")
    Tagging.objects.create(tag=vip, recipient=ada)
    Tagging.objects.create(tag=other, recipient=bob)

    assert found(rule("tag", "has", vip.pk)) == ["ada"]
    assert found(rule("tag", "has_not", str(vip.pk))) == ["bob"]


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("क्\u200cष", "क्\u200cष"),
        ("Ha\u0300 No\u0323\u0302i", "Hà Nội"),
        ("Hà\u00a0Nội", "Hà Nội"),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_what_a_text_is_asked_by_is_written_as_it_is_stored(asked: str, stored: str) -> None:
    Field.objects.create(name="city")
    make_recipient("ada@example.org", fields={"city": stored})

    for operator in ("is", "contains", "starts_with"):
        assert found(rule("field:city", operator, asked)) == ["ada"]


# --- groups and segments ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "expected"), [("all", ["ab"]), ("any", ["a", "ab", "b"]), ("none", ["c"])]
)
def test_groups_join_what_is_in_them(match: str, expected: list[str]) -> None:
    for name in ("a", "b", "ab", "c"):
        make_recipient(f"{name}@example.org")
    has_a, has_b = rule("address", "starts_with", "a"), rule("address", "contains", "b@")

    assert found(group(match, has_a, has_b)) == expected
    assert found(group("none", group("none", group(match, has_a, has_b)))) == expected


def test_a_segment_can_be_spoken_of_in_another_one() -> None:
    make_recipient("ada@example.org")
    make_recipient("bob@example.org")
    inner = Segment.objects.create(name="A", rules=every(rule("address", "starts_with", "a")))
    outer = Segment.objects.create(name="B", rules=every(rule("segment", "not_in", inner.pk)))

    assert found(rule("segment", "in", inner.pk)) == ["ada"]
    assert found(rule("segment", "in", outer.pk)) == ["bob"]


def test_segments_that_lead_back_to_themselves_are_refused() -> None:
    first = Segment.objects.create(name="First", rules={})
    second = Segment.objects.create(name="Second", rules=every(rule("segment", "in", first.pk)))
    first.rules = every(rule("segment", "in", second.pk))
    first.save()

    with pytest.raises(BadRules, match="leads back to itself"):
        found(rule("segment", "in", first.pk))


def nested(depth: int) -> Segment:
    """Save segments that include each other, one in the other; return the outermost one."""
    segment = Segment.objects.create(name="1", rules=every(rule("language", "blank")))
    for number in range(2, depth + 1):
        rules = every(rule("segment", "in", segment.pk))
        segment = Segment.objects.create(name=str(number), rules=rules)
    return segment


@pytest.mark.parametrize("depth", [DEEPEST_SEGMENTS + 1, 240])
def test_segments_may_stand_so_deep_in_each_other(depth: int) -> None:
    make_recipient("ada@example.org")
    outermost = nested(depth)
    deepest = Segment.objects.get(name=str(DEEPEST_SEGMENTS))

    assert found(rule("segment", "in", deepest.pk)) == ["ada"]
    with pytest.raises(BadRules, match=f"stand {DEEPEST_SEGMENTS} deep in each other"):
        found(rule("segment", "in", outermost.pk))


def test_several_conditions_can_stand_in_one_statement() -> None:
    make_recipient("ada@example.org")
    make_recipient("bob@example.org")
    one = compile_rules(every(rule("address", "starts_with", "a")), now=NOW, prefix="one_")
    two = compile_rules(every(rule("address", "starts_with", "b")), now=NOW, prefix="two_")

    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM recipients_recipient recipient WHERE {one.sql} OR {two.sql}",
            one.params | two.params,
        )
        assert cursor.fetchone() == (2,)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (None, "a group has"),
        ([], "a group has"),
        ({}, "a group has"),
        ({"match": "all"}, "a group has"),
        ({"match": "some", "rules": []}, '"match" is'),
        ({"match": ["all"], "rules": []}, '"match" is'),
        ({"match": "all", "rules": []}, "there is nothing in this group"),
        ({"match": "all", "rules": {}}, "there is nothing in this group"),
        ({"match": "all", "rules": [1]}, "rule 1: a group has"),
        (every({"about": 1, "operator": "is"}), "rule 1: \"about\" and"),
        (every({"about": "address"}), "rule 1: \"about\" and"),
        (every({"about": "address", "operator": "is", "sql": "1"}), "rule 1: a rule has"),
        (every(every(rule("moon", "is", "x"))), "rule 1.1: nothing is known about 'moon'"),
        (every(rule("field:moon", "is", "x")), "there is no field 'moon'"),
        (every(rule("address", "; DROP", "x")), "Address: choose one of is, "),
        (every(rule("address", "is", "")), "write what to look for"),
        (every(rule("address", "is", 1)), "write what to look for"),
        (every(rule("address", "is", "a" * 201)), "at most 200 characters"),
        (every(rule("address", "is", "a\0b")), "a character that no text has"),
        (every(rule("address", "contains", "a\nb")), "a character that no text has"),
        (every(rule("language", "is", "\ud800")), "a character that no text has"),
        (every(rule("address", "one_of", [])), "name at least one"),
        (every(rule("address", "one_of", ["a"] * 101)), "name at most 100"),
        (every(rule("domain", "is", "nowhere")), "write a domain"),
        (every(rule("domain", "is", None)), "write a domain"),
        (every(rule("language", "blank", "x")), "takes no value"),
        (every(rule("created_at", "on", "2026-02-30")), "no date like"),
        (every(rule("created_at", "between", ["2026-02-03"])), "two values"),
        (every(rule("created_at", "between", ["2026-02-03", "2026-02-02"])), "is after"),
        (every(rule("created_at", "last_days", 0)), "a number of days, 1 to 36,500"),
        (every(rule("created_at", "last_days", "9" * 5000)), "a number of days"),
        (every(rule("created_at", "last_days", True)), "a number of days"),
        (every(rule("tracking_consent", "is", "maybe")), "choose one of"),
        (every(rule("list", "on", 7)), "there is no such list any more"),
        (every(rule("list", "on", True)), "there is no such list any more"),
        (every(rule("tag", "has", [1])), "there is no such tag any more"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_asked_are_refused_by_name(rules: Any, reason: str) -> None:
    with pytest.raises(BadRules) as refusal:
        compile_rules(rules, now=NOW)

    assert reason in str(refusal.value)


def test_rules_are_bounded_in_depth_and_number() -> None:
    deep = every(rule("language", "blank"))
    for _ in range(DEEPEST - 1):
        deep = every(deep)
    compile_rules(deep, now=NOW)
    compile_rules(every(*[rule("language", "blank")] * MOST_RULES), now=NOW)

    with pytest.raises(BadRules, match=f"{DEEPEST} deep"):
        compile_rules(every(deep), now=NOW)
    with pytest.raises(BadRules, match=f"at most {MOST_RULES}"):
        compile_rules(every(*[every(rule("language", "blank"))] * 2, *[deep] * 99), now=NOW)


def test_segments_of_segments_do_not_grow_without_bound() -> None:
    rules = every(*[rule("language", "blank")] * MOST_RULES)
    segment = Segment.objects.create(name="0", rules=rules)
    for number in range(1, 4):
        rules = every(*[rule("segment", "in", segment.pk)] * 10)
        segment = Segment.objects.create(name=str(number), rules=rules)

    with pytest.raises(BadRules, match="more than 500 rules"):
        found(rule("segment", "in", segment.pk))


# --- nobody breaks out of the statement -------------------------------------------------------

EVIL = [
    "'",
    "%s",
    "%(rule0)s",
    "%",
    "\\",
    "--",
    "'); DROP TABLE recipients_tag; --",
    "{name}",
    "$1",
]


@pytest.mark.parametrize("evil", EVIL)
def test_what_a_value_or_a_fields_name_says_is_only_looked_for(evil: str) -> None:
    Field.objects.create(name=evil)
    make_recipient("ada@example.org", fields={evil: evil})
    make_recipient("bob@example.org", fields={evil: "x"})

    assert found(rule(f"field:{evil}", "is", evil)) == ["ada"]
    assert found(rule(f"field:{evil}", "contains", evil)) == ["ada"]
    assert found(rule(f"field:{evil}", "starts_with", evil)) == ["ada"]
    assert found(rule(f"field:{evil}", "none_of", [evil, "'"])) == ["bob"]
    assert found(rule("address", "ends_with", evil)) == []


@pytest.fixture
def known(fields: None) -> Known:
    """A list, a tag and a segment of the id 1, and a field of each kind."""
    kept = Known.load()
    return Known(kept.fields, {1: "List"}, {1: "Tag"}, {1: "Segment"}, {1: every()})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_json_is_a_statement_that_runs_or_a_refusal(data: st.DataObject, known: Known) -> None:
    abouts = st.sampled_from(sorted(subjects(known)))
    about = data.draw(abouts)
    operator = data.draw(st.sampled_from(sorted(subjects(known)[about].operators)))
    one = rule(about, operator, data.draw(ANYTHING))
    rules = data.draw(st.sampled_from([every(one), group("none", one, one), one]) | ANYTHING)

    try:
        condition = compile_rules(rules, now=NOW, known=known)
    except BadRules:
        return

    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT ({condition.sql}) IS NULL FROM recipients_recipient recipient LIMIT 1",
            condition.params,
        )
