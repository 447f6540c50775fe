"""Mailboxes of bounces are emptied into the database: stored first, deleted afterwards."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection
from django.utils import timezone

from tests.certificates import TLSPair, make_tls_pair
from tests.live import wait_until
from tests.mailbox_servers import PASSWORD, USER, IMAPServer, POP3Server
from tests.tracking.inbound_messages import dsn
from tracking.inbound.mailboxes import Address, parse_all
from tracking.inbound.polling import poll
from tracking.inbound.sessions import BATCH_BYTES, few
from tracking.inbound.storing import LIMIT
from tracking.models import InboundMessage, Mailbox

ROOT = Path(__file__).resolve().parent.parent.parent
# A line that begins with a dot, one that is long, bytes that are no text.
AWKWARD = b"Subject: x\r\n\r\n.dot\r\n..two\r\n" + b"y" * 5_000 + b"\xff\x00\r\n"
Server = type[IMAPServer] | type[POP3Server]
BOTH = pytest.mark.parametrize(
    ("kind", "scheme"), [(IMAPServer, "imap"), (POP3Server, "pop3")], ids=["imap", "pop3"]
)


def at(server: IMAPServer | POP3Server, scheme: str, *, password: str = PASSWORD) -> Address:
    url = f"{scheme}://{quote(USER)}:{quote(password, safe='')}@127.0.0.1:{server.port}"
    [address] = parse_all(url)
    return address


def empty(server: IMAPServer | POP3Server, scheme: str, *, password: str = PASSWORD) -> Mailbox:
    mailbox = poll(at(server, scheme, password=password), clock=timezone.now)
    assert mailbox
    return mailbox


def stored() -> list[bytes]:
    return [bytes(each.raw or b"") for each in InboundMessage.objects.order_by("pk")]


# --- where ------------------------------------------------------------------------------------


def test_a_url_says_where_and_shows_no_password() -> None:
    [one, other] = parse_all("imaps://b%40x.org:p%2Fw@mx.org/Bounces%20in, pop3://a:s@[::1]:1110")

    assert (one.user, one.password, one.port, one.folder) == ("b@x.org", "p/w", 993, "Bounces in")
    assert str(one) == "imaps://b%40x.org@mx.org:993/Bounces%20in"
    assert str(other) == "pop3://a@[::1]:1110"
    assert "p/w" not in repr(one)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://a:secret@x",
        "imaps://x.org",
        "imaps://a@x.org",
        "imaps://a:secret@x.org:port",
        "imaps://a:secret@x.org?y=1",
        "pop3s://a:secret@x.org/Folder",
        "imaps://a:secret%0d%0aA1 DELETE@x.org",
        "imaps://a:secret@x.org,imaps://a:secret2@x.org",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_words_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"write imaps|named twice") as refused:
        parse_all(url)

    assert "secret" not in str(refused.value)


def test_a_batch_has_a_bounded_size_and_one_message_at_least() -> None:
    large = dict.fromkeys(range(20), LIMIT)

    assert few(large) == list(range(BATCH_BYTES // LIMIT))
    assert few({1: 10**12, 2: 1}) == [1, 2]
    assert few(dict.fromkeys(range(500), 1)) == list(range(100))
    assert few({}) == []


# --- emptying ---------------------------------------------------------------------------------


@BOTH
@pytest.mark.django_db
def test_what_is_in_a_mailbox_is_stored_as_it_is_and_deleted(kind: Server, scheme: str) -> None:
    with kind([dsn(), AWKWARD]) as server:
        mailbox = empty(server, scheme)
        again = empty(server, scheme)

        assert server.messages == []
    assert stored() == [dsn(), AWKWARD]
    assert (mailbox.messages, mailbox.error, again.messages) == (2, "", 2)
    assert InboundMessage.objects.earliest("pk").origin == str(at(server, scheme))


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TLSPair:
    pair = make_tls_pair(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    return pair


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [
        (IMAPServer, "imaps"),
        (IMAPServer, "imap+starttls"),
        (POP3Server, "pop3s"),
        (POP3Server, "pop3+starttls"),
    ],
)
@pytest.mark.django_db
def test_a_mailbox_is_read_by_tls_and_not_where_nobody_vouches_for_the_server(
    kind: Server, scheme: str, tls: TLSPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kind(
        [dsn()], tls=tls.server, implicit=scheme.endswith("s") and "+" not in scheme
    ) as server:
        good = empty(server, scheme)
        monkeypatch.delenv("SSL_CERT_FILE")
        strange = empty(server, scheme)

    assert (good.error, len(stored())) == ("", 1)
    assert "CERTIFICATE_VERIFY_FAILED" in strange.error


@pytest.mark.django_db
def test_servers_of_less_skill_are_emptied_as_well() -> None:
    with IMAPServer([dsn(), AWKWARD], extensions="", uid_behind=True) as server:
        mailbox = empty(server, "imap", password="secret")

        assert (mailbox.error, server.messages) == ("", [])
    assert stored() == [dsn(), AWKWARD]


@BOTH
@pytest.mark.django_db
def test_of_a_large_message_the_first_megabyte_is_stored(kind: Server, scheme: str) -> None:
    head = b"Subject: x\r\n\r\n"
    # Its first piece ends where an end of the message seems to be.
    endless = head + b"y" * LIMIT + b".\r\n" + b"z" * LIMIT + b"\r\n"
    with kind([endless, dsn()]) as server:
        empty(server, scheme)

        assert server.messages == []
    assert stored() == [endless[:LIMIT], dsn()]


@pytest.mark.parametrize(
    ("kind", "scheme", "answers", "error"),
    [
        (IMAPServer, "imap", {"AUTHENTICATE": "TAG NO [AUTH] wrong p,4"}, "[AUTH] wrong p,4"),
        (IMAPServer, "imap", {"AUTHENTICATE": f"TAG NO {PASSWORD}?"}, "…?"),
        (IMAPServer, "imap", {"SELECT": "TAG NO no such folder"}, "no such folder"),
        (IMAPServer, "imap", {"FETCH": ""}, "socket error: EOF"),
        (IMAPServer, "imap", {"STORE": "TAG NO read only"}, "read only"),
        (IMAPServer, "imap", {"EXPUNGE": "TAG OK done"}, "the server does not delete"),
        (IMAPServer, "imap", {"CAPABILITY": "* X {99999999}"}, "larger than it was asked for"),
        (POP3Server, "pop3", {"PASS": "-ERR wrong"}, "-ERR wrong"),
        (POP3Server, "pop3", {"LIST": ""}, "EOF"),
        (POP3Server, "pop3", {"LIST": "+OK\r\none two\r\n."}, "invalid literal"),
        (POP3Server, "pop3", {"DELE": "-ERR no"}, "-ERR no"),
    ],
)
@pytest.mark.django_db
def test_what_goes_wrong_is_kept_for_people_to_see_and_nothing_is_lost(
    kind: Server, scheme: str, answers: dict[str, str], error: str
) -> None:
    with kind([dsn()], answers=answers) as server:
        mailbox = empty(server, scheme)

        assert len(server.messages) == 1
    assert error in mailbox.error
    assert len(stored()) <= 1


@pytest.mark.django_db
def test_a_server_that_is_not_there_is_named_and_the_next_time_forgotten() -> None:
    with IMAPServer() as server:
        address = at(server, "imap")
    away = poll(address, clock=timezone.now)

    assert away
    assert "Connection refused" in away.error


@pytest.mark.django_db(transaction=True)
def test_one_process_at_a_time_reads_a_mailbox() -> None:
    hold = threading.Event()
    with POP3Server([dsn()], hold=hold) as server:
        address = at(server, "pop3")
        first = threading.Thread(target=_poll_and_close, args=(address,))
        first.start()
        assert server.asked.wait(30)

        second = poll(address, clock=timezone.now)
        hold.set()
        first.join()

        assert (second, server.messages) == (None, [])


def _poll_and_close(address: Address) -> None:
    poll(address, clock=timezone.now)
    connection.close()


_POLL = """
import django, sys
django.setup()
from django.utils import timezone
from tracking.inbound.mailboxes import parse_all
from tracking.inbound.polling import poll
poll(parse_all(sys.argv[1])[0], clock=timezone.now)
"""


@BOTH
@pytest.mark.django_db(transaction=True)
def test_who_is_killed_between_storing_and_deleting_loses_nothing_and_stores_nothing_twice(
    kind: Server, scheme: str
) -> None:
    database = connection.settings_dict
    url = f"postgres://{database['USER']}@/{database['NAME']}?host={quote(database['HOST'])}"
    hold = threading.Event()
    with kind([dsn(), AWKWARD], hold=hold) as server:
        secret = quote(PASSWORD, safe="")
        mailbox = f"{scheme}://{quote(USER)}:{secret}@127.0.0.1:{server.port}"
        poller = subprocess.Popen(
            [sys.executable, "-c", _POLL, mailbox],
            cwd=ROOT,
            env={**_environ(), "DATABASE_URL": url},
        )
        assert server.asked.wait(60)
        poller.kill()
        poller.wait()
        hold.set()
        kept = len(server.messages)

        server.hold = None
        empty_when_free(server, scheme)

        assert (kept, server.messages) == (2, [])
    assert stored() == [dsn(), AWKWARD]


def _environ() -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}


def empty_when_free(server: IMAPServer | POP3Server, scheme: str) -> None:
    """Empty it as soon as PostgreSQL has noticed that the other one is dead."""
    wait_until(lambda: poll(at(server, scheme), clock=timezone.now), "the lock is free")
