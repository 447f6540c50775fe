from typing import Any

import pytest

from templates_app.branches import Sample, Ways

READERS: list[tuple[str, dict[str, Any]]] = [
    ("ada", {"city": "Nome", "age": 40, "birds": ["Godwit"]}),
    ("ben", {"city": "Oslo", "age": 12, "birds": []}),
]


def samples(
    html: str, base: dict[str, Any], *, readers: Any = READERS, subject: str = "News"
) -> dict[str, Sample[str]]:
    found = Ways(subject=subject, html=html, text="-").samples(readers, base)
    return {each.branch.title: each for each in found}


def test_each_side_of_a_condition_has_the_first_reader_who_gets_it() -> None:
    found = samples("{% if city == 'Nome' %}N{% elif city == 'Oslo' %}O{% endif %}", {"city": "X"})

    assert found["{% if city == 'Nome' %}"].who == "ada"
    assert found["{% elif city == 'Oslo' %}"].who == "ben"
    assert found["otherwise, after {% if city == 'Nome' %}"].values == {"city": "X"}


def test_values_are_invented_for_a_branch_that_no_reader_gets() -> None:
    found = samples("{% if age >= 65 %}S{% else %}J{% endif %}", {"age": 42})

    assert found["{% if age >= 65 %}"].who is None
    assert found["{% if age >= 65 %}"].values == {"age": 65}
    assert found["otherwise, after {% if age >= 65 %}"].who == "ada"


@pytest.mark.parametrize(
    ("literal", "value"),
    [("007", 7), ("1__0", 10), ("'a\nb'", "a\nb"), (r"'\N'", r"\N"), (r"'\ud83d\ude00'", "😀")],
)
def test_a_value_is_invented_as_the_engine_reads_it(literal: str, value: object) -> None:
    [found, _] = samples(f"{{% if x == {literal} %}}y{{% endif %}}", {"x": "X"}).values()

    assert found.values == {"x": value}


def test_a_default_is_two_branches() -> None:
    found = samples("{{ name | default('you') }}", {"name": "Ada"})

    assert found["name has a value"].values == {"name": "Ada"}
    assert found["name has no value: its default"].who == "ada"


def test_a_loop_is_tried_with_entries_and_with_none() -> None:
    found = samples("{% for bird in birds %}{{ bird }}{% endfor %}", {"birds": "B"})

    assert found["{% for bird in birds %}"].who == "ada"
    assert found["nothing in {% for bird in birds %}"].who == "ben"


def test_entries_are_invented_with_what_the_template_reads_of_them() -> None:
    html = "{% for b in birds %}{% if b.rare > 8 %}!{% endif %}{{ b.name }}{% endfor %}"

    found = samples(html, {"birds": "B"}, readers=[])

    [entry] = found["otherwise, after {% if b.rare > 8 %} in {% for b in birds %}"].values["birds"]  # type: ignore[index]
    assert entry == {"name": "Sample", "rare": 8}


def test_a_branch_inside_another_needs_both_conditions() -> None:
    html = "{% if city == 'Nome' %}{% if age < 18 %}young{% endif %}{% endif %}"

    found = samples(html, {"city": "X", "age": 42}, readers=[])

    inner = found["{% if age < 18 %} in {% if city == 'Nome' %}"]
    assert inner.values == {"city": "Nome", "age": 17}


def test_a_condition_on_what_was_set_asks_for_the_field_behind_it() -> None:
    found = samples("{% set c = city %}{% if c == 'Rome' %}R{% endif %}", {"city": "X"})

    assert found["{% if c == 'Rome' %}"].values == {"city": "Rome"}


def test_the_same_question_twice_is_one_branch() -> None:
    html = "{% if vip %}A{% endif %}{% if vip %}B{% endif %}"

    found = Ways(subject="{% if vip %}V{% endif %}", html=html, text="-")

    assert [each.title for each in found.branches] == [
        "{% if vip %}",
        "otherwise, after {% if vip %}",
    ]


def test_a_branch_that_nobody_can_get_is_said() -> None:
    found = samples("{% if 1 > 2 %}never{% endif %}", {})

    assert not found["{% if 1 > 2 %}"].is_found


def test_who_would_get_no_message_is_no_sample() -> None:
    found = samples("{{ missing }}{% if city %}C{% endif %}", {"missing": "M", "city": "X"})

    assert found["{% if city %}"].who is None
    assert found["{% if city %}"].values == {"missing": "M", "city": "X"}
