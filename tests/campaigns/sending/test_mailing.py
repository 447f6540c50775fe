"""What a template may say that Godwit fills in."""

import pytest
from django.test import Client
from django.utils import timezone

from campaigns.sending.claim import Claimed
from campaigns.sending.mailing import Mailing
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
