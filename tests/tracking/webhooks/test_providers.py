"""What each provider tells, posted to its address: once, again, and in any order."""

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from recipients import notices, privacy
from recipients.models import Notice, NoticeKind, Subscription, Suppression
from tests.factories import make_recipient
from tests.tracking.webhooks.posting import Request, request, send
from tests.tracking.webhooks.samples import SAMPLES, Message
from tracking import links
from tracking.models import Delivery, DeliveryEvent, WebhookEvent
from tracking.webhooks.handling import handle_new
from tracking.webhooks.providers import PROVIDERS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("providers")]


def facts() -> list[tuple[str, str, bool]]:
    return sorted(DeliveryEvent.objects.values_list("kind", "category", "is_hard"))


def state() -> list[list[str]]:
    """Return what is left of it all but for the order and the time of its coming."""
    suppressed = Suppression.objects.values_list("key", "reason")
    subscribed = Subscription.objects.values_list("recipient", "state")
    events = WebhookEvent.objects.values_list("provider", "key", "event_type", "message_id")
    told = DeliveryEvent.objects.values_list(
        "delivery", "kind", "category", "is_hard", "reply_code", "enhanced_status_code",
        "diagnostic", "source", "source_key", "at",
    )  # fmt: skip
    return [sorted(map(str, each)) for each in (events, told, suppressed, subscribed)]


def test_each_provider_of_anymail_has_samples_of_all_that_matters() -> None:
    assert SAMPLES.keys() == PROVIDERS.keys()
    for provider, samples in SAMPLES.items():
        names = {sample.name for sample in samples(Message("0" * 40))}
        # Mandrill has no event of what arrived.
        assert names >= {"hard", "complaint", "delivered"} - (
            {"delivered"} if provider == "mandrill" else set()
        ) - ({"complaint"} if provider == "postal" else set())


def tell(provider: str, told: list[Request], *, handle_each: int) -> None:
    """Have a provider tell this, and work it off after so many events, and at the end."""
    for number, each in enumerate(told, 1):
        assert send(provider, each).status_code == 200
        if number % handle_each == 0:
            handle_new(now=timezone.now(), at_most=100)
    handle_new(now=timezone.now(), at_most=100)


@pytest.mark.parametrize("provider", SAMPLES)
def test_events_told_twice_and_in_any_order_are_the_facts_that_they_should_be(
    provider: str, message: Message
) -> None:
    samples = SAMPLES[provider](message)
    told = [request(provider, sample.raw) for sample in samples] * 2
    random.Random(1).shuffle(told)

    tell(provider, told, handle_each=7)

    assert facts() == sorted(fact for sample in samples for fact in sample.facts)
    assert WebhookEvent.objects.count() == len(samples)
    assert not WebhookEvent.objects.filter(handled_at=None).exists()


@pytest.mark.parametrize("seed", range(3))
def test_in_any_order_all_ends_in_the_same_state(seed: int, message: Message) -> None:
    told = [request("sendgrid", sample.raw) for sample in SAMPLES["sendgrid"](message)]
    tell("sendgrid", told, handle_each=len(told))
    in_order = state()
    for model in (WebhookEvent, DeliveryEvent, Suppression):
        model.objects.all().delete()
    random.Random(seed).shuffle(told)

    tell("sendgrid", told, handle_each=1 + seed)

    assert state() == in_order


@pytest.mark.parametrize("provider", SAMPLES)
def test_what_is_told_of_another_address_changes_nothing(provider: str, message: Message) -> None:
    others = Message(message.token, "grace@example.org")
    Delivery.objects.filter(address=others.address).update(diagnostic="queued another")
    for sample in SAMPLES[provider](others)[:3]:
        send(provider, request(provider, sample.raw))

    handle_new(now=timezone.now(), at_most=100)

    assert facts() == []
    why = "it tells of an address to which the message did not go"
    told = set(WebhookEvent.objects.values_list("explanation", flat=True))
    assert why in told or provider == "mailersend"  # where no token leads to the message


def test_what_is_told_of_no_message_of_ours_is_looked_at_once_more_later(
    delivery: Delivery,
) -> None:
    Delivery.objects.update(diagnostic="")
    hard = SAMPLES["mailersend"](Message(""))[0]
    send("mailersend", request("mailersend", hard.raw))
    now = timezone.now()

    assert [handle_new(now=now, at_most=10), handle_new(now=now, at_most=10)] == [1, 0]
    Delivery.objects.filter(pk=delivery.pk).update(diagnostic="queued 64c0ffee64c0ffee64c0ffee")
    handle_new(now=now + timedelta(minutes=6), at_most=10)

    assert facts() == [("bounced", "invalid_address", True)]


def test_what_stays_unknown_is_said_to_be_and_not_looked_at_for_ever() -> None:
    hard = SAMPLES["brevo"](Message(""))[0]
    send("brevo", request("brevo", hard.raw))

    for minutes in (0, 6, 12):
        handle_new(now=timezone.now() + timedelta(minutes=minutes), at_most=10)

    event = WebhookEvent.objects.get()
    assert event.handled_at
    assert event.explanation == "nothing in it leads to a message of this installation"


def test_what_is_told_of_who_was_erased_is_counted_and_names_nobody(
    message: Message, delivery: Delivery
) -> None:
    for sample in SAMPLES["brevo"](message)[:2]:
        send("brevo", request("brevo", sample.raw))
    handle_new(now=timezone.now(), at_most=10)
    privacy.erase(delivery.key, source="test", now=timezone.now())
    for sample in SAMPLES["brevo"](message):
        send("brevo", request("brevo", sample.raw))

    handle_new(now=timezone.now(), at_most=100)

    expected = [fact for sample in SAMPLES["brevo"](message) for fact in sample.facts]
    assert facts() == sorted(expected)
    assert set(WebhookEvent.objects.values_list("payload__recipient", "message_id")) == {(None, "")}
    assert set(DeliveryEvent.objects.values_list("recipient_id", "diagnostic")) == {(None, "")}
    assert not Suppression.objects.exclude(key=None).exists()


def test_of_the_message_to_who_was_erased_nobody_else_is_told_of(
    message: Message, delivery: Delivery
) -> None:
    privacy.erase(delivery.key, source="test", now=timezone.now())
    others = Message(message.token, "grace@example.org")
    send("brevo", request("brevo", SAMPLES["brevo"](others)[0].raw))

    handle_new(now=timezone.now(), at_most=10)

    assert facts() == []
    told = WebhookEvent.objects.get().explanation
    assert told == "it tells of an address to which the message did not go"


def test_what_is_told_of_a_run_that_is_gone_says_so(message: Message, delivery: Delivery) -> None:
    send("brevo", request("brevo", SAMPLES["brevo"](message)[0].raw))
    delivery.delete()

    handle_new(now=timezone.now() + timedelta(minutes=6), at_most=10)

    event = WebhookEvent.objects.get()
    assert event.handled_at
    assert event.explanation == "its message is not in the ledger of this installation"


def test_an_event_that_godwit_fails_at_keeps_no_other_from_its_turn(message: Message) -> None:
    [deferred] = [each.raw for each in SAMPLES["brevo"](message) if each.name == "deferred"]
    for number in range(3):
        send("brevo", request("brevo", {**deferred, "reason": f"451 {number}"}))
    with connection.cursor() as cursor:  # as a fault would that nobody knows of yet
        cursor.execute("ALTER TABLE tracking_deliveryevent ADD CHECK (diagnostic <> '451 1')")

    handle_new(now=timezone.now(), at_most=10)

    told = [event.explanation for event in WebhookEvent.objects.order_by("pk")]
    assert told[1] == "could not be handled: IntegrityError"
    assert [kind for kind, _, _ in facts()] == ["delayed", "delayed"]
    assert not WebhookEvent.objects.filter(handled_at=None).exists()


@pytest.mark.parametrize(("name", "reason"), [("complaint", "complaint"), ("hard", "bounce")])
def test_what_is_told_of_a_message_of_ours_counts_like_any(name: str, reason: str) -> None:
    ada = make_recipient("ada@example.org")
    notices.write(NoticeKind.PRIVACY, recipient=ada, now=timezone.now())
    token = links.notice_message_token(Notice.objects.get().pk)
    [raw] = [each.raw for each in SAMPLES["brevo"](Message(token)) if each.name == name]
    send("brevo", request("brevo", raw))
    send("brevo", request("brevo", raw | {"email": "grace@example.org"}))

    handle_new(now=timezone.now(), at_most=10)

    assert list(Suppression.objects.values_list("key", "reason")) == [("ada@example.org", reason)]
    assert facts() == []
