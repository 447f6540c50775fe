"""Messages, byte by byte and as a reader parses them."""

import email
import email.header
import email.policy
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.sending.compose import Skeleton, envelope_sender, message_id
from recipients.addresses import Mailbox, parse_address, parse_mailbox
from recipients.headers import BadHeader

TOKEN = "aeaqaaaaaadvxtivx35z3o25eej6dlrz"
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
CONTROLS = ["\r\n", "\n", "\r", "\x00", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85"]
CONTROLS += ["\u2028", "\u2029", "\u202e", "\u2066"]
SINGLE = ["From", "To", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"]
SINGLE += ["List-Unsubscribe", "List-Unsubscribe-Post", "List-ID", "Feedback-ID", "Precedence"]
NEVER_ENCODED = re.compile(rb"(?mi)^(?:List-Unsub|Feedback-ID|Message-ID|Date)[^\r]*=\?")


def make_skeleton(**changes: Any) -> Skeleton:
    values: dict[str, Any] = {
        "sender": parse_mailbox("News <news@example.org>"),
        "reply_to": parse_mailbox("Help <help@example.org>"),
        "list_name": "Weekly news",
        "list_id": "0b9f.lists.example.org",
        "feedback_id": "c7:l3:news:godwit",
    }
    return Skeleton(**values | changes)


VALUES: dict[str, Any] = {
    "to": "anna@example.com",
    "subject": "Hello",
    "html": "<p>Hello</p>\n",
    "text": "Hello\n",
    "message_id": message_id(TOKEN, "example.org"),
    "date": NOON,
    "unsubscribe_url": f"https://t.example.org/u/{TOKEN}",
    "unsubscribe_mailto": None,
}


def make_message(skeleton: Skeleton | None = None, /, **changes: Any) -> bytes:
    values = VALUES | changes
    bodies = {part: [values[part]] if values[part] else [] for part in ("html", "text")}
    return (skeleton or make_skeleton()).message(**values | bodies)


def parse(message: bytes) -> EmailMessage:
    return email.message_from_bytes(message, policy=email.policy.default)


def read_subject(message: bytes) -> str:
    """Read it with the older parser, which obeys RFC 2047 6.2 on spaces between words."""
    raw = str(email.message_from_bytes(message)["Subject"])
    return str(email.header.make_header(email.header.decode_header(raw.replace("\r\n", ""))))


def body_of(message: bytes, kind: str) -> str:
    """Read a part, without the line ends before the boundary, which takes one to itself."""
    part = parse(message).get_body((kind,))
    assert part is not None
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().rstrip("\r\n")


def as_sent(text: str) -> str:
    return re.sub("\r\n|\r|\n", "\r\n", text).rstrip("\r\n")


def lines_of(message: bytes) -> list[bytes]:
    return message.split(b"\r\n")


def header_lines(message: bytes) -> list[bytes]:
    return lines_of(message.partition(b"\r\n\r\n")[0])


def assert_fit_for_the_wire(message: bytes) -> None:
    assert message.isascii()
    assert message.endswith(b"\r\n")
    assert b"\r" not in message.replace(b"\r\n", b"")
    assert b"\n" not in message.replace(b"\r\n", b"")
    body = message.partition(b"\r\n\r\n")[2]
    assert max(map(len, lines_of(body))) <= 76
    assert max(map(len, lines_of(message))) <= 998
    assert not NEVER_ENCODED.search(message)
    parsed = parse(message)
    assert {name: len(parsed.get_all(name, [])) for name in SINGLE} == dict.fromkeys(SINGLE, 1)
    assert "Bcc" not in parsed


def test_the_header_is_as_written_here() -> None:
    message = make_message(unsubscribe_mailto=f"mailto:u-{TOKEN}@b.example.org?subject=unsubscribe")

    assert header_lines(message) == [
        b"From: News <news@example.org>",
        b"To: anna@example.com",
        b"Reply-To: Help <help@example.org>",
        b"Subject: Hello",
        b"Date: Sun, 01 Mar 2026 12:00:00 +0000",
        b"Message-ID: <aeaqaaaaaadvxtivx35z3o25eej6dlrz@example.org>",
        (
            b"List-Unsubscribe: <https://t.example.org/u/aeaqaaaaaadvxtivx35z3o25eej6dlrz>, "
            b"<mailto:u-aeaqaaaaaadvxtivx35z3o25eej6dlrz@b.example.org?subject=unsubscribe>"
        ),
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        b"List-ID: Weekly news <0b9f.lists.example.org>",
        b"Feedback-ID: c7:l3:news:godwit",
        b"Precedence: bulk",
        b"X-Auto-Response-Suppress: OOF, AutoReply",
        b"MIME-Version: 1.0",
        b"Content-Type: multipart/alternative;",
        b' boundary="=_de85400328d83b958024ba26"',
    ]


def test_a_message_has_text_then_html() -> None:
    message = make_message(text="Hello\nthere", html="<p>Hello\n</p>")

    parsed = parse(message)
    parts = [part.get_content_type() for part in parsed.iter_parts()]
    assert parts == ["text/plain", "text/html"]
    assert body_of(message, "plain") == "Hello\r\nthere"
    assert body_of(message, "html") == "<p>Hello\r\n</p>"
    assert_fit_for_the_wire(message)


def test_a_message_of_text_alone_has_one_part() -> None:
    message = make_message(html="")

    assert parse(message).get_content_type() == "text/plain"
    assert not parse(message).is_multipart()
    assert body_of(message, "plain") == "Hello"
    assert_fit_for_the_wire(message)


def test_a_message_without_reply_to_has_no_such_header() -> None:
    message = make_message(make_skeleton(reply_to=None))

    assert parse(message)["Reply-To"] is None


def test_the_same_values_give_the_same_bytes_and_other_deliveries_others() -> None:
    skeleton = make_skeleton()

    first, second = make_message(skeleton), make_message(skeleton)
    other = make_message(skeleton, message_id=message_id("b" * 32, "example.org"))

    assert first == second == make_message()
    assert parse(first).get_boundary() != parse(other).get_boundary()


def test_the_date_is_in_utc() -> None:
    local = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert parse(make_message(date=local))["Date"] == "Sun, 01 Mar 2026 12:00:00 +0000"


def test_the_envelope_sender_fits_in_a_local_part() -> None:
    address = envelope_sender(TOKEN, "bounce.example.org")

    assert address == "b-aeaqaaaaaadvxtivx35z3o25eej6dlrz@bounce.example.org"
    assert parse_address(address).addr_spec == address


# Bodies


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Hello", "quoted-printable"),
        ("Grüße aus Köln, bis bald in einer anderen Stadt", "quoted-printable"),
        ("aaaaaaaaaaé\n", "quoted-printable"),
        ("aaaaé\n", "base64"),
        ("用户例子测试", "base64"),
        ("👩‍👩‍👧👩‍👩‍👧", "base64"),
    ],
)
def test_a_part_is_base64_when_more_than_a_sixth_is_not_ascii(text: str, encoding: str) -> None:
    message = make_message(text=text, html="")

    assert parse(message)["Content-Transfer-Encoding"] == encoding
    assert body_of(message, "plain").rstrip() == text.rstrip()
    assert_fit_for_the_wire(message)


@pytest.mark.parametrize(
    "html",
    [
        "x" * 5_000,
        "=" * 5_000,
        "é" * 5_000,
        "a é" * 2_000,
        "<p>\t \n" * 100,
        "a \r\nb\t\r\n",
        "a\rb\n\rc",
        "\n\n\n",
        ".",
        ".\r\nMAIL FROM:<evil@example.net>\r\n.\r\n",
        "From nobody\n>From\n--=_de85400328d83b958024ba26--\n",
        "\x00\x0b\x1c\x85\u2028 controls",
    ],
)
def test_a_body_arrives_as_it_was(html: str) -> None:
    message = make_message(html=html, text=html)

    assert body_of(message, "html") == as_sent(html)
    assert body_of(message, "plain") == body_of(message, "html")
    assert [len(list(parse(message).iter_parts()))] == [2]
    assert_fit_for_the_wire(message)
    assert not any(line.startswith(b".") for line in lines_of(message))


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_any_body_arrives_as_it_was(text: str, html: str) -> None:
    message = make_message(text=text, html=html)

    for kind, body in (("plain", text), ("html", html)):
        assert body_of(message, kind) == as_sent(body)
    assert_fit_for_the_wire(message)


@given(st.lists(st.text(min_size=1, max_size=90), min_size=1, max_size=6))
def test_a_body_arrives_whole_however_it_is_cut(pieces: list[str]) -> None:
    message = make_skeleton().message(**VALUES | {"html": [], "text": pieces})

    cut = [piece.replace("\r\n", "\n").replace("\r", "\n") for piece in pieces]
    assert body_of(message, "plain") == as_sent("".join(cut))
    assert_fit_for_the_wire(message)


@pytest.mark.parametrize(
    "piece",
    [
        ".",
        "..",
        f"{'x' * 73}{'.' * 80}",
        f"{'=' * 24}.{'x' * 80}",
        f"{'x' * 74} ",
        f"{'x' * 149}\t",
    ],
)
def test_no_line_of_a_piece_is_too_long_for_its_soft_line_break(piece: str) -> None:
    message = make_message(html="", text=f"{piece}\n{piece}")

    assert body_of(message, "plain") == f"{piece}\r\n{piece}"
    assert_fit_for_the_wire(message)
    assert not any(line.startswith(b".") for line in lines_of(message))


def test_half_a_character_is_replaced() -> None:
    message = make_message(text="a\ud800b", html="用户\ud800")

    assert body_of(message, "plain") == "a?b"
    assert body_of(message, "html") == "用户?"


def test_a_skeleton_that_has_seen_many_messages_writes_as_a_new_one() -> None:
    skeleton = make_skeleton()
    for number in range(5_000):
        make_message(skeleton, text=f"line {number}\n{'=' * number}\n", html="")

    message = make_message(skeleton, text="line 4999 é\nline 3\nnew =\n")

    assert message == make_message(text="line 4999 é\nline 3\nnew =\n")


# Headers


def readable(maximum: int) -> st.SearchStrategy[str]:
    return st.text(
        st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=maximum
    )


@given(readable(300))
def test_a_subject_of_any_script_is_read_as_written(subject: str) -> None:
    message = make_message(subject=subject)

    words = [word for line in header_lines(message) for word in line.split() if b"=?" in word]
    assert read_subject(message) == subject
    assert all(len(word) <= 75 for word in words)
    assert_fit_for_the_wire(message)


@pytest.mark.parametrize(
    "subject",
    [
        "",
        " ",
        "x" * 300,
        "x" * 1_000,
        "word " * 60 + "end",
        "用户" * 150,
        "👩‍👩‍👧" * 20,
        "two  spaces " * 20 + "end",
        " " * 200 + "end",
        "=?utf-8?q?not_a_word?=",
        "Fwd: =?",
        "trailing ",
    ],
)
def test_an_odd_subject_is_read_as_written(subject: str) -> None:
    message = make_message(subject=subject)

    assert read_subject(message) == subject
    assert max(map(len, header_lines(message))) <= 76 or " " not in subject
    assert_fit_for_the_wire(message)


@given(readable(150))
def test_a_name_of_any_script_leaves_one_mailbox_in_its_header(name: str) -> None:
    mailbox = Mailbox(name, parse_address("news@example.org"))
    skeleton = make_skeleton(sender=mailbox, reply_to=mailbox, list_name=name)

    message = make_message(skeleton, to_name=name)

    parsed = parse(message)
    for header, addr_spec in {
        "From": "news@example.org",
        "Reply-To": "news@example.org",
        "To": "anna@example.com",
    }.items():
        assert [each.addr_spec for each in parsed[header].addresses] == [addr_spec]
    assert "".join(str(parsed["List-ID"]).split()).endswith("<0b9f.lists.example.org>")
    assert_fit_for_the_wire(message)


@pytest.mark.parametrize("length", [40, 77, 200, 700])
def test_a_url_of_any_length_stays_on_one_line_as_it_is(length: int) -> None:
    url = "https://t.example.org/u/".ljust(length, "x")
    mailto = "mailto:u@b.example.org?subject=unsubscribe"

    message = make_message(unsubscribe_url=url, unsubscribe_mailto=mailto)

    assert f"List-Unsubscribe: <{url}>, <{mailto}>".encode() in header_lines(message)
    assert parse(message)["List-Unsubscribe"] == f"<{url}>, <{mailto}>"


@pytest.mark.parametrize(("length", "fits"), [(978, True), (979, False)])
def test_a_url_has_to_fit_on_a_line(length: int, fits: bool) -> None:
    url = "https://t.example.org/u/".ljust(length, "x")

    if fits:
        assert max(map(len, header_lines(make_message(unsubscribe_url=url)))) == 998
    else:
        with pytest.raises(BadHeader, match="too long for one line"):
            make_message(unsubscribe_url=url)


def test_no_line_of_a_header_is_blank() -> None:
    name = "a" * 69 + "  " + "b" * 80

    message = make_message(make_skeleton(sender=Mailbox(name, parse_address("a@example.org"))))

    assert all(line.strip() for line in header_lines(message))
    assert parse(message)["From"].addresses[0].addr_spec == "a@example.org"


def hostile(text: str) -> Iterator[str]:
    for control in CONTROLS:
        yield f"{text}{control}Bcc: evil@example.net"
        yield f"{control}{text}"


@pytest.mark.parametrize(
    ("place", "good"),
    [
        ("subject", "Hello"),
        ("to_name", "Anna"),
        ("to", "anna@example.com"),
        ("message_id", "<a@example.org>"),
        ("unsubscribe_url", "https://t.example.org/u/x"),
        ("unsubscribe_mailto", "mailto:u@b.example.org"),
    ],
)
def test_no_value_of_a_message_ends_its_header(place: str, good: str) -> None:
    assert_fit_for_the_wire(make_message(**{place: good}))
    for value in hostile(good):
        with pytest.raises(BadHeader):
            make_message(**{place: value})


@pytest.mark.parametrize("place", ["list_name", "list_id", "feedback_id", "sender", "reply_to"])
def test_no_value_of_a_skeleton_ends_its_header(place: str) -> None:
    for value in hostile("a.b.example.org"):
        changes: dict[str, Any] = {place: value}
        if place in {"sender", "reply_to"}:
            changes = {place: Mailbox(value, parse_address("news@example.org"))}
        with pytest.raises(BadHeader):
            make_skeleton(**changes)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("to", "a@example.org, evil@example.net"),
        ("to", "a@example.org evil@example.net"),
        ("to", "<a@example.org>"),
        ("to", "a"),
        ("to", ""),
        ("message_id", "a@example.org"),
        ("message_id", "<a@example.org> <b@example.org>"),
        ("message_id", "<ä@example.org>"),
        ("unsubscribe_url", "javascript:alert(1)"),
        ("unsubscribe_url", "https://t.example.org/>, <https://evil.example.net/"),
        ("unsubscribe_url", "https://t.example.org/a b"),
        ("unsubscribe_url", "https://t.example.org/ä"),
        ("unsubscribe_url", "https://t.example.org/a,b"),
        ("unsubscribe_url", ""),
        ("unsubscribe_mailto", "u@b.example.org"),
        ("subject", "x" * 5_000),
        ("subject", "word " * 1_000),
        ("to_name", "é" * 3_000),
    ],
)
def test_a_value_of_another_form_or_too_long_is_refused(place: str, value: str) -> None:
    with pytest.raises(BadHeader):
        make_message(**{place: value})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("list_id", "no-dot"),
        ("list_id", "a b.example.org"),
        ("list_id", "a>.example.org"),
        ("feedback_id", "a:b:c"),
        ("feedback_id", "a:b:c:four"),
        ("feedback_id", "a:b:c:sixteen-letters-"),
        ("feedback_id", "a b:c:d:godwit"),
        ("list_name", "x" * 5_000),
    ],
)
def test_a_skeleton_of_another_form_is_refused(place: str, value: str) -> None:
    with pytest.raises(BadHeader):
        make_skeleton(**{place: value})


def test_a_header_block_of_more_than_16_kib_is_refused() -> None:
    long = Mailbox("word " * 790, parse_address("a@example.org"))
    skeleton = make_skeleton(sender=long, reply_to=long, list_name="word " * 790)
    make_message(skeleton)

    with pytest.raises(BadHeader, match="16,384 at most"):
        make_message(skeleton, to_name="word " * 790)


def test_an_address_that_needs_smtputf8_is_never_encoded() -> None:
    message = make_message(to="josé@example.com", to_name="José")

    assert "To: =?utf-8?b?Sm9zw6k=?= <josé@example.com>".encode() in header_lines(message)
