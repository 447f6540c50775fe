"""What a template may say that Godwit fills in."""

import email
import email.policy
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaigns.sending.claim import Claimed, claim
from campaigns.sending.mailing import Mailing, compiled
from recipients.models import Field, FieldKind, Recipient
from templates_app.models import TemplateVariant, TemplateVersion
from templates_app.services import freeze, problems
from tests.factories import make_campaign, make_list, make_recipient, make_run, make_template
from tracking import links
from tracking.models import Delivery

pytestmark = pytest.mark.django_db


def test_a_template_leads_to_the_preferences_where_it_says_so(client: Client) -> None:
    make_recipient("ada@example.org", lists=[make_list()])
    html = "<a href='{{ preferences_url }}'>Choose</a> <a href='{{ unsubscribe_url }}'>Leave</a>"
    run = make_run(make_campaign(template=make_template(html=html)))
    delivery = Delivery.objects.get()

    message, _ = Mailing(run).message(
        Claimed(delivery.pk, delivery.address, {}, attempts=1), now=timezone.now()
    )

    url = links.preferences_url(delivery.pk)
    assert url.encode() in message.data.replace(b"=\r\n", b"")
    page = client.get(url.removeprefix("http://localhost:8000")).content.decode()
    assert "What ada@example.org gets" in page


def test_a_template_reads_the_language_and_time_zone_of_a_recipient() -> None:
    make_recipient("ada@example.org", lists=[make_list()], fields={"city": "Huế"})
    Field.objects.create(name="city")
    Recipient.objects.update(language="vi", time_zone="Asia/Ho_Chi_Minh")
    html = "{% if language == 'vi' %}Chao{% endif %} {{ time_zone }} {{ city }}"
    template = make_template(html=f"{html} <a href='{{{{ unsubscribe_url }}}}'>Leave</a>")
    assert problems(template, known=["city"]) == []
    run = make_run(make_campaign(template=template))
    now = timezone.now()

    claimed = claim(run.pk, [Delivery.objects.get().pk], now=now, lease_for=timedelta(minutes=1))
    message, _ = Mailing(run).message(claimed.deliveries[0], now=now)

    assert b"Chao Asia/Ho_Chi_Minh Hu=E1=BA=BF" in message.data


def in_three_languages() -> TemplateVersion:
    Field.objects.create(name="born", kind=FieldKind.DATE)
    template = make_template(html="<p>Hello {{ born | date('long') }} {{ language }}</p>")
    template.language = "en"
    template.save()
    for language, subject, greeting in (("pt", "Olá", "Olá"), ("ar", "مرحبا", "أهلا")):
        TemplateVariant.objects.create(
            template=template,
            language=language,
            subject=subject,
            source=f"<p>{greeting} {{{{ born | date('long') }}}} {{{{ language }}}}</p>",
        )
    return freeze(template)


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("pt-BR", "Olá 1 de fevereiro de 1990 pt-BR"),
        ("AR", "أهلا 1 فبراير 1990 AR"),
        ("en-GB", "Hello February 1, 1990 en-GB"),
        ("fr", "Hello February 1, 1990 fr"),
        ("", "Hello February 1, 1990"),
    ],
)
def test_a_recipient_gets_the_content_in_their_language(language: str, says: str) -> None:
    recipient = make_recipient(
        "ada@example.org", lists=[make_list()], fields={"born": "1990-02-01"}
    )
    type(recipient).objects.filter(pk=recipient.pk).update(language=language)
    version = in_three_languages()
    run = make_run(make_campaign(template=version.template))
    now = timezone.now()

    [claimed] = claim(
        run.pk, [Delivery.objects.get().pk], now=now, lease_for=timedelta(minutes=1)
    ).deliveries
    message, _ = Mailing(run).message(claimed, now=now)

    text = email.message_from_bytes(message.data, policy=email.policy.default)
    assert claimed.language == language
    assert text.get_body(("plain",)).get_content().strip() == says  # type: ignore[union-attr]


def test_all_languages_of_a_version_are_read_once_per_process(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    version = in_three_languages()

    with django_assert_num_queries(2):
        first = compiled(version.pk)
        again = compiled(version.pk)

    assert first is again
