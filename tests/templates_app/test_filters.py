"""What the documentation says that templates make, and what else filters do."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from templates_app import grammar
from templates_app.filters import filters_of
from templates_app.rendering import (
    RESERVED_NAMES,
    Plain,
    RenderError,
    check_content,
    compile_content,
)

DOCUMENT = (Path(__file__).parents[2] / "docs/templates.md").read_text()
FIELDS: dict[str, Plain] = {
    "first_name": "ada",
    "nickname": "",
    "born": "1990-02-01",
    "starts": "2026-12-04T15:30",
    "points": 1234.5,
    "unread": 3,
    "share": 0.255,
    "member": True,
    "interests": "sailing, tea, birds",
    "about": "Likes long walks along the shore",
    "products": "Sencha | green | 9.5; Cup | | 24",
}


def render(source: str, language: str = "en", /, **context: Plain) -> str:
    compiled = compile_content(subject="s", html="", text=source, language=language)
    return compiled.render({**FIELDS, **context}).text


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield language, source and result of each row of the tables."""
    for line in DOCUMENT.splitlines():
        if found := re.fullmatch(r"\| (?:([\w-]+) \| )?`(\{.*)` \| (.*) \|", line):
            yield found[1] or "en", found[2].replace(r"\|", "|"), found[3]


@pytest.mark.parametrize(("language", "source", "result"), list(rows()))
def test_what_the_documentation_shows_comes_out(language: str, source: str, result: str) -> None:
    assert re.sub("[\u00a0\u202f]", " ", render(source, language)).strip() == result
    assert check_content(subject="s", html="", text=source, known=FIELDS) == []


def test_each_filter_is_in_the_documentation_with_what_it_makes() -> None:
    shown = {name for _, source, _ in rows() for name in re.findall(r"\| (\w+)", source)}

    # Two are other names, and two print in HTML what is printed there anyway.
    assert shown == grammar.FILTERS - {"d", "e", "escape"}
    assert filters_of("en").keys() <= grammar.FILTERS


def test_the_fields_of_the_documentation_are_those_of_this_test() -> None:
    table = re.findall(r"^\| `(\w+)` \| `?((?:\\\||[^|`])+?)`? \|$", DOCUMENT, flags=re.MULTILINE)
    written = {name: value.replace(r"\|", "|") for name, value in table}

    assert {name: written[name] for name in FIELDS} == {
        name: {"": "blank", True: "true"}.get(value, str(value)) for name, value in FIELDS.items()
    }


def test_the_names_of_the_documentation_are_all_that_there_are() -> None:
    [named] = re.findall(r"fields there are (.*?)\. In HTML", DOCUMENT, flags=re.DOTALL)

    assert set(re.findall(r"`(\w+)`", named)) == RESERVED_NAMES


@pytest.mark.parametrize(
    ("count", "form"), [(1, "plik"), (2, "pliki"), (5, "plików"), (22, "pliki"), (1.5, "pliku")]
)
def test_a_plural_has_the_categories_of_its_language(count: float, form: str) -> None:
    source = '{{ n | plural(one="plik", few="pliki", many="plików", other="pliku") }}'

    assert render(source, "pl", n=count) == form


def test_a_category_without_a_form_has_that_of_the_others() -> None:
    assert render('{{ 2 | plural("one", "other") }}', "ar") == "other"
    assert render('{{ 1 | plural("other") }}', "vi") == "other"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("0.125", "€0.13"),
        ("-0.125", "-€0.13"),
        ("12", "€12.00"),
        (" 7.5 ", "€7.50"),
        (1e-7, "€0.00"),
        (-1e-7, "€0.00"),
        ("-0.004", "€0.00"),
        ("-0.005", "-€0.01"),
    ],
)
def test_money_is_rounded_as_people_do(number: Plain, shown: str) -> None:
    assert render('{{ n | money("EUR") }}', n=number) == shown


def test_a_time_is_shown_as_it_was_written_whatever_its_zone() -> None:
    source = '{{ t | time }} {{ t | date("d MMM y, HH:mm") }}'

    assert render(source, "de", t="2026-12-04T23:30:00+07:00") == "23:30 4 Dez. 2026, 23:30"
    # The same moment, which is not to be taken for the same text.
    assert render(source, "de", t="2026-12-04T16:30:00+00:00") == "16:30 4 Dez. 2026, 16:30"


@pytest.mark.parametrize(
    ("length", "shown"),
    [(33, "Likes long walks along the shore"), (17, "Likes long walks…"), (16, "Likes long…")],
)
def test_a_text_is_cut_behind_the_last_word_that_has_room(length: int, shown: str) -> None:
    assert render(f"{{{{ about | truncate({length}) }}}}") == shown


@pytest.mark.parametrize(
    ("text", "parts"),
    [("", ""), (" , ;", ";"), ("a", "a"), ("a,, b ,", "a|b"), ("a;b", "a;b")],
)
def test_blank_parts_of_a_list_are_left_out(text: str, parts: str) -> None:
    assert render("{{ x | split | join('|') }}", x=text) == parts


ROWS = """{% for p in x | rows("name", "price") -%}
{{ p.name }}:{{ p.price | default("?") }} {% endfor %}"""


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        (" ; | ; ", ""),
        ("Tea | 9; Cup", "Tea:9 Cup:?"),
        ("Tea; green|9\n | 24\n", "Tea; green:9 :24"),
        ([{"name": "Tea", "price": 9}], "Tea:9"),
    ],
)
def test_a_text_of_rows_is_a_list_of_entries(text: Plain, written: str) -> None:
    assert render(ROWS, x=text).strip() == written


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (ROWS, r"'Tea \| 9 \| new' has more than 2 parts"),
        ("{{ x | rows | length }}", "rows needs the names of its columns"),
        (f"{{{{ x | rows({', '.join(['1'] * 21)}) | length }}}}", "20 at most"),
        ('{{ missing | rows("a") | length }}', "no value"),
    ],
)
def test_what_is_no_text_of_rows_is_an_error_in_words(source: str, said: str) -> None:
    with pytest.raises(RenderError, match=said):
        render(source, x="Tea | 9 | new")


def test_what_is_a_list_already_stays_one() -> None:
    assert render("{{ x | split | join('+') }}", x=["a, b", "c"]) == "a, b+c"


@pytest.mark.parametrize("filter_", ["split(';')", "rows('a')"])
@pytest.mark.parametrize(("size", "fits"), [(1_000, True), (1_001, False)])
def test_a_list_has_a_thousand_parts_at_most(filter_: str, size: int, fits: bool) -> None:
    source, text = f"{{{{ x | {filter_} | length }}}}", ";".join("a" * size)
    if fits:
        assert render(source, x=text) == "1000"
    else:
        with pytest.raises(RenderError, match="more than 1,000 parts"):
            render(source, x=text)


def test_subject_html_and_text_are_written_in_the_same_language() -> None:
    source = "{{ born | date('long') }}"

    compiled = compile_content(subject=source, html=source, text=source, language="de-AT")

    rendered = compiled.render(FIELDS)
    assert {rendered.subject, rendered.html, rendered.text} == {"1. Februar 1990"}


@pytest.mark.parametrize(
    ("text", "titled"),
    [
        ("o'neil-SMITH", "O'Neil-Smith"),
        ("it's what we'll do, don't", "It's What We'll Do, Don't"),
        ("'quoted' (twice)", "'Quoted' (Twice)"),
        ("e\u0301cole ngữ", "E\u0301cole Ngữ"),
    ],
)
def test_a_title_has_great_letters_at_the_beginning_of_words(text: str, titled: str) -> None:
    assert render("{{ x | title }}", x=text) == titled


def test_a_text_part_has_nothing_escaped() -> None:
    assert render("{{ x | e }} {{ x | escape }}", x="Fish & Co") == "Fish & Co Fish & Co"


def test_nothing_is_less_than_nothing_of_what_is_shown() -> None:
    source = "{{ n | number(0) }} {{ n | percent }} {{ n | number(1) }} {{ n | number }}"

    assert render(source, n=-0.0049) == "0 0% 0.0 -0.005"
    assert render(source, "ar", n=-0.0049).count("-") == 1
