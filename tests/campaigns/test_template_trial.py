import email
import email.policy
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from campaigns import trial
from config.accounts.models import AuditEntry
from recipients.consent import subject
from recipients.models import Field, Suppression, SuppressionReason
from templates_app.models import EmailTemplate, TemplateVariant
from templates_app.services import save_template
from tests.console import messages, staff, superuser, text
from tests.factories import make_recipient, make_sender, make_template
from tests.smtp_server import ScriptedSMTP, refuse
from tracking.models import Delivery

pytestmark = pytest.mark.django_db

HTML = "<p>Dear {{ first_name }}</p><a href='{{ unsubscribe_url }}'>Leave</a>"


@pytest.fixture
def template(settings: Settings, smtp: ScriptedSMTP) -> EmailTemplate:
    settings.EMAIL_URL = smtp.url
    Field.objects.create(name="first_name")
    return make_template("News", html=HTML)


@pytest.fixture
def console() -> Client:
    return superuser()


def send(console: Client, template: EmailTemplate, **values: Any) -> Any:
    data = {"addresses": "me@example.org", "sender": make_sender().pk} | values
    return console.post(f"/templates/{template.pk}/test/", data, follow=True)


def received(smtp: ScriptedSMTP) -> list[EmailMessage]:
    return [
        email.message_from_bytes(each.data, policy=email.policy.default) for each in smtp.messages
    ]


def html(message: EmailMessage) -> str:
    body = message.get_body(("html",))
    assert body
    return str(body.get_content())


def test_a_test_goes_to_each_address_marked_and_in_an_invented_name(
    template: EmailTemplate, smtp: ScriptedSMTP, console: Client
) -> None:
    answer = send(console, template, addresses="me@example.org\nYou@example.org, me@example.org")

    one, two = received(smtp)
    assert (one["To"], two["To"]) == ("me@example.org", "You@example.org")
    assert one["Subject"] == "[Test] News"
    assert one["From"] == "News <news@example.org>"
    assert "Dear Ada" in html(one)
    assert [each.partition(":")[0] for each in messages(answer)] == [
        "me@example.org",
        "You@example.org",
    ]
    assert not Delivery.objects.exists()


def test_a_test_says_what_a_chosen_recipient_would_get(
    template: EmailTemplate, smtp: ScriptedSMTP, console: Client
) -> None:
    make_recipient("grace@example.org", fields={"first_name": "Grace"})

    send(console, template, reader="Grace@Example.org")

    [message] = received(smtp)
    assert message["To"] == "me@example.org"
    assert "Dear Grace" in html(message)


def test_an_earlier_version_can_be_tested(
    template: EmailTemplate, smtp: ScriptedSMTP, console: Client
) -> None:
    template.subject = "Newer"
    save_template(template, known={"first_name"})

    send(console, template, content="1")
    send(console, template)

    assert [each["Subject"] for each in received(smtp)] == ["[Test] News", "[Test] Newer"]


def test_a_test_has_the_dates_of_its_language_and_says_where_there_is_no_such_text(
    template: EmailTemplate, smtp: ScriptedSMTP, console: Client
) -> None:
    german = "<p>{{ '2026-02-01' | date('long') }}</p>"
    variant = TemplateVariant(language="de", subject="Neues", source=german)
    save_template(template, variants=[variant], known={"first_name"})

    send(console, template, language="de")
    answer = send(console, template, language="de", content="1")

    [message] = received(smtp)
    assert "1. Februar 2026" in html(message)
    assert "Version 1 has no text in de" in text(answer)


def test_its_unsubscribe_link_leads_to_nobody(
    template: EmailTemplate, smtp: ScriptedSMTP, console: Client
) -> None:
    send(console, template)

    link = str(received(smtp)[0]["List-Unsubscribe"]).strip("<>")
    assert Client().get(link.removeprefix("http://localhost:8000")).status_code == 404


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"addresses": "no address"}, "This is not an address"),
        ({"addresses": " ".join(f"a{n}@example.org" for n in range(11))}, "These are 11 addresses"),
        ({"reader": "nobody@example.org"}, "No recipient has this address."),
        ({"sender": ""}, "This field is required."),
    ],
)
def test_what_is_typed_wrongly_is_said_and_nothing_is_sent(
    values: dict[str, str],
    reason: str,
    template: EmailTemplate,
    smtp: ScriptedSMTP,
    console: Client,
) -> None:
    answer = send(console, template, **values)

    assert answer.status_code == 422
    assert reason in text(answer)
    assert smtp.messages == []


@pytest.mark.parametrize("key", ["me@example.org", "example.org", "digest"])
def test_who_is_suppressed_gets_no_test(
    key: str, template: EmailTemplate, smtp: ScriptedSMTP, console: Client
) -> None:
    erased = {"key": None, "digest": subject("me@example.org")} if key == "digest" else {"key": key}
    Suppression.objects.create(reason=SuppressionReason.COMPLAINT, **erased)

    answer = send(console, template, addresses="other@example.net Me@example.org")

    assert "Me@example.org is suppressed (complaint)" in text(answer)
    assert smtp.messages == []
    assert not AuditEntry.objects.filter(act="sent a test").exists()


def test_what_the_next_hop_refuses_is_told(
    template: EmailTemplate, smtp: ScriptedSMTP, console: Client
) -> None:
    smtp.script(refuse())

    answer = send(console, template)

    assert messages(answer) == [
        "me@example.org: It was refused; nothing was sent: 550 5.1.1 No such user"
    ]


def test_a_recipient_who_lacks_a_field_cannot_be_shown(
    template: EmailTemplate, smtp: ScriptedSMTP, console: Client
) -> None:
    make_recipient("grace@example.org")

    answer = send(console, template, reader="grace@example.org")

    assert "Grace@example.org would get no message" in text(answer)
    assert smtp.messages == []


def test_tests_within_an_hour_are_limited_for_each_account(
    template: EmailTemplate, smtp: ScriptedSMTP, console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "MOST_IN_AN_HOUR", 2)
    send(console, template, addresses="a@example.org b@example.org")

    answer = send(console, template)
    root = User.objects.get()
    later = timezone.now() + timedelta(hours=1)
    trial.claim_tests(template, addresses=["c@example.org"], by=root.pk, now=later)

    assert "You sent 2 tests within the last hour, and 2 are the most" in text(answer)
    assert len(smtp.messages) == 2
    noted = AuditEntry.objects.of("templates_app.emailtemplate", str(template.pk))
    assert noted.filter(act="sent a test", actor="root").count() == 3


def test_only_those_who_may_act_on_campaigns_send_tests(
    template: EmailTemplate, smtp: ScriptedSMTP
) -> None:
    answer = send(staff("templates_app.change_emailtemplate"), template)

    assert answer.status_code == 403
    assert smtp.messages == []
