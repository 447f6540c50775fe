"""What a template may say that Godwit fills in."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from campaigns.sending.claim import Claimed, claim
from campaigns.sending.mailing import Mailing
from recipients.models import Field, Recipient
from templates_app.services import problems
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
