"""Amazon's SNS: its signature, and nothing that a message says of itself."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from pytest_django import Settings

from tests.tracking.webhooks.conftest import Amazon
from tests.tracking.webhooks.posting import (
    CERTIFICATE_URL,
    TOPIC,
    ec_key,
    keys,
    send,
    sns_message,
    sns_request,
)
from tests.tracking.webhooks.samples import Message, amazon_ses
from tracking.models import WebhookEvent
from tracking.webhooks.sns import Unreachable, Untrusted, Verifier, fetch

HARD = amazon_ses(Message("0" * 40))[0].raw
CONFIRM = (
    "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription"
    f"&TopicArn={TOPIC}&Token=2336412f37"
)


def verify(message: dict[str, Any], at: Amazon | None = None) -> None:
    Verifier(at or Amazon()).verify(message, topics=(TOPIC,))


def subscription(url: str = CONFIRM, **more: str) -> dict[str, str]:
    return sns_message(
        "You have chosen to subscribe", Type="SubscriptionConfirmation", Token="2336412f37",
        SubscribeURL=url, **more,
    )  # fmt: skip


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [{}, {"Subject": "Amazon SES Email Event Notification"}])
def test_a_message_of_our_topic_passes(version: str, subject: dict[str, str]) -> None:
    verify(sns_message(HARD, version=version, **subject))


@pytest.mark.parametrize("field", ["Message", "MessageId", "Timestamp", "Type", "Subject"])
def test_a_message_that_was_changed_does_not(field: str) -> None:
    message = {**sns_message(HARD), field: "UnsubscribeConfirmation"}

    with pytest.raises(Untrusted):
        verify(message)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("SignatureVersion", "3"),
        ("SignatureVersion", "1"),  # signed by the other one
        ("SignatureVersion", None),
        ("Signature", "?"),
        ("Signature", None),
        ("Signature", ""),
        ("TopicArn", "arn:aws:sns:eu-central-1:999999999999:godwit"),
        ("TopicArn", None),
        ("TopicArn", [TOPIC]),
        ("Type", ["Notification"]),
    ],
)
def test_what_is_not_amazons_way_is_not_believed(field: str, value: Any) -> None:
    with pytest.raises(Untrusted):
        verify({**sns_message(HARD), field: value})


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1a2b3c.pem",
        "https://sns.eu-central-1.amazonaws.com.example.org/SimpleNotificationService-1a2b3c.pem",
        "https://example.org/SimpleNotificationService-1a2b3c.pem",
        "https://bucket.s3.eu-central-1.amazonaws.com/SimpleNotificationService-1a2b3c.pem",
        "https://sns.eu-central-1.amazonaws.com@example.org/SimpleNotificationService-1a2b3c.pem",
        "https://example.org#@sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.eu-central-1.amazonaws.com:8443/SimpleNotificationService-1a2b3c.pem",
        "https://sns.eu-central-1.amazonaws.com/?Action=x&f=/SimpleNotificationService-1.pem",
        "https://sns.eu-central-1.amazonaws.com/../SimpleNotificationService-1a2b3c.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1a2b3c.pem\n",
        "https://sns.amazonaws.com/SimpleNotificationService-1a2b3c.pem",
        "file:///SimpleNotificationService-1a2b3c.pem",
        "",
        None,
        5,
    ],
)
def test_a_certificate_is_fetched_from_nowhere_else(url: Any) -> None:
    at = Amazon()

    with pytest.raises(Untrusted):
        verify(sns_message(HARD) | {"SigningCertURL": url}, at)

    assert at.asked == []


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE_URL,
        "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-0f.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0f.pem",
    ],
)
def test_a_certificate_is_fetched_once_from_each_region(url: str) -> None:
    asked: list[str] = []

    def answer(url: str) -> bytes:
        asked.append(url)
        return Amazon()(CERTIFICATE_URL)

    verifier = Verifier(answer)
    for _ in range(3):
        verifier.verify(sns_message(HARD, SigningCertURL=url), topics=(TOPIC,))

    assert asked == [url]


def test_a_topic_of_somebody_else_costs_no_request() -> None:
    at = Amazon()

    with pytest.raises(Untrusted, match="AMAZON_SES_TOPICS"):
        verify(sns_message(HARD, TopicArn="arn:aws:sns:eu-central-1:999999999999:godwit"), at)

    assert at.asked == []


@pytest.mark.parametrize("found", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_proves_nothing(found: bytes) -> None:
    with pytest.raises(Untrusted, match="no certificate"):
        Verifier(lambda _: found).verify(sns_message(HARD), topics=(TOPIC,))


def test_nothing_is_fetched_where_nobody_answers() -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        fetch("http://127.0.0.1:9/SimpleNotificationService-1.pem")


@pytest.mark.django_db
@pytest.mark.usefixtures("providers")
def test_where_the_certificate_cannot_be_had_amazon_is_to_try_again() -> None:
    elsewhere = CERTIFICATE_URL.replace("central", "north")
    told = sns_request(sns_message(HARD, SigningCertURL=elsewhere))

    assert send("amazon_ses", told).status_code == 503

    assert not WebhookEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("providers")
def test_a_subscription_of_our_topic_is_confirmed_at_amazon(at_amazon: Amazon) -> None:
    answer = send("amazon_ses", sns_request(subscription()))

    assert answer.status_code == 200
    assert at_amazon.asked == [CERTIFICATE_URL, CONFIRM]
    assert not WebhookEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("providers")
@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"TopicArn": "arn:aws:sns:eu-central-1:999999999999:other"}, []),
        ({"url": "https://example.org/?Action=ConfirmSubscription&Token=1"}, [CERTIFICATE_URL]),
        ({"url": "https://sns.eu-central-1.amazonaws.com/?Action=Publish"}, [CERTIFICATE_URL]),
    ],
)
def test_no_other_subscription_is(
    at_amazon: Amazon, changes: dict[str, str], asked: list[str]
) -> None:
    assert send("amazon_ses", sns_request(subscription(**changes))).status_code == 403

    assert at_amazon.asked == asked


@pytest.mark.django_db
def test_without_a_secret_the_signature_decides(settings: Settings, at_amazon: Amazon) -> None:
    settings.ANYMAIL = {**keys(), "WEBHOOK_SECRET": []}

    right = send("amazon_ses", sns_request(sns_message(HARD)), login="")
    wrong = send("amazon_ses", sns_request({**sns_message(HARD), "Message": "{}"}), login="")
    confirmed = send("amazon_ses", sns_request(subscription()), login="")

    assert [answer.status_code for answer in (right, wrong, confirmed)] == [200, 403, 200]
    assert WebhookEvent.objects.count() == 1


def test_the_self_made_key_is_none_of_the_other_kind() -> None:
    pem = (
        ec_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )

    with pytest.raises(Untrusted):
        Verifier(lambda _: pem).verify(json.loads(json.dumps(sns_message(HARD))), topics=(TOPIC,))
