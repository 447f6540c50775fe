"""Messages with files: their tree, their names, their signature, and what they cost."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.sending import dkim
from campaigns.sending.attaching import Attached, File, encoded_size
from campaigns.sending.compose import Skeleton
from campaigns.sending.dkim import Algorithm, Key, relaxed_body
from recipients.addresses import Mailbox, parse_address
from tests.campaigns.sending.test_dkim import verified

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
PDF = File("Plan.pdf", "application/pdf", b"%PDF-1.7 \x00\xff" * 500)
CSV = File("Gäste.csv", "text/csv; charset=utf-8", "Zoë;Köln\n".encode())
KEYS = [
    Key("example.org", "rsa1", dkim.load(dkim.generate(Algorithm.RSA))),
    Key("example.org", "ed1", dkim.load(dkim.generate(Algorithm.ED25519))),
]


def written(attached: Attached | None, *, text: str = "", html: str = "") -> bytes:
    skeleton = Skeleton(
        sender=Mailbox("News", parse_address("news@example.org")),
        reply_to=None,
        list_name="Readers",
        list_id="1234.example.org",
        feedback_id="c:l:campaign:example",
    )
    return skeleton.message(
        to="ada@example.net",
        subject="News",
        text=[text] if text else [],
        html=[html] if html else [],
        message_id="<1@example.org>",
        date=NOW,
        unsubscribe_url="https://news.example.org/u/1",
        unsubscribe_mailto=None,
        attached=attached,
    )


def parsed(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=policy.default)


def tree(part: MIMEPart) -> Any:
    if not part.is_multipart():
        return part.get_content_type()
    return {part.get_content_type(): [tree(inner) for inner in part.iter_parts()]}


ALTERNATIVE = {"multipart/alternative": ["text/plain", "text/html"]}


@pytest.mark.parametrize(
    ("text", "html", "files", "expected"),
    [
        ("t", "", [], "text/plain"),
        ("", "<p>", [], "text/html"),
        ("t", "<p>", [], ALTERNATIVE),
        ("t", "", [PDF], {"multipart/mixed": ["text/plain", "application/pdf"]}),
        ("", "<p>", [PDF], {"multipart/mixed": ["text/html", "application/pdf"]}),
        ("t", "<p>", [PDF, CSV], {"multipart/mixed": [ALTERNATIVE, "application/pdf", "text/csv"]}),
    ],
)
def test_a_message_has_the_levels_that_it_needs_and_no_other(
    text: str, html: str, files: list[File], expected: Any
) -> None:
    attached = Attached(files) if files else None

    data = written(attached, text=text, html=html) + (attached.tail if attached else b"")

    message = parsed(data)
    assert tree(message) == expected
    assert message.defects == []
    for part, file in zip(message.iter_attachments(), files if attached else [], strict=True):
        assert part.get_content_disposition() == "attachment"
        assert part.get_filename() == file.name
        assert part.get_payload(decode=True) == file.content


def test_what_stands_before_the_files_is_the_message_without_them() -> None:
    attached = Attached([PDF])
    alone, data = (written(one, text="Hëllo", html="<p>.\r\n") for one in (None, attached))

    inner = parsed(data + attached.tail).get_payload(0)

    assert isinstance(inner, EmailMessage)
    assert alone.partition(b"\r\n\r\n")[2] in data
    assert tree(inner) == tree(parsed(alone))
    assert len(written(attached, text="t")) < 2_000


@pytest.mark.parametrize(
    "name",
    [
        "Plan.pdf",
        "The plan of 2026 (final), v2.pdf",
        "Ångström & Söhne's 100%.pdf",
        "日本" * 48 + ".pdf",
        "🎉" * 96 + ".pdf",
        'a"b\\c.pdf',
        "two  blanks.pdf",
        "a;b=c*0.pdf",
    ],
)
def test_a_name_arrives_as_it_is(name: str) -> None:
    attached = Attached([File(name, "application/pdf", b"x")])
    data = written(attached, text="t") + attached.tail

    [part] = parsed(data).iter_attachments()

    assert part.get_filename() == name
    assert part.defects == []
    assert max(map(len, data.split(b"\r\n"))) <= 130
    assert data.isascii()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100))
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    tail = Attached([File(name, "application/pdf", b"x")]).tail

    head = tail.partition(b"\r\n\r\n")[0]
    fields = re.split(rb"\r\n(?! )", head)[1:]

    assert [field.partition(b":")[0] for field in fields] == [
        b"Content-Type",
        b"Content-Transfer-Encoding",
        b"Content-Disposition",
    ]
    assert relaxed_body(tail) == tail
    assert b"\r\n." not in tail


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 100_000])
def test_the_size_of_a_file_in_a_message_is_known_before(size: int) -> None:
    file = File("🎉" * 96 + ".pdf", "application/pdf", bytes(size))
    overhead = len(Attached([File(file.name, file.content_type, b"")]).tail)

    taken = len(Attached([file]).tail)

    assert taken <= encoded_size(size)
    assert encoded_size(size) - taken == encoded_size(0) - overhead


def test_the_signature_holds_over_the_files() -> None:
    attached = Attached([PDF, CSV])
    data = written(attached, text="Hello  \t\r\n\r\n", html="<p>Hi</p>")

    signed = dkim.sign(data, KEYS, now=NOW, tail=attached.tail) + attached.tail

    assert verified(signed, KEYS) == [True, True]
    assert verified(signed.replace(b"JVBERi", b"JVBERj"), KEYS) == [False, False]
