"""Who is believed, and what comes of what cannot be read."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from tests.tracking.webhooks.posting import (
    LOGIN,
    SIGNING,
    Request,
    keys,
    path,
    request,
    send,
)
from tests.tracking.webhooks.samples import SAMPLES, Message
from tracking.models import WebhookEvent
from tracking.views.webhooks import LARGEST
from tracking.webhooks.providers import PROVIDERS
from tracking.webhooks.storing import forget_old

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("providers")]

NOBODY = Message("0" * 40)


def first(provider: str) -> Request:
    return request(provider, SAMPLES[provider](NOBODY)[0].raw)


# --- who is believed --------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_who_does_not_know_the_secret_is_not_heard(provider: str) -> None:
    answers = [
        send(provider, first(provider), login=login).status_code
        for login in ("", "godwit:", "godwit:another-long-password", "other:a-long-random-password")
    ]

    assert set(answers) <= {401, 403}
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_without_secret_and_key_nobody_is_heard(provider: str, settings: Settings) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": [], "AMAZON_SES_TOPICS": ()}

    answers = [send(provider, first(provider), login=login) for login in ("", LOGIN)]

    assert [answer.status_code for answer in answers] == [403] * 2
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("provider", SIGNING)
def test_what_is_not_signed_or_wrongly_is_not_heard(provider: str) -> None:
    right = first(provider)
    other = request(provider, SAMPLES[provider](NOBODY)[1].raw)
    unsigned = Request(right.body.replace(b"auth", b"auto"), {}, right.content_type)
    swapped = Request(right.body, other.headers, right.content_type)

    told = {"amazon_ses": [unsigned], "mailgun": [], "unisender_go": [unsigned]}
    answers = [send(provider, each) for each in told.get(provider, [unsigned, swapped])]
    # Mailgun signs a token alone, and Unisender Go the body with its key in it.
    changed = right.body.replace(b'"token": "', b'"token": "0').replace(b"ada@", b"eve@")
    if provider != "mandrill":
        answers.append(send(provider, Request(changed, right.headers, right.content_type)))

    assert {answer.status_code for answer in answers} <= {400, 403}
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("provider", SIGNING)
def test_a_signature_is_proof_enough_where_there_is_no_secret(
    provider: str, settings: Settings
) -> None:
    settings.ANYMAIL = {**keys(), "WEBHOOK_SECRET": []}
    told = first(provider)
    if provider == "mandrill":  # which signs the address, and so the secret in it
        assert send(provider, told, login="").status_code == 403
        return

    assert send(provider, told, login="").status_code == 200

    assert WebhookEvent.objects.count() == 1


def test_two_secrets_hold_while_one_takes_the_place_of_the_other(settings: Settings) -> None:
    new = "godwit:the-new-long-random-password"
    settings.ANYMAIL = {"WEBHOOK_SECRET": [new, LOGIN]}

    answers = [send("brevo", first("brevo"), login=login).status_code for login in (LOGIN, new)]

    assert answers == [200, 200]
    assert WebhookEvent.objects.count() == 1


def test_an_old_signature_of_resend_is_not_heard() -> None:
    told = first("resend")
    old = {**told.headers, "svix-timestamp": str(int(timezone.now().timestamp()) - 301)}

    for at in (old["svix-timestamp"], "", "²", "-1", "9" * 40):
        headers = {**old, "svix-timestamp": at}
        assert send("resend", Request(told.body, headers)).status_code == 403


def test_what_comes_without_tls_is_not_taken_where_the_site_has_it(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert send("brevo", first("brevo"), client=Client()).status_code == 301

    assert not WebhookEvent.objects.exists()


def test_a_provider_may_look_whether_somebody_is_there() -> None:
    client = Client()

    assert {client.head(path(name)).status_code for name in PROVIDERS} == {200}
    assert client.get(path("unisender_go")).status_code == 200
    assert client.get(path("brevo")).status_code == 405
    assert client.post("/anymail/scaleway/tracking/").status_code == 404


# --- what cannot be read ----------------------------------------------------------------------

DEEP = "[" * 100_000
GARBAGE: list[Any] = [
    None, "", [[]], {}, {"events": [None]}, {"event": []}, {"msys": 7},
    {"type": "email.bounced", "data": None}, {"RecordType": "Bounce", "Email": [1]},
    {"event": "bounce", "time": 1e300, "email": {"a": 1}}, {"data": {"type": []}},
    {"event": "hard_bounce", "ts_epoch": 1e30, "email": 5, "message-id": {"x": "\0"}},
    {"eventType": "Bounce"}, {"eventType": 5, "mail": {"headers": 5}}, {"event-data": {"event": 1}},
    {"status": "hard_bounced", "event_time": "yesterday", "email": "x" * 10_000},
]  # fmt: skip


@pytest.mark.parametrize("provider", PROVIDERS)
def test_garbage_is_refused_and_breaks_nothing(provider: str) -> None:
    bodies = [b"", b"\xff\0", DEEP.encode(), b'{"a": NaN}', b"mandrill_events=%7B"]
    signed = [request(provider, raw) for raw in GARBAGE if provider != "mailgun" or raw == {}]
    plain = [Request(body, first(provider).headers) for body in bodies]

    answers = {send(provider, each).status_code for each in [*signed, *plain]}

    assert answers <= {200, 400, 403}


def test_what_postgresql_cannot_keep_is_kept_without_it() -> None:
    raw = {
        "event": "hard_bounce",
        "email": "ada\0@example.org",
        "message-id": "<1@\ud800>" + "x" * 400,
        "weight": float("inf"),
        "n\0": {"deep": ["\udfff", float("nan"), None]},
    }

    assert send("brevo", Request(json.dumps(raw).encode())).status_code == 200

    event = WebhookEvent.objects.get()
    assert event.payload["recipient"] == "ada\ufffd@example.org"
    assert event.payload["raw"]["weight"] == "inf"
    assert len(event.message_id) == 320


def test_too_much_is_refused_before_it_is_read_and_much_is_taken() -> None:
    much = [
        {"msys": {"message_event": {"type": "delivery", "event_id": "1", "x": "y" * 3_000_000}}}
    ]

    assert send("sparkpost", Request(b"[" + b" " * LARGEST)).status_code == 413
    assert send("sparkpost", Request(json.dumps(much).encode())).status_code == 200

    assert WebhookEvent.objects.count() == 1


def test_a_request_is_stored_by_one_statement_or_not_at_all() -> None:
    events = [{"event": "sent", "time": 1, "email": f"{n}@example.org"} for n in range(500)]

    half = [{"event": "sent", "time": 2}, {"no": "event"}]

    with CaptureQueriesContext(connection) as queries:
        answers = [send("mailjet", Request(json.dumps(told).encode())) for told in (events, half)]

    assert [answer.status_code for answer in answers] == [200, 400]
    assert [each["sql"][:6] for each in queries if "webhookevent" in each["sql"]] == ["INSERT"]
    assert WebhookEvent.objects.count() == 500


def test_a_fault_of_ours_has_the_provider_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any, **options: Any) -> None:
        raise OperationalError("the server is shutting down")

    monkeypatch.setattr(WebhookEvent.objects, "bulk_create", fails)

    answer = send("brevo", first("brevo"), client=Client(raise_request_exception=False))

    assert answer.status_code == 500


def test_the_log_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    send("amazon_ses", Request(b"ada@example.org"))
    send("brevo", Request(b'"ada@example.org"'))
    send("mailjet", Request(b'[{"email": "ada@example.org"}]'))

    assert caplog.records
    assert "ada@example.org" not in caplog.text


def test_where_somebody_opened_a_message_is_not_kept() -> None:
    for provider in ("sendgrid", "mailgun", "mailtrap"):
        send(provider, request(provider, SAMPLES[provider](NOBODY)[-1].raw))

    assert WebhookEvent.objects.filter(event_type="opened", payload={}).count() == 3


def test_what_was_worked_off_is_kept_as_long_as_the_installation_wants(settings: Settings) -> None:
    settings.WEBHOOK_DAYS, now = 30, timezone.now()
    for number, (days, handled) in enumerate([(30, True), (29, True), (31, False)]):
        WebhookEvent.objects.create(
            provider="brevo", key=bytes([number]), event_type="bounced", payload={},
            received_at=now - timedelta(days=days, seconds=1), handled_at=now if handled else None,
        )  # fmt: skip

    assert forget_old(now=now) == 1

    assert [bytes(event.key)[0] for event in WebhookEvent.objects.order_by("pk")] == [1, 2]
