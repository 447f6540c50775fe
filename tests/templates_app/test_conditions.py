import pytest

from templates_app.branches import Ways
from templates_app.conditions import Test


def said(html: str) -> dict[str, list[str]]:
    return {
        each.title: [_written(test) for test in each.tests]
        for each in Ways(subject="S", html=html, text="-").branches
    }


def _written(test: Test) -> str:
    value = "" if test.value is None else f" {test.sign} {test.value!r}"
    return f"{'not ' if test.is_denied else ''}{test.field}{value}"


@pytest.mark.parametrize(
    ("condition", "entered", "passed"),
    [
        ("city == 'Nome'", ["city == 'Nome'"], ["not city == 'Nome'"]),
        ("age >= 65", ["age >= 65"], ["not age >= 65"]),
        ("age == 007", ["age == 7"], ["not age == 7"]),
        ("city != 'Nome'", ["not city == 'Nome'"], ["city == 'Nome'"]),
        ("not vip", ["not vip"], ["vip"]),
        ("'tea' in likes | split", ["likes in 'tea'"], ["not likes in 'tea'"]),
        ("'tea' not in likes", ["not likes in 'tea'"], ["likes in 'tea'"]),
        ("born is not defined", ["not born"], ["born"]),
        ("vip and age < 5 and a | int > 2", ["vip", "age < 5"], []),
        ("vip or not rich", [], ["not vip", "rich"]),
        ("vip and (rich or old)", [], []),
        ("points | int > 3", [], []),
        ("1 > 2", [], []),
    ],
)
def test_a_condition_says_what_it_asks_of_single_fields(
    condition: str, entered: list[str], passed: list[str]
) -> None:
    found = said(f"{{% if {condition} %}}A{{% endif %}}")

    assert [*found.values()] == [entered, passed]


def test_branches_ask_what_stands_around_and_before_them() -> None:
    found = said(
        "{% if vip %}{% if city == 'Nome' %}N{% elif age > 9 %}O{% else %}E{% endif %}{% endif %}"
        "{% for b in birds | split %}{% if b == 'Ruff' %}R{% endif %}{% endfor %}"
        "{{ name | default('you') }}"
    )

    assert found["{% elif age > 9 %} in {% if vip %}"] == ["vip", "not city == 'Nome'", "age > 9"]
    assert found["otherwise, after {% if city == 'Nome' %} in {% if vip %}"] == [
        "vip",
        "not city == 'Nome'",
        "not age > 9",
    ]
    assert found["{% if b == 'Ruff' %} in {% for b in birds | split %}"] == ["birds"]
    assert found["nothing in {% for b in birds | split %}"] == ["not birds"]
    assert found["name has no value: its default"] == ["not name"]
