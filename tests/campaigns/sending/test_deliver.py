from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from campaigns.models import DomainLimit, Gate, Route, Run, Slot, Transport
from campaigns.sending import deliver as module
from campaigns.sending.deliver import deliver
from campaigns.sending.outcomes import Cause, Deferred, Scope
from campaigns.sending.source import Source
from campaigns.sending.transports import open_transport
from campaigns.services import set_limits, set_transport_url
from recipients.models import Recipient, SuppressionReason
from recipients.suppression import suppress
from tests.factories import (
    make_campaign,
    make_list,
    make_recipients,
    make_run,
    make_segment,
    make_template,
    set_routes,
)
from tests.smtp_server import ScriptedSMTP, closing, defer, refuse
from tracking import ledger
from tracking.links import key_ring
from tracking.models import Delivery
from tracking.tokens import Kind, read
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
HTML = "<p>Hello {{ first_name }}</p><a href='{{ unsubscribe_url }}'>Leave</a>"


@pytest.fixture
def run(settings: Settings, smtp: ScriptedSMTP) -> Run:
    """A run of four recipients that goes to the scripted server."""
    settings.EMAIL_URL = smtp.url
    readers = make_list()
    make_recipients(4, mailing_list=readers)
    return make_run(make_campaign(lists=[readers], template=make_template(html=HTML)), now=NOW)


@pytest.fixture(autouse=True)
def _books_agree(db: None) -> Iterator[None]:
    yield
    assert disagreements(Run.objects.all().ids(), kept_since=None) == []


def ids() -> list[int]:
    return list(Delivery.objects.order_by("pk").values_list("pk", flat=True))


def states() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


def at(now: datetime = NOW) -> Callable[[], datetime]:
    return lambda: now


def named(name: str, url: str) -> Transport:
    transport = Transport(name=name)
    set_transport_url(transport, url=url, now=NOW)
    return transport


def parsed(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_each_recipient_gets_a_message_of_its_own(run: Run, smtp: ScriptedSMTP) -> None:
    counts = deliver(run.pk, ids(), clock=at())

    assert counts == {"accepted": 4}
    assert [message.recipient for message in smtp.messages] == [
        f"r{n:04}@example.org" for n in (1, 2, 3, 4)
    ]
    first = parsed(smtp.messages[0].data)
    assert first["To"] == "r0001@example.org"
    assert first["From"] == "News <news@example.org>"
    assert first["Subject"] == "News"
    assert first["Date"].datetime == NOW
    assert [part.get_content_type() for part in first.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip
    html = first.get_body(("html",))
    assert html is not None
    assert "Hello R1" in html.get_content()
    assert not smtp.violations


def test_a_run_whose_lists_were_taken_away_is_held_and_says_so(
    run: Run, smtp: ScriptedSMTP
) -> None:
    run.campaign.lists.clear()

    counts = deliver(run.pk, ids(), clock=at())

    run.refresh_from_db()
    assert counts == {"held": 4}
    assert (run.status, run.held_reason) == (
        "held",
        "the campaign has no list or segment any more; choose one",
    )
    assert smtp.messages == []


def test_a_run_without_a_list_is_of_its_segment_whose_name_is_nobodys_business(
    smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    make_recipients(1, mailing_list=make_list())
    segment = make_segment("Never bought anything")
    template = make_template(html="<p>{{ list_name }}</p>")
    run = make_run(make_campaign(segments=[segment], template=template), now=NOW)

    deliver(run.pk, ids(), clock=at())

    [message] = smtp.messages
    assert parsed(message.data)["List-ID"] == f"News <{segment.identifier.hex}.example.org>"
    assert b"Never bought" not in message.data


def test_a_message_leads_back_to_its_delivery_by_three_tokens(
    run: Run, smtp: ScriptedSMTP, settings: Settings
) -> None:
    deliver(run.pk, ids(), clock=at())

    for delivery, message in zip(Delivery.objects.order_by("pk"), smtp.messages, strict=True):
        headers = parsed(message.data)
        url = str(headers["List-Unsubscribe"]).strip("<>")
        local = message.envelope_sender.removesuffix("@example.org")
        identifier = str(headers["Message-ID"])
        assert url.startswith(f"{settings.SITE_URL}/u/")
        assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert identifier == delivery.message_id
        tokens = {
            Kind.UNSUBSCRIBE: url.rpartition("/")[2],
            Kind.BOUNCE: local.removeprefix("b-"),
            Kind.MESSAGE: identifier.strip("<>").partition("@")[0],
        }
        for kind, token in tokens.items():
            assert read(token, kind=kind, ring=key_ring()) == delivery.pk


def test_the_feedback_id_is_one_for_all_and_tells_no_number(run: Run, smtp: ScriptedSMTP) -> None:
    deliver(run.pk, ids(), clock=at())

    [feedback_id] = {str(parsed(message.data)["Feedback-ID"]) for message in smtp.messages}
    campaign, mailing_list, kind, sender = feedback_id.split(":")
    assert kind == "campaign"
    assert [len(part) for part in (campaign, mailing_list, sender)] == [10, 10, 10]
    assert len({campaign, mailing_list, sender}) == 3


def test_the_message_id_is_the_same_at_each_attempt_and_the_date_is_the_attempts(
    run: Run, smtp: ScriptedSMTP
) -> None:
    smtp.script(defer(phase="dot"), recipient="r0001@example.org")
    later = NOW + timedelta(days=1)

    deliver(run.pk, ids()[:1], clock=at())
    refused = Delivery.objects.order_by("pk")[0]
    deliver(run.pk, ids()[:1], clock=at(later))

    accepted = parsed(smtp.messages_to("r0001@example.org")[-1].data)
    assert refused.state == "retry"
    assert accepted["Message-ID"] == refused.message_id
    assert accepted["Date"].datetime == later


def test_outcomes_are_recorded_one_by_one(run: Run, smtp: ScriptedSMTP) -> None:
    smtp.script(defer(), recipient="r0001@example.org")
    smtp.script(refuse(), recipient="r0002@example.org")

    counts = deliver(run.pk, ids(), clock=at())

    assert counts == {"deferred": 1, "rejected": 1, "accepted": 2}
    assert states() == ["retry", "failed", "sent", "sent"]


def test_a_recipient_whose_message_cannot_be_rendered_fails_alone(
    run: Run, smtp: ScriptedSMTP
) -> None:
    Recipient.objects.filter(key="r0002@example.org").update(fields={})

    deliver(run.pk, ids(), clock=at())

    assert states() == ["sent", "failed", "sent", "sent"]
    failed = Delivery.objects.get(state="failed")
    assert "'first_name' has no value" in failed.diagnostic
    assert len(smtp.messages) == 3


def test_a_field_cannot_break_out_of_its_header(run: Run, smtp: ScriptedSMTP) -> None:
    template = make_template("Personal", html=HTML)
    template.subject = "For {{ first_name }}"
    template.save()
    fields = {"first_name": "you\r\nBcc: x@example.org"}
    Recipient.objects.filter(key="r0001@example.org").update(fields=fields)
    readers = make_list()
    other = make_run(make_campaign("Other", lists=[readers], template=template), now=NOW)
    first = Delivery.objects.filter(run=other).order_by("pk")[0]

    deliver(other.pk, [first.pk], clock=at())

    first.refresh_from_db()
    assert first.state == "failed"
    assert smtp.messages == []


def test_a_transport_that_is_not_there_stops_the_chunk_and_counts_for_nobody(
    run: Run, smtp: ScriptedSMTP
) -> None:
    smtp.script(closing("connect"), times=None)

    counts = deliver(run.pk, ids(), clock=at())

    assert counts == {"deferred": 4}
    assert states() == ["retry"] * 4
    for delivery in Delivery.objects.all():
        assert delivery.attempts == 0
        assert delivery.next_attempt_at is not None
        assert timedelta(seconds=24) <= delivery.next_attempt_at - NOW <= timedelta(seconds=36)
    assert len([line for line in smtp.commands if line.line.startswith("EHLO")]) <= 1


def test_what_was_admitted_and_cannot_be_claimed_does_not_count(
    run: Run, smtp: ScriptedSMTP, settings: Settings, tmp_path: Path
) -> None:
    transport = named("Relay", smtp.url)
    set_limits(transport, now=NOW, per_day=4, connections=4)
    set_routes(run.campaign.sender, weights={transport: 1})
    settings.STATE_DIR = tmp_path
    (tmp_path / "journal").touch()  # no directory can be made there

    with pytest.raises(FileExistsError):
        deliver(run.pk, ids(), clock=at())

    assert (Gate.objects.get().day_used, Slot.objects.count()) == (0, 0)
    assert states() == ["queued"] * 4


def test_what_a_domain_may_be_sent_is_not_used_up_by_a_transport_that_is_not_there(
    run: Run, smtp: ScriptedSMTP
) -> None:
    DomainLimit.objects.create(group="example.org", per_hour=4)
    smtp.script(closing("connect"))

    deliver(run.pk, ids(), clock=at())

    assert set(states()) == {"retry"}
    assert DomainLimit.objects.get().hour_used <= 1  # who met with the refusal


def test_another_transport_takes_over_within_its_own_limits_of_domains(
    run: Run, smtp: ScriptedSMTP, settings: Settings
) -> None:
    first, second = named("First", "smtp://127.0.0.1:1"), named("Second", smtp.url)
    set_routes(run.campaign.sender, weights={first: 30_000, second: 1})
    DomainLimit.objects.create(group="example.org", transport=second, per_hour=1)

    for seconds in (0, 1, 2):
        deliver(run.pk, ids(), clock=at(NOW + timedelta(seconds=seconds)))

    assert len(smtp.messages) == 1
    assert sorted(states()) == ["retry", "retry", "retry", "sent"]


def test_what_waited_for_a_transport_that_ended_goes_out_by_the_next_one(
    run: Run, smtp: ScriptedSMTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ending:
        """A transport that ends with messages in its hands, the first one for a second."""

        now = NOW

        def send_many(self, source: Source, *, connections: int) -> Deferred:
            source.next()
            self.now += timedelta(seconds=1)
            source.next()
            return Deferred(scope=Scope.TRANSPORT, cause=Cause.CONNECTION)

        def close(self) -> None:
            pass

    first, second = named("First", "smtp://127.0.0.1:1"), named("Second", smtp.url)
    set_routes(run.campaign.sender, weights={first: 30_000, second: 1})
    ending = Ending()
    transports = iter([ending, open_transport(smtp.url)])
    monkeypatch.setattr(module, "transport_at", lambda _url: next(transports))

    deliver(run.pk, ids(), clock=lambda: ending.now)

    assert states() == ["sent"] * 4


def test_who_is_deleted_between_the_claim_and_its_reading_is_skipped_at_the_next_one(
    run: Run, smtp: ScriptedSMTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = ledger.move

    def moved_and_deleted(run_id: int, **kwargs: Any) -> list[ledger.Moved]:
        moved = move(run_id, **kwargs)
        # By a transaction that began before the snapshot: the delivery keeps the id.
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM recipients_subscription WHERE recipient_id = %s", [gone])
            cursor.execute("DELETE FROM recipients_recipient WHERE id = %s", [gone])
        return moved

    gone = Delivery.objects.earliest("pk").recipient_id
    monkeypatch.setattr(ledger, "move", moved_and_deleted)
    deliver(run.pk, ids(), clock=at())
    deliver(run.pk, ids(), clock=at())

    assert states() == ["skipped", "sent", "sent", "sent"]
    assert len(smtp.messages) == 3


def test_credentials_that_cannot_be_read_hold_the_run_and_say_why(
    run: Run, smtp: ScriptedSMTP, settings: Settings
) -> None:
    transport = Transport(name="Relay")
    set_transport_url(transport, url=smtp.url)
    Route.objects.create(sender=run.campaign.sender, transport=transport)
    settings.SECRET_KEY = "n" * 50

    deliver(run.pk, ids(), clock=at())

    assert states() == ["retry"] * 4
    assert "enter the credentials again" in Delivery.objects.all()[0].diagnostic
    assert smtp.messages == []


def test_a_worker_that_slept_through_its_lease_sends_nothing_more(
    run: Run, smtp: ScriptedSMTP
) -> None:
    def clock() -> datetime:
        # With the first message, the lease of five minutes is over; the envelope of the second one
        # is written by then.
        return NOW + timedelta(hours=1) * bool(smtp.messages)

    counts = deliver(run.pk, ids(), clock=clock)

    assert counts == {"accepted": 1, "untouched": 3}
    assert [message.recipient for message in smtp.messages] == ["r0001@example.org"]
    assert states() == ["sent", "retry", "retry", "retry"]


def test_a_clock_that_goes_back_an_hour_in_the_midst_repeats_nothing(
    run: Run, smtp: ScriptedSMTP
) -> None:
    before = NOW - timedelta(hours=1)

    def clock() -> datetime:
        return before if smtp.messages else NOW

    stopped = deliver(run.pk, ids(), clock=clock)
    again = deliver(run.pk, ids(), clock=at(before))

    # Nobody can tell whether the claim still holds: what was not begun is claimed anew.
    assert stopped == {"accepted": 1, "untouched": 3}
    assert again == {"accepted": 3}
    assert states() == ["sent"] * 4
    assert len({message.recipient for message in smtp.messages}) == len(smtp.messages) == 4


def test_who_leaves_while_a_chunk_is_sent_gets_nothing_more(run: Run, smtp: ScriptedSMTP) -> None:
    seconds = count()
    claimed_by_then = iter([None, None])

    def clock() -> datetime:
        # The suppression commits after the claim; each look at the clock takes a second.
        if next(claimed_by_then, "claimed") == "claimed":
            suppress(
                "r0003@example.org", reason=SuppressionReason.COMPLAINT, source="test", now=NOW
            )
        return NOW + timedelta(seconds=next(seconds))

    deliver(run.pk, ids(), clock=clock)

    assert [message.recipient for message in smtp.messages] == [
        "r0001@example.org", "r0002@example.org", "r0004@example.org",
    ]  # fmt: skip
    assert states() == ["sent", "sent", "retry", "sent"]
    deliver(run.pk, ids(), clock=at(NOW + timedelta(minutes=1)))
    assert states() == ["sent", "sent", "skipped", "sent"]


def test_a_pause_in_the_midst_of_a_chunk_holds_the_rest(run: Run, smtp: ScriptedSMTP) -> None:
    seconds = count()

    def clock() -> datetime:
        if smtp.messages:
            Run.objects.filter(status="sending").update(status="paused")
        return NOW + timedelta(seconds=next(seconds))

    deliver(run.pk, ids(), clock=clock)

    # The envelope of the second one had been written by then, and its content was not.
    assert len(smtp.messages) == 1
    assert states() == ["sent", "retry", "retry", "retry"]


def test_what_was_done_is_recorded_when_a_chunk_breaks_off(
    run: Run, smtp: ScriptedSMTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaking:
        """A transport that has a fault of its own at the third message."""

        def __init__(self) -> None:
            self.inner = open_transport(smtp.url)
            self.messages = 0

        def send_many(self, source: Source, *, connections: int) -> None:
            while found := source.next():
                key, message = found
                source.begin(key)
                self.messages += 1
                if self.messages == 3:
                    raise RuntimeError("out of luck")
                source.answer(key, self.inner.send(message))

    monkeypatch.setattr(module, "transport_at", lambda _url: Breaking())

    with pytest.raises(RuntimeError, match="out of luck"):
        deliver(run.pk, ids(), clock=at())

    assert states() == ["sent", "sent", "unconfirmed", "retry"]
    assert "out of luck" in Delivery.objects.get(state="retry").diagnostic
