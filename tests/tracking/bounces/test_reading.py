"""Messages in the manner of many mail systems; each says in X-Expected what it is.

A line holds the kind, and for each recipient that counts its address, category and "hard".
"""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.bounces import Kind, Report, classify, read
from tracking.bounces.classifying import STRICT
from tracking.bounces.mime import LIMIT
from tracking.models import Category

MESSAGES = sorted((Path(__file__).parent / "messages").glob("*.eml"))
OF_BOUNCE = "0103000000000000002a5e1f09c3a77b40d28e61"
OF_MESSAGE = "0101000000000000002ab4c4d9e0117f2a6630aa"
OF_UNSUBSCRIBE = "0102000000000000002a77ce10394b5d82ff0016"
_EXPECTED = re.compile(rb"^X-Expected: (.*)\n", re.MULTILINE)


def message(name: str) -> bytes:
    """Return a message without what is expected of it."""
    raw = (Path(__file__).parent / "messages" / f"{name}.eml").read_bytes()
    return _EXPECTED.sub(b"", raw)


def verdicts(report: Report) -> list[str]:
    counted = report.failed if report.kind == Kind.BOUNCE else report.recipients
    of_failure = {Kind.BOUNCE, Kind.DELAY, Kind.DELIVERED}
    return [
        " ".join(
            [
                report.kind,
                *([each.address] if each.address else []),
                *([each.category.value] if report.kind in of_failure else []),
                *(["hard"] if each.is_hard else []),
            ]
        )
        for each in counted
    ] or [report.kind]


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_a_message_is_read(path: Path) -> None:
    raw = path.read_bytes()
    expected = [line.decode() for line in _EXPECTED.findall(raw)]

    report = read(_EXPECTED.sub(b"", raw))

    assert verdicts(report) == expected
    for token in (OF_BOUNCE, OF_MESSAGE, OF_UNSUBSCRIBE):
        assert (token in report.tokens) == (token.encode() in raw), token
    assert report.date is not None


def test_there_are_enough_messages() -> None:
    assert len(MESSAGES) >= 60


def test_the_token_of_the_address_that_it_came_to_is_the_first() -> None:
    report = read(message("postfix-user-unknown"))

    assert report.tokens[0] == OF_BOUNCE
    assert report.message_ids == (f"<{OF_MESSAGE}@shop.example>",)


def test_a_token_is_found_in_whatever_case_it_comes_back() -> None:
    raw = message("postfix-user-unknown").replace(OF_BOUNCE.encode(), OF_BOUNCE.upper().encode())

    assert read(raw).tokens[0] == OF_BOUNCE


def test_what_an_enclosed_message_encloses_is_nobodys_verdict() -> None:
    inner = message("postfix-user-unknown").decode()
    raw = (
        "From: Anna <anna@b.example>\nSubject: Look at this\n"
        'Content-Type: multipart/mixed; boundary="x"\n\n--x\n\nSee below.\n\n'
        f"--x\nContent-Type: message/rfc822\n\n{inner}\n--x--\n"
    )

    report = read(raw.encode())

    assert report.kind == Kind.UNKNOWN


def test_a_person_who_quotes_a_report_is_a_person() -> None:
    raw = (
        "From: Anna <anna@b.example>\nSubject: What does this mean?\n\nI got this:\n\n"
        "Final-Recipient: rfc822; ben@b.example\nAction: failed\nStatus: 5.1.1\n"
    )

    assert read(raw.encode()).kind == Kind.UNKNOWN


def test_what_the_returned_message_says_itself_is_not_of_its_header() -> None:
    other = "0103000000000000002b5e1f09c3a77b40d28e61"
    raw = message("exim-unrouteable").decode() + f"\nMessage-ID: <{other}@c.example>\n"

    report = read(raw.encode())

    assert report.message_ids == (f"<{OF_MESSAGE}@shop.example>",)
    assert other not in report.tokens


def test_all_that_a_report_tells_of_a_recipient_is_kept() -> None:
    report = read(message("postfix-expanded-alias"))

    [recipient] = report.recipients
    assert report.date == datetime(2026, 11, 2, 9, 15, 3, tzinfo=UTC)
    assert recipient.address == "anna.b@intern.b.example"
    assert recipient.original == "anna@b.example"
    assert recipient.reply_code == 550
    assert recipient.status == "5.1.1"
    assert recipient.diagnostic == "550 5.1.1 User unknown"


def test_a_message_that_is_too_long_is_read_up_to_the_limit() -> None:
    raw = message("postfix-user-unknown") + b"\n" + b"x" * (3 * LIMIT)

    report = read(raw)

    assert report.kind == Kind.BOUNCE
    assert report.failed[0].is_hard


def test_a_diagnostic_is_cut() -> None:
    raw = message("postfix-mailbox-full").replace(b"user is over quota", b"over quota " * 1_000)

    assert len(read(raw).recipients[0].diagnostic) == 2_000


def test_a_thousand_recipients_are_a_hundred() -> None:
    group = b"Final-Recipient: rfc822; r@b.example\nAction: failed\nStatus: 5.1.1\n\n"
    head, found, tail = message("postfix-user-unknown").partition(b"Final-Recipient")

    report = read(head + group * 1_000 + found + tail)

    assert len(report.recipients) == 100


def nested(depth: int, kind: str) -> bytes:
    """Return containers inside of containers, or messages inside of messages."""
    if kind == "message":
        return b"Content-Type: message/rfc822\n\n" * depth + b"Subject: deepest\n\nend\n"
    opened = [f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth)]
    return "".join(opened).encode() + b"\nend\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"\r",
        b"\x00" * 100,
        nested(2_000, "multipart"),
        nested(2_000, "message"),
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n" * 50_000,
        b"X: y\n" * 100_000,
        b"From: " + b"<" * 500_000,
        b"Subject: " + b"=?utf-8?q?=C3" * 50_000,
        b"Subject: Undeliverable\n\n" + b"a" * 900_000,
        b"Subject: Undeliverable\n\n" + b"a@" * 400_000,
        b"Subject: Undeliverable\n\n" + b"550 " * 200_000,
        b"Subject: Undeliverable\nContent-Type: text/html\n\n" + b"<" * 900_000,
        b"Subject: Undeliverable\nContent-Type: text/plain; charset=unicode_escape\n\n\\",
        b"Subject: Undeliverable\nContent-Type: text/plain; charset=\0\n\n\xff",
        b"Date: Mon, 99 Nov 99999 99:99:99 +9999\nSubject: Undeliverable\n\nx",
    ],
    ids=lambda raw: f"{raw[:30]!r} {len(raw)}",
)
def test_garbage_is_read_without_harm(raw: bytes) -> None:
    report = read(raw)

    assert report.kind in {Kind.UNKNOWN, Kind.BOUNCE}
    assert not any(each.is_hard for each in report.recipients)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3_000))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert isinstance(read(raw), Report)


@settings(max_examples=150, deadline=None)
@given(
    raw=st.sampled_from([path.read_bytes() for path in MESSAGES]),
    end=st.integers(0, 5_000),
    at=st.integers(0, 5_000),
    put=st.binary(max_size=30),
)
def test_a_damaged_message_is_read(raw: bytes, end: int, at: int, put: bytes) -> None:
    damaged = raw[:at] + put + raw[at + len(put) : end]

    assert isinstance(read(damaged), Report)


@settings(max_examples=100, deadline=None)
@given(
    reply=st.none() | st.integers(200, 599),
    status=st.text("1245.", max_size=8),
    text=st.text("1245. -#abé\n邮", max_size=60),
)
def test_any_answer_has_a_category(reply: int | None, status: str, text: str) -> None:
    category, is_hard = classify(reply, status, text)

    assert category in Category
    assert not is_hard or any(code in f"{status} {text}" for code in STRICT)
