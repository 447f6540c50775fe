import email
import email.policy
from email.message import EmailMessage

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from campaigns import trial
from campaigns.models import Campaign, Transport
from campaigns.sending.outcomes import Accepted, InDoubt
from campaigns.services import Refused, schedule
from recipients.models import MailingList, Recipient
from templates_app.models import EmailTemplate, TemplateVersion
from tests.factories import make_campaign, make_list, make_recipient
from tests.smtp_server import ScriptedSMTP, defer, drop, refuse
from tracking.models import Delivery, RunCounters

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(settings: Settings, smtp: ScriptedSMTP) -> Campaign:
    settings.EMAIL_URL = smtp.url
    make_recipient("grace@example.org", lists=[make_list()], fields={"first_name": "Grace"})
    return make_campaign()


def send(campaign: Campaign) -> str:
    outcome = trial.send_test(campaign, address="Me@Example.org", now=timezone.now())
    return trial.in_words(outcome)


def received(smtp: ScriptedSMTP) -> EmailMessage:
    [message] = smtp.messages
    return email.message_from_bytes(message.data, policy=email.policy.default)


def test_a_test_is_what_a_recipient_would_get_and_says_that_it_is_one(
    campaign: Campaign, smtp: ScriptedSMTP
) -> None:
    said = send(campaign)

    message = received(smtp)
    assert said.startswith("The next hop took the message: 250")
    assert message["Subject"] == "[Test] News"
    assert message["To"] == "Me@example.org"
    assert message["From"] == "News <news@example.org>"
    assert "Hello Grace" in message.get_body(("html",)).get_content()  # type: ignore[union-attr]


def test_a_test_leaves_no_trace_in_the_ledger(campaign: Campaign) -> None:
    send(campaign)

    assert not Delivery.objects.exists()
    assert not RunCounters.objects.exists()
    assert not campaign.runs.exists()


def test_its_unsubscribe_link_leads_to_nobody(
    campaign: Campaign, smtp: ScriptedSMTP, client: Client
) -> None:
    send(campaign)

    link = str(received(smtp)["List-Unsubscribe"]).strip("<>")
    assert client.get(link.removeprefix("http://localhost:8000")).status_code == 404


def test_a_draft_is_tested_as_it_is_now(campaign: Campaign, smtp: ScriptedSMTP) -> None:
    EmailTemplate.objects.update(subject="Newer")

    send(campaign)

    assert received(smtp)["Subject"] == "[Test] Newer"


def test_a_scheduled_campaign_is_tested_as_it_was_frozen(
    campaign: Campaign, smtp: ScriptedSMTP
) -> None:
    now = timezone.now()
    schedule(campaign, now=now, at=now)
    EmailTemplate.objects.update(subject="Newer")

    send(campaign)

    assert received(smtp)["Subject"] == "[Test] News"
    assert TemplateVersion.objects.count() == 1


def test_a_second_test_reaches_a_next_hop_that_closed_meanwhile(
    campaign: Campaign, smtp: ScriptedSMTP
) -> None:
    send(campaign)
    smtp.cut_connections()

    assert send(campaign).startswith("The next hop took the message")


def test_what_the_next_hop_answers_is_told(campaign: Campaign, smtp: ScriptedSMTP) -> None:
    smtp.script(refuse(), defer())

    assert send(campaign) == "It was refused; nothing was sent: 550 5.1.1 No such user"
    assert send(campaign).startswith("The next hop refused it for now; nothing was sent: 450 4.2.0")


def test_a_broken_connection_is_told_as_a_doubt(campaign: Campaign, smtp: ScriptedSMTP) -> None:
    smtp.script(drop("dot"))

    outcome = trial.send_test(campaign, address="me@example.org", now=timezone.now())

    assert isinstance(outcome, InDoubt)
    assert "it may have arrived" in trial.in_words(outcome)


def test_an_outcome_without_an_answer_is_a_whole_sentence() -> None:
    assert trial.in_words(Accepted()) == "The next hop took the message."


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda c: EmailTemplate.objects.update(source="{{ missing }}"), "'missing' has no value"),
        (lambda c: EmailTemplate.objects.update(source="{% if %}"), "source, line 1"),
        (lambda c: c.lists.clear(), "the campaign has no list"),
        (
            lambda c: c.sender.routes.create(
                transport=Transport.objects.create(name="x", encrypted_url="gAAAAA==")
            ),
            "another SECRET_KEY",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(
    spoil: object, reason: str, campaign: Campaign, smtp: ScriptedSMTP
) -> None:
    assert callable(spoil)
    spoil(campaign)
    campaign.refresh_from_db(fields=["template"])

    with pytest.raises(Refused, match=reason):
        send(campaign)

    assert smtp.messages == []


def test_a_list_without_recipients_gives_no_fields(campaign: Campaign, smtp: ScriptedSMTP) -> None:
    campaign.lists.set([MailingList.objects.create(name="Empty")])

    send(campaign)

    assert "Hello there" in received(smtp).get_body(("html",)).get_content()  # type: ignore[union-attr]


def test_a_test_is_in_the_language_of_the_recipient_whose_fields_it_has(
    campaign: Campaign, smtp: ScriptedSMTP
) -> None:
    Recipient.objects.update(language="de-AT")
    campaign.template.variants.create(language="de", subject="Neues", source="<p>Hallo</p>")

    send(campaign)

    assert received(smtp)["Subject"] == "[Test] Neues"
