from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client, TestCase
from django.urls import reverse
from pytest_django.fixtures import Settings
from structlog.contextvars import bound_contextvars, get_contextvars

from campaigns.models import Campaign, Message, Run, RunAttachment, RunStatus, Sender
from campaigns.sending import instance, single
from campaigns.services import resume
from campaigns.transactional import (
    File,
    Inline,
    Refused,
    accept,
    forget_contents,
    forget_old,
    status_of,
    wakers,
)
from recipients.models import Recipient, Subscription, SubscriptionState, SuppressionReason
from recipients.privacy import erase, known, person
from recipients.services import unsubscribe
from recipients.suppression import suppress
from templates_app.models import TemplateVersion
from tests.campaigns.sending.test_deliver import parsed
from tests.factories import make_list, make_recipient, make_sender, make_template
from tests.smtp_server import ScriptedSMTP, defer, drop
from tracking import unconfirmed
from tracking.models import Delivery, Engagement, RunCounters
from tracking.tallying.sent import recount_due
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
RECEIPT = Inline("Receipt {{ number }}", "<p>You paid {{ sum }}.</p>")
FIELDS = {"number": 7, "sum": "12 €"}


@pytest.fixture(autouse=True)
def way_out(settings: Settings, smtp: ScriptedSMTP) -> None:
    settings.EMAIL_URL = smtp.url


@pytest.fixture(autouse=True)
def _books_agree(db: None) -> Iterator[None]:
    yield
    assert disagreements(Run.objects.all().ids(), kept_since=None) == []


@pytest.fixture
def sender() -> Sender:
    return make_sender("Shop <shop@example.org>")


def take(to: str = "ada@example.org", **changed: Any) -> UUID:
    asked: dict[str, Any] = {
        "sender": make_sender("Shop <shop@example.org>"),
        "content": RECEIPT,
        "fields": FIELDS,
        "now": NOW,
    }
    return accept(to=to, **(asked | changed))


def hand_over(pk: UUID, *, at: datetime = NOW) -> str:
    """Hand a message over, and return its state then."""
    single.hand_over(Run.objects.get(message=pk).pk, clock=lambda: at)
    status = status_of(pk)
    assert status
    return status.state


def received(smtp: ScriptedSMTP) -> EmailMessage:
    [message] = smtp.messages
    return parsed(message.data)


def test_what_is_logged_meanwhile_names_run_and_delivery() -> None:
    pk = take()

    with bound_contextvars(run=None, delivery=None):
        hand_over(pk)
        said = get_contextvars()

    delivery = Delivery.objects.get(run__message=pk)
    assert (said["run"], said["delivery"]) == (delivery.run_id, delivery.pk)


def test_a_message_to_somebody_unknown_goes_out_filled_with_what_came_with_it(
    smtp: ScriptedSMTP,
) -> None:
    pk = take("Ada@Example.ORG")

    assert hand_over(pk) == "sent"

    message = received(smtp)
    html = message.get_body(("html",))
    assert html
    assert (message["Subject"], message["From"]) == ("Receipt 7", "Shop <shop@example.org>")
    assert message["To"] == "Ada@example.org"
    assert "You paid 12 €." in html.get_content()
    status = status_of(pk)
    assert status
    assert status.message_id == message["Message-ID"]
    assert status.sent_at == NOW


def test_it_goes_by_no_list_and_measures_nothing_and_says_that_a_program_wrote_it(
    smtp: ScriptedSMTP,
) -> None:
    hand_over(take(content=Inline("Hi", "<a href='https://example.org/'>Look</a>"), fields={}))

    message = received(smtp)
    assert message["Auto-Submitted"] == "auto-generated"
    for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "List-ID", "Precedence"):
        assert name not in message
    html = message.get_body(("html",))
    assert html
    assert "href='https://example.org/'" in html.get_content()
    assert "<img" not in html.get_content()


def test_what_is_asked_to_be_measured_is(smtp: ScriptedSMTP) -> None:
    content = Inline("Hi", "<a href='https://example.org/'>Look</a>")

    hand_over(take(content=content, fields={}, is_measured=True))

    html = received(smtp).get_body(("html",))
    assert html
    assert "https://example.org/" not in html.get_content()
    assert "<img" in html.get_content()


def test_a_template_goes_out_as_it_was_last_saved(smtp: ScriptedSMTP) -> None:
    template = make_template(html="<p>Welcome, {{ name }}</p>")

    hand_over(take(content=template, fields={"name": "Ada"}))

    html = received(smtp).get_body(("html",))
    assert html
    assert "Welcome, Ada" in html.get_content()


def test_a_message_of_text_alone_has_no_html(smtp: ScriptedSMTP) -> None:
    hand_over(take(content=Inline("Code", text="Your code is {{ code }}"), fields={"code": "42"}))

    assert received(smtp).get_content_type() == "text/plain"


def test_its_files_go_with_it_and_are_let_go_of_afterwards(
    smtp: ScriptedSMTP, disk: object
) -> None:
    pk = take(files=[File("Invoice 7.pdf", b"%PDF-1.7\n%%EOF\n")])

    hand_over(pk)

    [attached] = received(smtp).iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == (
        "Invoice 7.pdf",
        b"%PDF-1.7\n%%EOF\n",
    )
    assert not RunAttachment.objects.exists()


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("to", {"to": "nobody"}),
        ("to", {"to": "a@example.org, b@example.org"}),
        ("fields", {"fields": {"number": 7}}),
        ("fields", {"fields": FIELDS | {"email": "x"}}),
        ("fields", {"fields": FIELDS | {"sum": "a\0b"}}),
        ("fields", {"fields": FIELDS | {"sum": "\ud800"}}),
        ("fields", {"fields": FIELDS | {"sum": float("nan")}}),
        ("fields", {"fields": FIELDS | {"number": "7\r\nBcc: x@example.org"}}),
        ("fields", {"fields": FIELDS | {"sum": "x" * 70_000}}),
        ("content", {"content": Inline("Hi", "<p>{{ number")}),
        ("fields", {"content": Inline("Hi", "<p>{{ number.__class__ }}</p>")}),
        ("content", {"content": Inline("", "<p>Hi</p>")}),
        ("content", {"content": Inline("Hi")}),
        ("content", {"content": Inline("H" * 501, "<p>Hi</p>")}),
        ("content", {"content": Inline("Hi\0", "<p>Hi</p>")}),
        ("content", {"content": Inline("Hi", "{% include 'footer' %}")}),
        ("attachments", {"files": [File("run.exe", b"MZ")]}),
        ("attachments", {"files": [File("plan.pdf", b"no pdf")]}),
        ("attachments", {"files": [File(f"{n}.pdf", b"%PDF-1.7\n%%EOF\n") for n in range(11)]}),
        ("language", {"language": "x" * 36}),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once_and_leaves_nothing(
    part: str, changed: dict[str, Any], disk: object
) -> None:
    with pytest.raises(Refused) as refused:
        take(**changed)

    assert refused.value.part == part
    assert str(refused.value)
    for model in (Message, Run, Recipient, Delivery):
        assert not model._default_manager.exists()


def test_a_message_that_is_too_large_with_its_files_is_refused(
    settings: Settings, disk: object
) -> None:
    settings.MESSAGE_MB = 1

    with pytest.raises(Refused) as refused:
        take(files=[File("plan.pdf", b"%PDF-1.7\n" + b"x" * 800_000)])

    assert refused.value.part == "attachments"


def test_a_sender_whose_messages_cannot_be_signed_is_refused(sender: Sender) -> None:
    sender.dkim_domain = "example.org"
    sender.save()

    with pytest.raises(Refused) as refused:
        take(sender=sender)

    assert refused.value.part == "sender"


def test_who_is_suppressed_is_skipped_also_where_that_came_later(smtp: ScriptedSMTP) -> None:
    pk = take()
    suppress("ada@example.org", reason=SuppressionReason.BOUNCE, source="test", now=NOW)

    assert hand_over(pk) == "skipped"

    status = status_of(pk)
    assert status
    assert status.reason == "suppressed"
    assert not smtp.messages
    assert Message.objects.get().look_at is None


def test_who_has_left_the_lists_or_asked_for_a_pause_still_gets_what_they_caused() -> None:
    readers = make_list()
    ada = make_recipient(lists=[readers])
    unsubscribe(ada, lists=[readers], source="test", now=NOW)
    Recipient.objects.update(paused_until=NOW + timedelta(days=30))

    assert hand_over(take()) == "sent"


def test_an_unknown_address_becomes_a_recipient_without_a_list() -> None:
    take("new@example.org")

    assert Recipient.objects.get().address == "new@example.org"
    assert not Subscription.objects.exists()


def test_of_a_known_recipient_nothing_changes() -> None:
    make_recipient("ada@example.org", lists=[make_list()], fields={"city": "Hanoi"})

    take("ADA@example.org")

    ada = Recipient.objects.get()
    assert (ada.address, ada.fields) == ("ada@example.org", {"city": "Hanoi"})
    assert Subscription.objects.get().state == SubscriptionState.CONFIRMED


def test_who_asked_to_be_forgotten_is_not_written_down_again() -> None:
    make_recipient("ada@example.org")
    erase("ada@example.org", source="test", now=NOW)

    with pytest.raises(Refused) as refused:
        take("ada@example.org")

    assert refused.value.part == "to"
    assert not Recipient.objects.exists()


def test_a_deferral_is_attempted_again_when_its_time_has_come(smtp: ScriptedSMTP) -> None:
    smtp.script(defer("451 4.7.1 Greylisted"), times=1)
    pk = take()

    assert hand_over(pk) == "retry"
    status = status_of(pk)
    assert status
    assert status.next_attempt_at
    assert Message.objects.get().look_at == status.next_attempt_at
    assert hand_over(pk, at=status.next_attempt_at - timedelta(seconds=1)) == "retry"
    assert single.due(now=status.next_attempt_at) == Run.objects.ids()
    assert hand_over(pk, at=status.next_attempt_at) == "sent"


def test_a_message_whose_task_is_lost_is_looked_after_after_a_while(settings: Settings) -> None:
    settings.REDISPATCH_SECONDS = 30
    take()

    assert single.due(now=NOW + timedelta(seconds=29)) == []
    assert single.due(now=NOW + timedelta(seconds=30)) == Run.objects.ids()
    assert single.due(now=NOW + timedelta(seconds=31)) == []


def test_a_message_that_is_handed_over_twice_goes_out_once(smtp: ScriptedSMTP) -> None:
    pk = take()

    hand_over(pk)
    hand_over(pk)

    assert len(smtp.messages) == 1


def test_two_messages_to_one_person_at_the_same_moment_are_two(smtp: ScriptedSMTP) -> None:
    hand_over(take())
    hand_over(take())

    assert len(smtp.messages) == 2
    assert Campaign.objects.count() == 1


def test_after_its_time_to_live_a_message_has_failed(smtp: ScriptedSMTP) -> None:
    smtp.script(defer("451 4.7.1 Later"))
    pk = take()

    hand_over(pk)

    assert hand_over(pk, at=NOW + timedelta(hours=73)) == "failed"
    assert Run.objects.get().status == RunStatus.COMPLETED


def test_what_it_was_filled_with_is_kept_only_to_its_end(smtp: ScriptedSMTP) -> None:
    smtp.script(defer("451 4.7.1 Later"), times=1)
    pk = take()

    hand_over(pk)
    forget_contents()
    kept = Message.objects.get().fields, TemplateVersion.objects.get().html
    hand_over(pk, at=NOW + timedelta(hours=1))
    forget_contents()

    version = TemplateVersion.objects.get()
    assert kept[0] == FIELDS
    assert "You paid" in kept[1]
    assert Message.objects.get().fields == {}
    assert (version.html, version.text, version.source) == ("", "", {})
    assert version.subject == "Receipt {{ number }}"


def test_content_that_was_forgotten_may_come_again(smtp: ScriptedSMTP) -> None:
    hand_over(take())
    forget_contents()

    hand_over(take())

    assert len(smtp.messages) == 2


def test_the_same_content_is_kept_once() -> None:
    take("a@example.org")
    take("b@example.org", fields=FIELDS | {"sum": "13 €"})

    assert TemplateVersion.objects.count() == 1


def test_what_is_older_than_the_installation_wants_is_deleted_once_it_is_at_its_end(
    settings: Settings,
) -> None:
    settings.MESSAGE_DAYS = 90
    done, waiting = take("a@example.org"), take("b@example.org")
    hand_over(done)

    assert forget_old(now=NOW + timedelta(days=90)) == 0
    assert forget_old(now=NOW + timedelta(days=90, seconds=1)) == 1

    assert status_of(done) is None
    assert status_of(waiting)
    assert Delivery.objects.count() == RunCounters.objects.count() == 1


def test_who_is_erased_takes_all_along_that_messages_said() -> None:
    done, waiting = take(), take()
    hand_over(done)
    other = take("bob@example.org", content=Inline("Bob", "<p>Bob</p>"), fields={})

    assert known(person("ada@example.org"))["messages"]
    erase("ada@example.org", source="test", now=NOW)

    left = status_of(waiting)
    assert left
    assert (left.to, left.state, left.reason) == ("", "skipped", "no_address")
    assert set(Message.objects.values_list("key", flat=True)) == {"", "bob@example.org"}
    assert {str(each) for each in TemplateVersion.objects.all()} == {"", "Bob"}
    assert not Message.objects.exclude(pk=other).exclude(fields={}).exists()
    hand_over(waiting)
    assert Run.objects.get(message=waiting).status == RunStatus.COMPLETED


def test_messages_of_a_recipient_whose_row_was_deleted_are_erased_too() -> None:
    hand_over(take())
    Recipient.objects.all().delete()

    erase("ada@example.org", source="test", now=NOW)

    assert Delivery.objects.get().address == ""


def test_no_page_and_no_sum_of_campaigns_counts_them(admin_user: Any) -> None:
    hand_over(take())

    assert not Campaign.objects.visible_to(admin_user).exists()
    assert not Run.objects.visible_to(admin_user).exists()
    assert not Run.objects.unfinished().exists()
    assert recount_due(now=NOW + timedelta(hours=1)) == []
    assert not Engagement.objects.exists()


def test_workers_are_woken_when_it_is_committed_and_not_before() -> None:
    woken: list[int] = []
    wakers.append(woken.append)
    try:
        with TestCase.captureOnCommitCallbacks() as callbacks:
            take()
        before = list(woken)
        for each in callbacks:
            if getattr(each, "func", None) == woken.append:
                each()
    finally:
        wakers.remove(woken.append)

    assert before == []
    assert woken == Run.objects.ids()


def test_a_message_of_a_database_that_was_copied_waits_for_a_person(smtp: ScriptedSMTP) -> None:
    pk = take()
    instance.hold_all()

    held = hand_over(pk)
    look_at = Message.objects.get().look_at
    resume(Campaign.objects.get(), now=NOW)
    sent = hand_over(pk)

    assert (held, look_at, sent) == ("queued", NOW + timedelta(minutes=1), "sent")


def test_a_message_in_doubt_that_is_to_be_sent_again_is_sent_at_once(smtp: ScriptedSMTP) -> None:
    smtp.script(drop("dot"), times=1)
    pk = take()
    doubted = hand_over(pk)
    delivery = Delivery.objects.get()

    unconfirmed.resend([delivery.pk], now=NOW)
    single.wake([delivery.pk], now=NOW)

    assert doubted == "unconfirmed"
    assert single.due(now=NOW) == [delivery.run_id]
    assert hand_over(pk) == "sent"


def test_the_ledger_shows_a_message_with_what_it_was_and_settles_its_doubt(
    smtp: ScriptedSMTP, admin_client: Client
) -> None:
    smtp.script(drop("dot"), times=1)
    hand_over(take())
    delivery = Delivery.objects.get()

    found = admin_client.get("/ledger/?q=ada@example.org").content.decode()
    page = admin_client.get(f"/ledger/{delivery.pk}/").content.decode()
    doubts = admin_client.get(reverse("campaigns:run_doubts", args=[delivery.run_id]))

    assert "Messages of Shop" in found
    assert "Receipt {{ number }}" in page
    assert reverse("campaigns:run_doubts", args=[delivery.run_id]) in page
    assert doubts.status_code == 200
    of_run = admin_client.get(reverse("campaigns:run_detail", args=[delivery.run_id]))
    assert of_run.status_code == 404


def test_of_a_message_that_there_is_not_nothing_is_known() -> None:
    assert status_of(uuid4()) is None
