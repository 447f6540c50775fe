"""Addresses and mailboxes, from what people type to what stands on the wire."""

import email
import email.header
import email.policy
import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipients.addresses import (
    BadAddress,
    Mailbox,
    format_mailbox,
    parse_address,
    parse_mailbox,
)
from recipients.headers import BadHeader, clean_header, encoded_words

CONTROLS = ["\r\n", "\n", "\r", "\x00", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x7f", "\x85"]
SEPARATORS = ["\u2028", "\u2029", "\u202a", "\u202e", "\u2066", "\u2069", "\ud800"]


@pytest.mark.parametrize(
    "text",
    [
        "anna@example.org",
        "anna.b+news@mail.example.co.uk",
        "o'hara@example.com",
        "=cmd@example.com",
        "a@x.test",
        "a@y.example",
        "a@z.invalid",
        "a@1und1.de",
        "x" * 64 + "@example.org",
    ],
)
def test_an_ordinary_address_is_taken_as_written(text: str) -> None:
    address = parse_address(text)

    assert address.addr_spec == text
    assert not address.needs_smtputf8


def test_two_spellings_of_one_address_have_one_key() -> None:
    shouted, quiet = parse_address("A.B@Example.COM"), parse_address("a.b@example.com")

    assert shouted.addr_spec == "A.B@example.com"
    assert shouted.domain == "example.com"
    assert shouted.key == quiet.key
    assert parse_address("ab@example.com").key != quiet.key


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("a@faß.de", "xn--fa-hia.de"),
        ("a@MÜNCHEN.de", "xn--mnchen-3ya.de"),
        ("a@\uff45xample\u3002org", "example.org"),
        ("a@xn--fa-hia.de", "xn--fa-hia.de"),
        ("a@XN--FA-HIA.DE", "xn--fa-hia.de"),
        ("a@münchen.test", "xn--mnchen-3ya.test"),
        ("a@例子.测试", "xn--fsqu00a.xn--0zwm56d"),
    ],
)
def test_a_domain_becomes_a_labels_of_idna_2008(text: str, domain: str) -> None:
    address = parse_address(text)

    assert address.domain == domain
    assert address.addr_spec == f"a@{domain}"
    assert not address.needs_smtputf8


def test_a_local_part_outside_ascii_is_kept_in_nfc_and_marked() -> None:
    address = parse_address("Jose\u0301@example.invalid")

    assert address.addr_spec == "Jos\u00e9@example.invalid"
    assert address.key == "jos\u00e9@example.invalid"
    assert address.needs_smtputf8


def test_blanks_and_invisible_characters_at_the_ends_are_dropped() -> None:
    address = parse_address("\ufeff \u00a0anna@example.org\u200b\t\r\n")

    assert address.addr_spec == "anna@example.org"


@pytest.mark.parametrize(
    "text",
    [
        "<anna@example.org>",
        "mailto:anna@example.org",
        "MAILTO:anna@example.org",
        "<mailto:anna@example.org>",
        "Anna B <anna@example.org>",
        "anna@example.org.",
        "anna@example.org,",
        "anna@example.org;",
    ],
)
def test_wrapping_is_refused_with_the_address_inside_as_suggestion(text: str) -> None:
    with pytest.raises(BadAddress, match=r"write anna@example\.org$"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no address"),
        ("   ", "no address"),
        ("anna", "no @"),
        ("@example.org", "nothing before the @"),
        ("a@", "domain after the @"),
        ("a@b@example.org", "more than one @"),
        ("a b@example.org", "space inside"),
        ("a@example.org b@example.org", "space inside"),
        ("a@exam\u200bple.org", "invisible character"),
        ("a\u202eb@example.org", "invisible character"),
        ("a\x00@example.org", "invisible character"),
        ("a..b@example.org", "two periods in a row$"),
        (".a@example.org", "before the @"),
        ("a.@example.org", "before the @"),
        ('"a b"@example.org', "space inside"),
        ('"ab"@example.org', "quoted"),
        ("a@localhost", "no dot"),
        ("a@[127.0.0.1]", "IP address"),
        ("a@127.0.0.1", "like example.org"),
        ("a@b..de", "domain after the @"),
        ("a@-b.de", "domain after the @"),
        ("a@b_c.de", "domain after the @"),
        ("a@☃.net", "domain after the @"),
        ("a@ab--cd.de", "domain after the @"),
        ("a@xn--a.de", "domain after the @"),
        ("a@" + "b" * 64 + ".de", "domain after the @"),
        ("x" * 65 + "@example.org", "longer than 64"),
        ("é" * 33 + "@example.org", "longer than 64"),
        ("a@" + "b" * 60 + ("." + "b" * 60) * 4 + ".de", "longer than 254"),
        ("," * 1_000_000, "longer than 254"),
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(BadAddress, match=reason):
        parse_address(text)


@pytest.mark.parametrize(("length", "fits"), [(254, True), (255, False)])
def test_an_address_has_254_bytes_at_most(length: int, fits: bool) -> None:
    text = "a@" + ("b" * 49 + ".") * 5
    text += "c" * (length - len(text))

    if fits:
        assert len(parse_address(text).addr_spec) == 254
    else:
        with pytest.raises(BadAddress, match="longer than 254"):
            parse_address(text)


@given(st.text(max_size=60) | st.from_regex(r"\A[^@]{0,12}@[^@]{0,20}\Z"))
def test_any_text_is_an_address_that_parses_to_itself_or_is_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except BadAddress:
        return

    assert parse_address(address.addr_spec) == address
    assert address.domain.isascii()
    assert address.domain == address.domain.lower()
    assert clean_header(address.addr_spec)


@pytest.mark.parametrize(
    ("text", "name", "addr_spec"),
    [
        ("News <news@example.org>", "News", "news@example.org"),
        ('"News, daily" <news@example.org>', "News, daily", "news@example.org"),
        ('"say \\"hi\\"" <news@example.org>', 'say "hi"', "news@example.org"),
        ("Müller, Anna <a@faß.de>", "Müller, Anna", "a@xn--fa-hia.de"),
        ("news@example.org", "", "news@example.org"),
        ("<news@example.org>", "", "news@example.org"),
    ],
)
def test_a_mailbox_is_a_name_and_an_address(text: str, name: str, addr_spec: str) -> None:
    mailbox = parse_mailbox(text)

    assert mailbox == Mailbox(name, parse_address(addr_spec))


@pytest.mark.parametrize(
    "text",
    [
        "a@example.org, b@example.org",
        "A <a@example.org>, B <b@example.org>",
        'a" <evil@example.net>, "b <c@example.org>',
        "News <news@example.org",
        "News <>",
        "evil@example.net <news@example.org>",
        *(f"New{control}s <news@example.org>" for control in CONTROLS + SEPARATORS),
    ],
)
def test_what_is_not_one_mailbox_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_mailbox(text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=120))
def test_a_display_name_comes_back_from_the_header_whatever_it_holds(name: str) -> None:
    mailbox = Mailbox(name, parse_address("news@example.org"))

    written = format_mailbox(mailbox)

    parsed = email.message_from_string(f"From: {written}\n\n", policy=email.policy.default)
    assert written.isascii()
    assert [each.addr_spec for each in parsed["From"].addresses] == ["news@example.org"]
    assert _name_read_from(written) == name


def _name_read_from(written: str) -> str:
    """Read it with the older parser: the newer one keeps the spaces between encoded words."""
    name, _ = email.utils.parseaddr(written)
    return str(email.header.make_header(email.header.decode_header(name)))


def test_a_hostile_display_name_stays_one_mailbox() -> None:
    mailbox = Mailbox('a" <evil@example.net>, "b', parse_address("news@example.org"))

    written = format_mailbox(mailbox)

    parsed = email.message_from_string(f"From: {written}\n\n", policy=email.policy.default)
    assert [each.addr_spec for each in parsed["From"].addresses] == ["news@example.org"]


@pytest.mark.parametrize("character", CONTROLS + SEPARATORS)
def test_a_header_value_may_not_hold_what_could_end_its_line(character: str) -> None:
    with pytest.raises(BadHeader, match=r"U\+"):
        clean_header(f"hi{character}Bcc: evil@example.net")


@pytest.mark.parametrize("value", ["", "hi there", "Grüße 👩‍👩‍👧", "שלום\u200f!", "x" * 5_000])
def test_a_header_value_of_any_script_passes(value: str) -> None:
    assert clean_header(value) == value


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_encoded_words_are_short_and_come_back(text: str) -> None:
    words = encoded_words(text).split(" ")

    parts = email.header.decode_header(" ".join(words))
    assert max(map(len, words)) <= 75
    assert b"".join(octets for octets, _ in parts).decode() == text
