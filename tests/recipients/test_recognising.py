import re

import pytest
from django.urls import get_resolver
from django.utils.translation import override

from campaigns import reasons
from recipients import recognising
from recipients.recognising import known, read
from recipients.translatable import Translatable

REFUSED = reasons.REFUSED % {
    "part": "12.5",
    "base": "2,000",
    "group": "google",
    "limit": "5",
}
GIVEN_UP = "not delivered within 72 hours; last: 451 4.3.0 later"


def test_each_form_is_known_by_what_is_made_of_it() -> None:
    assert get_resolver().url_patterns  # with which all of them are loaded

    for form in recognising._FORMS.values():
        parts = {name: f"a-{name}" for name in re.findall(r"%\((\w+)\)[sr]", form.text)}
        expected = {**parts, **({"label": Translatable("a-label")} if "label" in parts else {})}
        if form.is_ours:
            parts[form.is_ours] = reasons.NO_SENDER
            expected[form.is_ours] = Translatable(reasons.NO_SENDER)

        found = known(form.text % parts if parts else form.text)

        assert found == Translatable(form.text, expected)


def test_in_english_a_sentence_is_read_as_it_was_written() -> None:
    with override("en"):
        assert [read(REFUSED), read(GIVEN_UP)] == [REFUSED, GIVEN_UP]


@pytest.mark.parametrize("said", ["550 5.7.1 go away", "full; last: 5 hours", "later: subject"])
def test_what_a_server_says_stays_as_it_is(said: str) -> None:
    with override("vi"):
        assert read(said) == said


def test_a_sentence_within_a_sentence_is_known() -> None:
    said = reasons.BAD_KEY % {"key": "a._domainkey.b.org", "error": reasons.OTHER_SECRET}

    found = known(said)

    within = {"key": "a._domainkey.b.org", "error": Translatable(reasons.OTHER_SECRET)}
    assert found == Translatable(reasons.BAD_KEY, within)


@pytest.mark.parametrize(
    ("said", "read_in_vietnamese"),
    [
        (GIVEN_UP, "không phát được trong vòng 72 giờ; lần cuối: 451 4.3.0 later"),
        (
            "hard bounce, no such mailbox: delivery 5",
            "thư trả lại cứng, không có hộp thư này: lần phát 5",
        ),
        (
            "subject, line 1: 'x' is no number like 12 or -3.5",
            "tiêu đề, dòng 1: 'x' không phải số như 12 hay -3.5",
        ),
    ],
)
def test_what_is_ours_is_read_in_the_language_of_the_reader(
    said: str, read_in_vietnamese: str
) -> None:
    with override("vi"):
        assert read(said) == read_in_vietnamese
