"""Which of several languages a reader gets, and which way it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app.languages import chosen, is_right_to_left, locale_of, lookup
from templates_app.rendering import compile_content
from templates_app.variants import Variants


@pytest.mark.parametrize(
    ("language", "chosen"),
    [
        ("pt-BR", "pt"),
        ("pt", "pt"),
        ("PT-br", "pt"),
        ("pt_BR", "pt"),
        ("zh-Hant-TW", "zh-hant"),
        ("zh-Hant", "zh-hant"),
        ("zh-Hans-CN", "zh"),
        ("zh-x-private", "zh"),
        ("zh-a-bb-x-c", "zh"),
        ("de", None),
        ("de-AT", "de-at"),
        ("p", None),
        ("", None),
        ("-", None),
        ("x-pt", None),
    ],
)
def test_a_reader_gets_the_most_special_language_that_is_theirs(
    language: str, chosen: str | None
) -> None:
    assert lookup(language, {"pt", "zh", "zh-hant", "de-at", "en-gb"}) == chosen


@given(st.text("abx-_ 1é\ud800", max_size=40))
def test_any_text_is_looked_up_without_harm(language: str) -> None:
    assert lookup(language, {"a", "ab-x"}) in {None, "a", "ab-x"}
    assert str(locale_of(language))
    assert is_right_to_left(language) in {True, False}


@pytest.mark.parametrize(
    ("language", "is_so"),
    [
        ("ar", True),
        ("ar-EG", True),
        ("he", True),
        ("fa-IR", True),
        ("UR", True),
        ("yi", True),
        ("ckb", True),
        ("pa-Arab", True),
        ("uz-Arab-AF", True),
        ("ur-Aran", True),
        ("arz", True),
        ("apc-SY", True),
        ("azb", True),
        ("rhg", True),
        ("sdh", True),
        ("prs", True),
        ("iw", True),
        ("pa-PK", True),
        ("uz_AF", True),
        ("az-IR", True),
        ("zh-min-nan-Arab", True),
        ("ar-x-latn", True),
        ("ar-US", True),
        ("sd-IN", False),
        ("ug-KZ", False),
        ("x-arab", False),
        ("en-arab1", False),
        ("ar-Latn", False),
        ("az", False),
        ("pa", False),
        ("ku-Latn", False),
        ("en", False),
        ("", False),
    ],
)
def test_what_begins_at_the_right_is_known_by_script_or_language(
    language: str, is_so: bool
) -> None:
    assert is_right_to_left(language) is is_so


@pytest.mark.parametrize(
    ("language", "locale"),
    [
        ("de-AT", "de_AT"),
        ("zh-Hant-TW", "zh_Hant_TW"),
        ("pt-br", "pt_BR"),
        ("de-x-ours", "de"),
        ("tlh", "en"),
        ("", "en"),
        ("../../etc/passwd", "en"),
    ],
)
def test_dates_and_numbers_are_those_of_the_nearest_language_that_is_known(
    language: str, locale: str
) -> None:
    assert str(locale_of(language)) == locale


def contents(*others: str, language: str = "") -> Variants:
    def one(says: str) -> object:
        return compile_content(subject=says, html=f"{says} {{{{ name }}}}", text="t")

    return Variants(one("fallback"), language=language, others={tag: one(tag) for tag in others})  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("pt-PT", "pt"),
        ("pt-BR", "fallback"),
        ("fr", "fallback"),
        ("", "fallback"),
        ("*", "fallback"),
        ("EN", "en"),
        ("zh-hant-tw", "zh-Hant"),
    ],
)
def test_content_is_chosen_by_what_the_recipient_reads(language: str, says: str) -> None:
    variants = contents("pt", "en", "zh-Hant", language="pt-BR")

    rendered = variants.render({"name": "Ada", "language": language})

    assert (rendered.subject, rendered.html) == (says, f"{says} Ada")


@pytest.mark.parametrize(
    ("language", "tags", "place"),
    [
        ("fil", ["en", "fi"], 0),
        ("zh-Hant-TW", ["", "zh", "ZH-hant"], 2),
        ("de_AT", ["en", "de"], 1),
        ("en-GB", ["en-gb", "en"], 0),
        ("", ["", "de"], 0),
        ("-de", ["", "de"], 0),
    ],
)
def test_a_reader_gets_the_text_at_one_place(language: str, tags: list[str], place: int) -> None:
    assert chosen(language, tags) == place


def test_a_name_is_read_where_any_language_reads_it() -> None:
    fallback = compile_content(subject="s", html="x", text="t")
    other = compile_content(subject="s", html="{{ preferences_url }}", text="t")

    variants = Variants(fallback, others={"de": other})

    assert variants.reads("preferences_url")
    assert not variants.reads("name")


def test_thousands_of_languages_that_recipients_made_up_are_not_kept() -> None:
    variants = contents("de")

    for number in range(2_500):
        variants.of(f"x{number}")

    assert len(variants._chosen) <= 1_000
