"""Answers of servers, and why they were given; `answers.txt` has them by category."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tracking.bounces import classify
from tracking.bounces.classifying import STRICT, codes
from tracking.models import Category

LINES = (Path(__file__).parent / "answers.txt").read_text().splitlines()


def answers() -> Iterator[tuple[str, str, str]]:
    """Return each answer with its Status and the verdict that is expected."""
    expected = ""
    for line in LINES:
        if line.startswith("["):
            expected = line.strip("[]")
        elif line and not line.startswith("#"):
            status, _, text = line.rpartition("|")
            yield status.strip(), text.strip().replace("\\n", "\n"), expected


def verdict(status: str, text: str) -> str:
    category, is_hard = classify(None, status, text, is_derived=bool(text))
    return f"{category.value} hard" if is_hard else category.value


def test_each_answer_is_told_apart() -> None:
    table = list(answers())

    wrong = [row for row in table if verdict(*row[:2]) != row[2]]

    assert wrong == []
    assert len(table) >= 200
    assert {expected.split()[0] for _, _, expected in table} == set(Category) - {"rendering"}


@pytest.mark.parametrize("code", sorted(STRICT))
def test_a_strict_code_is_hard_in_each_form_of_call(code: str) -> None:
    assert classify(550, code, "")[1]
    assert classify(None, code, "")[1]
    assert classify(None, "", f"550 {code} no such user")[1]
    assert classify(550, code, "ingen sådan postkasse")[1]


@pytest.mark.parametrize(
    "text",
    [
        "rejected: spam",
        "over quota",
        "SPF check failed",
        "too many messages today",
        "sender address rejected",
        "try again later",
        "blocked by policy",
        "account disabled",
    ],
)
def test_words_against_a_strict_code_make_it_soft(text: str) -> None:
    assert not any(classify(550, code, f"550 {code} {text}")[1] for code in STRICT)


@pytest.mark.parametrize("reply", [550, 551, 553, 554, None])
def test_a_reply_code_alone_is_never_hard(reply: int | None) -> None:
    assert not classify(reply, "", "no such user")[1]
    assert not classify(reply, "5.0.0", "no such user")[1]
    assert not classify(reply, "5.5.0", "")[1]


def test_a_passing_reply_with_a_strict_code_is_soft() -> None:
    assert classify(450, "5.1.1", "User unknown") == (Category.INVALID_ADDRESS, False)


def test_a_guessed_status_needs_words_that_agree() -> None:
    assert not classify(None, "5.1.1", "550 ingen sådan postkasse", is_derived=True)[1]
    assert classify(None, "5.1.1", "550 user unknown", is_derived=True)[1]


@pytest.mark.parametrize(
    ("text", "reply", "enhanced"),
    [
        ("550 5.1.1 no", 550, "5.1.1"),
        ("550-5.1.1 no", 550, "5.1.1"),
        ("host [192.0.2.5]:25 said: 554 5.7.1 no", 554, "5.7.1"),
        ("no mailbox (#5.1.1)", None, "5.1.1"),
        ("exim 4.96.1.2 at 5.1.1.9", None, ""),
        ("port 5250, id 14505", None, ""),
        ("550 5.01.001 no", 550, "5.1.1"),
        ("250 2.0.0 ok", None, ""),
        ("", None, ""),
    ],
)
def test_codes_are_found_at_their_place(text: str, reply: int | None, enhanced: str) -> None:
    assert codes(text) == (reply, enhanced)
