"""What comes back is stored once, and changes only what its token proves."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from recipients import privacy
from recipients.models import Notice, NoticeKind, Suppression
from recipients.notices import write
from tests.console import staff, superuser, text
from tests.factories import make_list, make_recipient
from tests.threads import in_a_connection_of_its_own
from tests.tracking.inbound_messages import arf, auto_reply, bounced, complained, dsn, verp
from tracking import tasks
from tracking.inbound import retention
from tracking.inbound.handling import handle_new
from tracking.inbound.storing import LIMIT, store
from tracking.links import (
    bounce_token,
    message_token,
    notice_bounce_token,
    notice_message_token,
    unsubscribe_url,
)
from tracking.models import Delivery, DeliveryEvent, DeliveryState, InboundMessage, Mailbox
from tracking.tokens import NOBODY

NOW = datetime(2026, 6, 2, 12, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent.parent
MESSAGES = "/admin/tracking/inboundmessage/"


@pytest.fixture
def delivery(db: None) -> Delivery:
    """A message to Ada; of its run there is but a number."""
    ada = make_recipient("ada@example.org", lists=[make_list()])
    found = Delivery.objects.create(
        run_id=1_000,
        recipient=ada,
        address=ada.address,
        key=ada.key,
        domain=ada.domain,
        state=DeliveryState.SENT,
    )
    Delivery.objects.update(created_at=NOW - timedelta(days=5))
    return found


@pytest.fixture
def notice(db: None) -> Notice:
    ada = make_recipient("ada@example.org", lists=[make_list()])
    write(NoticeKind.PRIVACY, recipient=ada, now=NOW)
    return Notice.objects.get()


def take(raw: bytes, *, recipient: str = "") -> InboundMessage:
    """Have a message come in, and read."""
    store(raw, recipient=recipient, origin="pipe", now=NOW)
    handle_new(now=NOW)
    return InboundMessage.objects.latest("pk")


def suppressed() -> list[tuple[str | None, str]]:
    return list(Suppression.objects.values_list("key", "reason"))


# --- which message it is about ----------------------------------------------------------------


def test_a_bounce_to_the_envelope_sender_is_noted_and_suppresses(delivery: Delivery) -> None:
    message = take(bounced(delivery.pk))

    event = DeliveryEvent.objects.get()
    assert (event.kind, event.category, event.is_hard) == ("bounced", "invalid_address", True)
    assert (event.delivery, event.recipient_id) == (delivery, delivery.recipient_id)
    assert (event.reply_code, event.enhanced_status_code) == (550, "5.1.1")
    assert event.at == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert (message.status, message.explanation) == ("done", "Bounced: no such mailbox")
    assert message.delivery == delivery
    assert suppressed() == [("ada@example.org", "bounce")]


@pytest.mark.parametrize("where", ["envelope", "header", "message", "unsubscribe"])
def test_one_token_is_enough_wherever_it_survived(where: str, delivery: Delivery) -> None:
    token = bounce_token(delivery.pk)
    raw, recipient = {
        "envelope": (dsn(), verp(token.upper())),
        "header": (dsn(to=verp(token)), ""),
        "message": (dsn(token=message_token(delivery.pk)), ""),
        "unsubscribe": (
            dsn(token=f"x@x>\nList-Unsubscribe: <{unsubscribe_url(delivery.pk)}>\nX-A: <a"),
            "",
        ),
    }[where]

    message = take(raw, recipient=recipient)

    assert (message.status, DeliveryEvent.objects.get().delivery) == ("done", delivery)


def broken(token: str) -> str:
    return token[:-1] + ("0" if token[-1] != "0" else "1")


@pytest.mark.parametrize("where", ["envelope", "header", "message", "nowhere", "another kind"])
def test_without_a_token_of_ours_nothing_changes(where: str, delivery: Delivery) -> None:
    forged = broken(bounce_token(delivery.pk))
    raw, recipient = {
        "envelope": (dsn(token=message_token(delivery.pk)), verp(forged)),
        "header": (dsn(to=verp(forged)), ""),
        "message": (dsn(token=broken(message_token(delivery.pk))), ""),
        "nowhere": (dsn(), "bounces@example.org"),
        "another kind": (dsn(), verp(message_token(delivery.pk))),
    }[where]

    message = take(raw, recipient=recipient)

    assert (message.status, message.delivery) == ("quarantined", None)
    assert (DeliveryEvent.objects.count(), suppressed()) == (0, [])


def test_a_report_about_an_address_that_the_message_was_forwarded_to_is_about_the_delivery(
    delivery: Delivery,
) -> None:
    take(dsn(to=verp(bounce_token(delivery.pk)), recipient="ada.l@home.example"))

    assert suppressed() == [("ada@example.org", "bounce")]


def test_the_same_report_twice_is_one_and_is_read_once(delivery: Delivery) -> None:
    take(bounced(delivery.pk))
    InboundMessage.objects.all().delete()

    for _ in range(2):
        take(bounced(delivery.pk))

    assert (InboundMessage.objects.count(), DeliveryEvent.objects.count()) == (1, 1)


@pytest.mark.parametrize("header", [b"", b"Message-ID: <1@mx.example.org>\r\n"])
def test_the_same_report_by_two_ways_is_one_fact(header: bytes, delivery: Delivery) -> None:
    by_pipe = header + bounced(delivery.pk)
    by_mailbox = b"Return-Path: <>\nReceived: by mx.example.org\n" + by_pipe.replace(b"\r\n", b"\n")
    by_exims_pipe = b"From MAILER-DAEMON Fri Mar 06 09:00:00 2026\n" + by_mailbox + b"\n"

    came_in = [take(raw) for raw in (by_pipe, by_mailbox, by_exims_pipe)]

    assert [message.explanation for message in came_in] == ["Bounced: no such mailbox"] * 3
    assert DeliveryEvent.objects.count() == 1


def test_a_date_that_cannot_be_is_not_believed(delivery: Delivery) -> None:
    for date in ("Fri, 01 Jan 2100 00:00:00 +0000", "Thu, 01 Jan 1970 00:00:00 +0000", "today"):
        take(dsn(to=verp(bounce_token(delivery.pk)), date=date, notice=f"Written {date}."))

    assert DeliveryEvent.objects.count() == 3
    assert set(DeliveryEvent.objects.values_list("at", flat=True)) == {NOW}


# --- what it says -----------------------------------------------------------------------------


def test_what_is_no_bounce_is_none(delivery: Delivery) -> None:
    to = verp(bounce_token(delivery.pk))
    delayed = dsn(to=to, action="delayed", status="4.4.1", said="451 4.4.1 no answer")
    messages = [
        delayed,
        dsn(to=to, action="delivered", status="2.1.5", said="250 ok"),
        auto_reply(to=to),
        arf(token=message_token(delivery.pk), feedback_type="auth-failure"),
        b"Subject: Buy now\r\n\r\nCheap.",
        b"",
        dsn(to=verp(bounce_token(NOBODY))),
        dsn(to=verp(bounce_token(delivery.pk + 1))),
    ]

    found = [take(raw) for raw in messages]

    assert [each.status for each in found] == ["done", "done", *["ignored"] * 6]
    assert list(DeliveryEvent.objects.values_list("kind", flat=True).order_by("pk")) == [
        "delayed",
        "delivered",
    ]
    assert suppressed() == []


def test_a_complaint_suppresses_at_once_however_redacted(delivery: Delivery) -> None:
    message = take(complained(delivery.pk))

    assert (message.status, message.explanation) == ("done", "Complained")
    assert suppressed() == [("ada@example.org", "complaint")]


def test_who_opts_out_by_a_report_is_mailed_no_more(delivery: Delivery) -> None:
    take(arf(token=message_token(delivery.pk), feedback_type="opt-out"))

    assert suppressed() == [("ada@example.org", "unsubscribed")]


def test_a_bounce_of_a_message_of_ours_suppresses_by_a_strict_code_alone(notice: Notice) -> None:
    to = verp(notice_bounce_token(notice.pk))

    take(dsn(to=to, status="5.2.2", said="552 5.2.2 mailbox full"))
    before = suppressed()
    message = take(dsn(to=to))

    notice.refresh_from_db()
    assert message.explanation == f"Bounced: message of ours {notice.pk}"
    assert notice.diagnostic.startswith("came back: no such mailbox: 550 5.1.1")
    assert (before, suppressed()) == ([], [("ada@example.org", "bounce")])


def test_a_complaint_about_a_message_of_ours_counts_like_any(notice: Notice) -> None:
    take(arf(token=notice_message_token(notice.pk)))

    assert suppressed() == [("ada@example.org", "complaint")]


# --- storing and handling ---------------------------------------------------------------------


def test_of_a_large_message_the_first_megabyte_is_kept_and_read(delivery: Delivery) -> None:
    message = take(bounced(delivery.pk) + b"x" * (2 * LIMIT))

    assert (len(bytes(message.raw or b"")), message.status) == (LIMIT, "done")


def test_what_no_database_can_keep_is_left_out(delivery: Delivery) -> None:
    said = "550 5.1.1 no such\0 user \ud800"
    raw = dsn(to=verp(bounce_token(delivery.pk)), said="SAID").replace(
        b"SAID", said.encode("utf-8", "surrogatepass")
    )

    message = take(raw, recipient="a\0b")

    assert (message.status, message.recipient) == ("done", "ab")


def test_a_message_that_godwit_fails_at_keeps_no_other_from_its_turn(
    delivery: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    store(bounced(delivery.pk), origin="pipe", now=NOW)
    with connection.cursor() as cursor:  # as a fault would that nobody knows of yet
        cursor.execute("ALTER TABLE tracking_deliveryevent ADD CHECK (kind <> 'bounced')")

    complaint = take(complained(delivery.pk))

    first = InboundMessage.objects.earliest("pk")
    assert (first.status, first.explanation) == (
        "quarantined",
        "A fault of Godwit's, which is in the log: IntegrityError.",
    )
    assert complaint.status == "done"


@pytest.mark.django_db(transaction=True)
def test_two_at_once_handle_each_message_once() -> None:
    for number in range(20):
        store(f"Subject: {number}\r\n\r\n".encode(), origin="pipe", now=NOW)

    def handle() -> int:
        return in_a_connection_of_its_own(lambda: handle_new(now=NOW))

    with ThreadPoolExecutor(2) as pool:
        counts = [future.result() for future in [pool.submit(handle) for _ in range(2)]]

    assert sum(counts) == 20
    assert not InboundMessage.objects.new().exists()


def test_what_was_read_is_deleted_after_its_days_and_what_was_not_is_kept(
    db: None, settings: Settings
) -> None:
    settings.INBOUND_DAYS = 30
    take(dsn())
    store(b"new", origin="pipe", now=NOW)

    counts = [retention.clean(now=NOW + timedelta(days=30, seconds=s)) for s in (0, 1, 2)]

    assert counts == [0, 1, 0]
    assert bytes(InboundMessage.objects.get().raw or b"") == b"new"


def test_of_a_storm_of_bounces_so_many_are_handled_that_others_have_their_turn(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "INBOUND_AT_ONCE", 2)
    for number in range(3):
        store(dsn(said=f"550 {number}"), origin="pipe", now=NOW)
    left = []

    for _ in range(2):
        tasks.handle_inbound()
        left.append(InboundMessage.objects.new().count())

    assert left == [1, 0]


# --- people -----------------------------------------------------------------------------------


def test_an_erasure_takes_what_came_in_about_a_person_or_names_them(delivery: Delivery) -> None:
    bob = make_recipient("bob@example.org")
    other = Delivery.objects.create(
        run_id=1_000, recipient=bob, address=bob.address, key=bob.key, state=DeliveryState.SENT
    )
    to = verp(bounce_token(other.pk))
    take(dsn(to=to, recipient="bob@example.org", said="550 5.7.1 spam", date=""))
    take(dsn(to=to, recipient="bob@example.org", said="550 <ADA@example.org> owns it"))
    take(bounced(delivery.pk))
    of_bob, naming, of_ada = DeliveryEvent.objects.order_by("pk")

    privacy.erase("ada@example.org", source="a test", now=NOW)

    kept = InboundMessage.objects.exclude(raw=None)
    assert list(kept) == []  # the header of each message that came back names Ada
    for event in (of_bob, naming, of_ada):
        event.refresh_from_db()
    assert (of_ada.recipient_id, of_ada.diagnostic) == (None, "")
    assert "erased" in naming.diagnostic
    assert "ada@" not in naming.diagnostic.lower()
    assert of_bob.diagnostic == "550 5.7.1 spam"


def test_what_comes_in_about_who_was_erased_is_noted_and_not_kept(delivery: Delivery) -> None:
    privacy.erase("ada@example.org", source="a test", now=NOW)

    message = take(bounced(delivery.pk))

    assert (message.status, message.raw) == ("done", None)
    event = DeliveryEvent.objects.get()
    assert (event.kind, event.recipient_id, event.diagnostic) == ("bounced", None, "")


# --- doors ------------------------------------------------------------------------------------


def receive(raw: bytes, *, database: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "manage.py", "receive_message", "--recipient", verp("0" * 40)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database},
        input=raw,
        capture_output=True,
        check=False,
    )


@pytest.mark.django_db(transaction=True)
def test_a_pipe_stores_what_it_is_given_and_asks_to_keep_it_where_it_cannot() -> None:
    database = connection.settings_dict
    url = f"postgres://{database['USER']}@/{database['NAME']}?host={database['HOST']}"

    taken = receive(dsn() + b"x" * 3 * LIMIT, database=url)
    away = receive(dsn(), database="postgres://nobody@127.0.0.1:1/away")

    assert (taken.returncode, taken.stderr) == (0, b"")
    stored = InboundMessage.objects.get()
    assert (stored.origin, stored.recipient, stored.status) == ("pipe", verp("0" * 40), "new")
    assert away.returncode == 75
    assert away.stderr.startswith(b"not stored, try again: ")


def test_what_came_in_is_shown_to_staff_as_text(delivery: Delivery) -> None:
    evil = "<script>alert(1)</script>"
    message = take(
        dsn(to=verp(bounce_token(delivery.pk)), said=f"550 5.1.1 {evil}", notice=evil),
        recipient=f'"{evil}"@x',
    )
    console = staff("tracking.view_inboundmessage", "tracking.view_delivery")

    pages = [console.get(MESSAGES), console.get(f"{MESSAGES}{message.pk}/change/")]

    for page in pages:
        assert evil not in page.content.decode()
        assert "&lt;script&gt;" in page.content.decode()
    assert f"/admin/tracking/delivery/{delivery.pk}/change/" in pages[1].content.decode()


def test_nobody_writes_what_came_in_at_the_console_and_few_see_it(delivery: Delivery) -> None:
    message = take(bounced(delivery.pk))
    mailbox = Mailbox.objects.create(address="imaps://b@x:993/INBOX", error="no such <b>user</b>")
    url = f"{MESSAGES}{message.pk}/"
    stranger = staff("campaigns.view_run")

    seen = [stranger.get(path).status_code for path in (MESSAGES, f"{url}change/")]

    root = superuser()
    written = [root.post(f"{url}{act}/", {"post": "yes"}) for act in ("change", "delete")]
    shown = text(root.get("/admin/tracking/mailbox/"))
    assert seen == [403, 403]
    assert [answer.status_code for answer in written] == [403, 403]
    assert mailbox.address in shown
    assert "no such <b>user</b>" in shown
