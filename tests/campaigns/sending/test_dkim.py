"""DKIM signatures, as an independent verifier reads them."""

import re
from datetime import UTC, datetime

import dkim as dkimpy  # type: ignore[import-untyped]
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from campaigns import dkim_keys
from campaigns.models import DKIMKey, Run
from campaigns.sending import dkim, signing
from campaigns.sending.deliver import deliver
from campaigns.sending.dkim import Algorithm, Key
from campaigns.services import Refused
from tests.factories import make_campaign, make_list, make_recipients, make_run, make_sender
from tests.smtp_server import ScriptedSMTP
from tracking.models import Delivery

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
KEYS = [
    Key("example.org", "rsa1", dkim.load(dkim.generate(Algorithm.RSA))),
    Key("example.org", "ed1", dkim.load(dkim.generate(Algorithm.ED25519))),
]
MESSAGE = (
    b"From: News <news@example.org>\r\nTo: ann@example.org\r\nSubject: Good\r\n morning\r\n"
    b"Date: Sun, 01 Mar 2026 09:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
    b"List-Unsubscribe: <https://news.example/u/1>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version: 1.0\r\n\r\n"
    b"Hello  Ann,\r\n\tall the best \r\n"
)

LINES = st.lists(st.binary(max_size=60).map(lambda line: re.sub(rb"[\r\n\0]", b" ", line)))
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


def verified(message: bytes, keys: list[Key] = KEYS) -> list[bool]:
    """Say of each signature whether it holds, with the keys' own DNS records."""
    records = {f"{key.name}.".encode(): key.record.encode() for key in keys}

    def holds(index: int) -> bool:
        try:
            verifier = dkimpy.DKIM(message)
            return bool(verifier.verify(index, dnsfunc=lambda name, timeout=5: records.get(name)))
        except dkimpy.ValidationError:
            return False

    head = message.partition(b"\r\n\r\n")[0]
    return [holds(index) for index in range(head.count(b"DKIM-Signature:"))]


def test_both_signatures_of_a_message_hold() -> None:
    signed = dkim.sign(MESSAGE, KEYS, now=NOW)

    assert verified(signed) == [True, True]
    assert signed.endswith(MESSAGE)
    assert max(map(len, signed.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78
    assert f"t={NOW.timestamp():.0f};".encode() in signed
    assert not re.search(rb"[;\s][lx]=", signed)


@given(st.lists(VALUES, min_size=3, max_size=3), LINES)
def test_any_message_is_signed_so_that_it_verifies(values: list[str], lines: list[bytes]) -> None:
    subject, to, other = (value.encode() for value in values)
    head = b"From: a@example.org\r\nSubject: %b\r\nTo:%b\r\nX-Other: %b\r\n" % (subject, to, other)
    message = head + b"\r\n" + b"".join(line + b"\r\n" for line in lines)

    assert verified(dkim.sign(message, KEYS, now=NOW)) == [True, True]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Ann,", b"Bob,"),
        (b"Subject: Good", b"Subject: Bad"),
        (b"/u/1>", b"/u/2>"),
        (b"MIME-Version", b"List-Unsubscribe: <https://evil.example>\r\nMIME-Version"),
        (b"MIME-Version", b"From: evil@example.net\r\nMIME-Version"),
        (b"MIME-Version", b"Reply-To: evil@example.net\r\nMIME-Version"),
    ],
    ids=["body", "subject", "link", "second List-Unsubscribe", "second From", "new Reply-To"],
)
def test_a_message_that_was_changed_does_not_verify(old: bytes, new: bytes) -> None:
    head, separator, message = dkim.sign(MESSAGE, KEYS, now=NOW).partition(b"From: News")
    changed = head + (separator + message).replace(old, new, 1)

    assert verified(changed) == [False, False]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Good\r\n morning", b"Good morning"),
        (b"best \r\n", b"best\r\n\r\n\r\n"),
        (b"Hello  Ann", b"Hello \t Ann"),
    ],
    ids=["unfolded", "empty lines at the end", "other white space"],
)
def test_what_relays_do_to_white_space_breaks_no_signature(old: bytes, new: bytes) -> None:
    signed = dkim.sign(MESSAGE, KEYS, now=NOW)

    assert verified(signed.replace(old, new)) == [True, True]


# --- keys -----------------------------------------------------------------------------------------


@pytest.fixture
def published(db: None) -> list[Key]:
    """The keys of example.org, active."""
    keys = [
        dkim_keys.create("example.org", selector="s1", algorithm=Algorithm.RSA),
        dkim_keys.create("example.org", selector="s2", algorithm=Algorithm.ED25519),
    ]
    for key in keys:
        dkim_keys.activate("example.org", selector=key.selector)
    return keys


@pytest.fixture
def run(settings: Settings, smtp: ScriptedSMTP, db: None) -> Run:
    settings.EMAIL_URL = smtp.url
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    sender = make_sender("News <news@mail.example.org>")
    sender.dkim_domain = "example.org"
    sender.save()
    return make_run(make_campaign(lists=[readers], sender=sender), now=NOW)


def send(run: Run) -> dict[str, int]:
    ids = list(Delivery.objects.filter(run=run).values_list("pk", flat=True))
    return deliver(run.pk, ids, clock=lambda: NOW)


def test_the_messages_of_a_run_arrive_signed(
    run: Run, published: list[Key], smtp: ScriptedSMTP
) -> None:
    counts = send(run)

    assert counts == {"accepted": 3}
    assert [verified(message.data, published) for message in smtp.messages] == [[True, True]] * 3


def test_a_run_is_held_rather_than_sent_unsigned(run: Run, smtp: ScriptedSMTP) -> None:
    dkim_keys.create("example.org", selector="s1", algorithm=Algorithm.RSA)

    counts = send(run)

    run.refresh_from_db()
    assert counts == {"held": 3}
    assert run.status == "held"
    assert "no RSA key of example.org is active" in run.held_reason
    assert smtp.messages == []


@pytest.mark.django_db
def test_ed25519_alone_is_not_enough() -> None:
    dkim_keys.create("example.org", selector="s2", algorithm=Algorithm.ED25519)
    dkim_keys.activate("example.org", selector="s2")

    with pytest.raises(signing.NoKey, match="no RSA key"):
        signing.keys_of("example.org")


def test_a_key_is_read_once_for_a_thousand_signatures(published: list[Key]) -> None:
    signing._private.cache_clear()

    for _ in range(500):
        assert len(signing.keys_of("example.org")) == 2

    assert signing._private.cache_info().misses == 2


def test_a_private_key_is_encrypted_at_rest(published: list[Key]) -> None:
    assert not any("PRIVATE" in row.encrypted_key for row in DKIMKey.objects.all())


def test_a_key_that_was_encrypted_with_another_secret_is_named(
    published: list[Key], settings: Settings
) -> None:
    signing._private.cache_clear()
    settings.SECRET_KEY = "n" * 50

    with pytest.raises(signing.NoKey, match=r"s1\._domainkey\.example\.org: it was encrypted"):
        signing.keys_of("example.org")


def test_a_new_key_takes_the_place_of_the_one_of_its_kind(published: list[Key]) -> None:
    dkim_keys.create("example.org", selector="s3", algorithm=Algorithm.RSA)

    dkim_keys.activate("example.org", selector="s3")

    active = DKIMKey.objects.filter(is_active=True).values_list("selector", flat=True)
    assert sorted(active) == ["s2", "s3"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("dkim_selector_unique", {}),
        ("dkim_algorithm_known", {"selector": "other", "algorithm": "rsa-md5"}),
    ],
)
def test_the_database_holds_one_key_of_a_name_and_known_algorithms(
    constraint: str, changes: dict[str, str]
) -> None:
    row = {"domain": "example.org", "selector": "s1", "algorithm": Algorithm.RSA}
    DKIMKey.objects.create(**row, encrypted_key="x")

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        DKIMKey.objects.create(**{**row, **changes}, encrypted_key="x")


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("algorithm", ["rsa", "ed25519"])
def test_the_command_prints_the_record_of_a_key_that_does_not_sign_yet(
    algorithm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("create_dkim_key", "Example.ORG", "--selector", "s1", "--algorithm", algorithm)

    zone = capsys.readouterr().out
    strings = re.findall(r'"([^"]*)"', zone)
    row = DKIMKey.objects.get()
    key = Key(row.domain, row.selector, signing._private(row.encrypted_key))
    assert zone.startswith("s1._domainkey.example.org. IN TXT (")
    assert "".join(strings) == key.record
    assert max(map(len, strings)) <= 255
    assert not row.is_active


@pytest.mark.django_db
def test_the_command_activates_a_key() -> None:
    call_command("create_dkim_key", "example.org", "--selector", "s1")

    call_command("create_dkim_key", "example.org", "--selector", "s1", "--activate")

    assert DKIMKey.objects.get().is_active


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["example.org", "--selector", "S 1"], "lower-case letters"),
        (["not a domain", "--selector", "s1"], "domain 'not a domain'"),
        (["example.org", "--selector", "s9", "--activate"], "no key s9"),
    ],
)
def test_the_command_says_what_is_wrong_and_makes_nothing(arguments: list[str], text: str) -> None:
    with pytest.raises(CommandError, match=text):
        call_command("create_dkim_key", *arguments)

    assert not DKIMKey.objects.exists()


def test_a_second_key_of_a_name_is_refused(published: list[Key]) -> None:
    with pytest.raises(Refused, match="already"):
        dkim_keys.create("example.org", selector="s1", algorithm=Algorithm.RSA)
