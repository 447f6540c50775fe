"""Messages of ours to one person: once, in time, and never to somebody who is left alone."""

import email
import email.policy
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from threading import Thread

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from campaigns import notices
from campaigns.models import Sender, Transport
from campaigns.sending.outcomes import Accepted, Rejected
from campaigns.services import get_sender, set_transport_url
from recipients import consent, privacy, signup
from recipients.addresses import parse_address
from recipients.models import (
    Notice,
    NoticeKind,
    Recipient,
    SignupForm,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from recipients.notices import write
from tests.factories import make_form, make_list, make_recipient, make_sender
from tests.smtp_server import Act, ScriptedSMTP, defer, drop, refuse

pytestmark = pytest.mark.django_db

ADA = "ada@example.org"
NOW = timezone.now()


@pytest.fixture(autouse=True)
def way_out(smtp: ScriptedSMTP, settings: Settings) -> None:
    settings.EMAIL_URL = smtp.url
    make_sender()


def ask(form: SignupForm, address: str = ADA, *, now: datetime = NOW) -> None:
    asked = signup.Asked(
        address=parse_address(address),
        wording=consent.keep_wording(form.wording),
        answers={},
        origin=consent.Origin(),
    )
    signup.ask(form, asked, now=now)


def send(now: datetime = NOW) -> int:
    return notices.send_due(clock=lambda: now)


def received(smtp: ScriptedSMTP) -> EmailMessage:
    [message] = smtp.messages
    return email.message_from_bytes(message.data, policy=email.policy.default)


def test_a_confirmation_says_who_asked_for_what_and_leads_to_the_page(
    smtp: ScriptedSMTP, client: Client
) -> None:
    ask(make_form())

    assert send() == 1

    message = received(smtp)
    assert message["From"] == "News <news@example.org>"
    assert message["To"] == ADA
    assert message["Subject"] == "Please confirm: Birds"
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    link = next(line for line in text.splitlines() if "/c/" in line)
    assert (
        "Please confirm" in client.get(link.removeprefix("http://localhost:8000")).content.decode()
    )
    assert link in message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    notice = Notice.objects.get()
    assert notice.sent_at == NOW
    assert notice.diagnostic.startswith("250")


def test_a_message_of_ours_is_no_bulk_mail_and_follows_nobody(smtp: ScriptedSMTP) -> None:
    ask(make_form())
    send()

    message = received(smtp)

    assert message["Auto-Submitted"] == "auto-generated"
    for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "List-ID", "Precedence"):
        assert message[name] is None
    html = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "<img" not in html
    assert html.count("href=") == 1
    assert smtp.messages[0].envelope_sender.startswith("b-")


def test_nothing_that_a_stranger_typed_is_in_the_message(smtp: ScriptedSMTP) -> None:
    form = make_form()
    asked = signup.Asked(
        parse_address(ADA),
        consent.keep_wording("x"),
        {"name": "Buy at evil.example"},
        consent.Origin(),
    )
    signup.ask(form, asked, now=NOW)

    send()

    assert b"evil" not in smtp.messages[0].data


def test_what_was_sent_is_not_sent_again(smtp: ScriptedSMTP) -> None:
    ask(make_form())

    assert [send(), send(NOW + timedelta(days=2))] == [1, 0]
    assert len(smtp.messages) == 1


def test_a_worker_that_dies_before_it_records_sends_nothing_twice_within_a_day(
    smtp: ScriptedSMTP,
) -> None:
    ask(make_form())
    looks = iter([NOW, NOW])  # at the claim, and when it is composed; then the worker is killed

    with pytest.raises(StopIteration):
        notices.send_due(clock=lambda: next(looks))
    assert len(smtp.messages) == 1
    again = [send(NOW + timedelta(hours=hours)) for hours in (0, 1, 23)]
    ask(make_form("other", mailing_list=make_list("Other")), now=NOW + timedelta(hours=23))
    again.append(send(NOW + timedelta(hours=23)))

    assert again == [0, 0, 0, 0]
    assert len(smtp.messages) == 1
    assert send(NOW + timedelta(hours=25)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_claim_is_one_workers_alone() -> None:
    for n in range(30):
        write(NoticeKind.WELCOME, recipient=make_recipient(f"r{n}@example.org"), now=NOW)
    claimed: list[int] = []

    def work() -> None:
        try:
            while notice := notices.claim(now=NOW):
                claimed.append(notice.pk)
        finally:
            connection.close()

    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(claimed) == sorted(Notice.objects.values_list("pk", flat=True))


def test_who_comes_back_after_a_day_tells_nothing_about_a_message_that_another_took() -> None:
    ask(make_form())
    late, other = (notices.claim(now=NOW + timedelta(hours=hours)) for hours in (0, 25))
    assert late
    assert other

    notices.record(late, Rejected(diagnostic="late"), now=NOW + timedelta(hours=26))
    still_open = Notice.objects.open().exists()
    notices.record(other, Accepted(diagnostic="taken"), now=NOW + timedelta(hours=26))

    assert still_open
    assert Notice.objects.get().diagnostic == "taken"


def test_a_deferral_is_tried_again_when_its_time_has_come(
    smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.RETRY_SCHEDULE = (600,)
    smtp.script(defer())
    ask(make_form())

    tried = [send(), send(NOW + timedelta(minutes=7)), send(NOW + timedelta(minutes=13))]

    assert tried == [1, 0, 1]
    notice = Notice.objects.get()
    assert notice.sent_at
    assert notice.attempts == 1


def test_what_is_deferred_too_often_is_given_up(smtp: ScriptedSMTP, settings: Settings) -> None:
    settings.RETRY_SCHEDULE = (600,)
    smtp.script(defer(), times=None)
    ask(make_form())

    send()
    send(NOW + timedelta(hours=1))

    notice = Notice.objects.get()
    assert notice.failed_at
    assert "450" in notice.diagnostic


def test_what_cannot_be_sent_for_three_days_is_given_up(
    smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    ask(make_form())

    send(NOW + timedelta(hours=71))
    waits = Notice.objects.get().failed_at is None
    send(NOW + timedelta(hours=72))

    assert waits
    assert Notice.objects.get().diagnostic.startswith("not delivered within 72 hours; last: ")


@pytest.mark.parametrize(
    ("act", "said"), [(refuse(), "550 5.1.1"), (drop("dot"), "it may have arrived")]
)
def test_what_was_refused_or_is_in_doubt_is_at_its_end(
    act: Act, said: str, smtp: ScriptedSMTP
) -> None:
    smtp.script(act)
    ask(make_form())

    tried = [send(), send(NOW + timedelta(days=2))]

    assert tried == [1, 0]
    assert said in Notice.objects.get().diagnostic


def test_a_transport_that_is_away_costs_one_attempt_and_the_others_go_on(
    smtp: ScriptedSMTP,
) -> None:
    away = Transport(name="Away")
    set_transport_url(away, url="smtp://127.0.0.1:1")
    elsewhere = make_form("far", mailing_list=make_list("Far"))
    elsewhere.sender = get_sender("far@example.org", transport=away)
    elsewhere.save()
    for n in range(3):
        ask(elsewhere, f"far{n}@example.org")
        ask(make_form(f"near{n}"), f"near{n}@example.org")

    assert send() == 4
    assert len(smtp.messages) == 3
    waiting = Notice.objects.open()
    assert {each.next_attempt_at > NOW for each in waiting} == {True}
    assert waiting.count() == 3


def test_without_a_sender_it_waits_and_says_so() -> None:
    Sender.objects.all().delete()
    ask(make_form())

    send()

    notice = Notice.objects.get()
    assert notice.failed_at is None
    assert notice.diagnostic == "there is no sender; create one"


def suppressed() -> None:
    Suppression.objects.create(key=ADA, reason=SuppressionReason.COMPLAINT)


def other_address() -> None:
    Recipient.objects.update(key="eve@example.org", address="eve@example.org")


def confirmed_meanwhile() -> None:
    Subscription.objects.update(state=SubscriptionState.CONFIRMED)


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        (suppressed, "suppressed"),
        (other_address, "another address"),
        (confirmed_meanwhile, "nothing to confirm"),
    ],
)
def test_what_has_changed_since_is_seen_before_it_is_sent(
    meanwhile: Callable[[], None], reason: str, smtp: ScriptedSMTP
) -> None:
    ask(make_form())
    meanwhile()

    send()

    assert smtp.messages == []
    assert reason in Notice.objects.get().diagnostic


def test_who_was_forgotten_is_not_mailed(smtp: ScriptedSMTP) -> None:
    ask(make_form())
    Recipient.objects.all().delete()

    assert send() == 0


# --- welcome ------------------------------------------------------------------------------------


def welcome(*, state: SubscriptionState = SubscriptionState.CONFIRMED) -> Notice:
    form = make_form()
    form.welcome_text = "Look up: <swifts>!"
    form.save()
    recipient = make_recipient(lists=[form.mailing_list], state=state)
    write(NoticeKind.WELCOME, recipient=recipient, form=form, now=NOW)
    return Notice.objects.get()


def test_a_welcome_says_the_forms_words_and_how_to_leave(
    smtp: ScriptedSMTP, client: Client
) -> None:
    welcome()

    send()

    message = received(smtp)
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert message["Subject"] == "Welcome to Birds"
    assert "Look up: <swifts>!" in text
    assert "&lt;swifts&gt;" in message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    link = next(line for line in text.splitlines() if "/p/" in line)
    assert (
        "What ada@example.org gets"
        in client.get(link[len("http://localhost:8000") :]).content.decode()
    )


def test_who_has_left_before_is_not_welcomed(smtp: ScriptedSMTP) -> None:
    welcome(state=SubscriptionState.UNSUBSCRIBED)

    send()

    assert smtp.messages == []
    assert Notice.objects.get().diagnostic == notices.NOT_SUBSCRIBED


# --- privacy ------------------------------------------------------------------------------------


def test_who_asks_what_is_known_of_them_is_answered_though_they_are_suppressed(
    smtp: ScriptedSMTP, client: Client
) -> None:
    ada = make_recipient(ADA)
    Suppression.objects.create(key=ADA, reason=SuppressionReason.COMPLAINT)
    now = timezone.now()
    privacy.ask(ada, now)

    send(now)

    text = received(smtp).get_body(("plain",)).get_content()  # type: ignore[union-attr]
    link = next(line for line in text.splitlines() if line.startswith("http") and "/" in line[9:])
    page = client.get(link.removeprefix("http://localhost:8000"))
    assert page.status_code == 200
    assert ADA in page.content.decode()


def test_a_link_that_would_be_too_old_is_not_sent(smtp: ScriptedSMTP) -> None:
    privacy.ask(make_recipient(ADA), NOW)

    send(NOW + privacy.LINK_HOLDS + timedelta(seconds=1))

    assert smtp.messages == []
