"""Where a link leads that is another one for each recipient."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from recipients import privacy
from recipients.models import Field, Recipient
from tests.factories import make_campaign, make_list, make_recipient, make_run, make_template
from tracking import links
from tracking.models import Delivery
from tracking.tokens import NOBODY

pytestmark = pytest.mark.django_db

SITE = "http://localhost:8000"
ADA = "ada@example.org"
HTML = (
    "<a href='https://a.example/{{ city }}?for={{ campaign_name | urlencode }}&amp;e={{ email }}'>"
    "Yours</a><a href='https://a.example/all'>All</a>"
)


@pytest.fixture
def delivery() -> Delivery:
    Field.objects.create(name="city")
    make_recipient(ADA, lists=[make_list()], fields={"city": "Nome"})
    make_run(make_campaign("Spring & more", template=make_template(html=HTML)))
    return Delivery.objects.get()


def path(delivery: Delivery, number: int = 0) -> str:
    return links.click_url(delivery.pk, delivery.run_id).removeprefix(SITE) + str(number)


def move_to(city: str) -> None:
    Recipient.objects.update(fields={"city": city})


def test_a_link_leads_by_what_is_known_of_the_recipient_now(
    client: Client, delivery: Delivery
) -> None:
    move_to("Hà Nội")

    for ask in (client.get, client.head):
        with CaptureQueriesContext(connection) as queries:
            answer = ask(path(delivery))

        assert answer.status_code == 302
        assert answer["Location"] == (
            "https://a.example/H%C3%A0%20N%E1%BB%99i?for=Spring%20%26%20more&e=ada@example.org"
        )
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["X-Robots-Tag"].startswith("noindex")
        assert "no-store" in answer["Cache-Control"]
        assert not answer.cookies
        assert all(each["sql"].startswith("SELECT") for each in queries)


def test_a_link_that_is_the_same_for_all_leads_there_as_well(
    client: Client, delivery: Delivery
) -> None:
    assert client.get(path(delivery, 1))["Location"] == "https://a.example/all"


@pytest.mark.parametrize("city", ["\\", "a\nb", "\x01"])
def test_a_value_that_is_no_part_of_an_address_leads_nowhere(
    city: str, client: Client, delivery: Delivery
) -> None:
    move_to(city)

    answer = client.get(path(delivery))

    assert answer.status_code == 410
    assert b'href="https://a.example/"' in answer.content


@pytest.mark.parametrize("city", ["@evil.example", "/evil.example", "..//evil.example"])
def test_no_value_leads_to_another_host(city: str, client: Client, delivery: Delivery) -> None:
    move_to(city)

    assert client.get(path(delivery))["Location"].startswith("https://a.example/")


def test_who_was_erased_is_led_to_the_site_of_the_link(client: Client, delivery: Delivery) -> None:
    url = path(delivery)
    privacy.erase(ADA, source="test", now=timezone.now())

    answer = client.get(url)

    assert answer.status_code == 410
    assert "This link cannot be followed any more" in answer.content.decode()
    assert b'href="https://a.example/"' in answer.content
    assert answer["Referrer-Policy"] == "no-referrer"
    assert client.get(f"{url[:-1]}1").status_code == 302


def test_where_a_field_is_gone_or_nobody_is_named_the_page_names_the_site(
    client: Client, delivery: Delivery
) -> None:
    nobodys = links.click_url(NOBODY, delivery.run_id).removeprefix(SITE) + "0"
    assert client.get(nobodys).status_code == 410

    Recipient.objects.update(fields={})

    assert client.get(path(delivery)).status_code == 410


def test_a_link_that_is_not_ours_is_not_known(client: Client, delivery: Delivery) -> None:
    url = path(delivery)
    token = url.split("/")[2]
    other_kind = links.open_token(delivery.pk, delivery.run_id)
    other_run = links.click_token(delivery.pk, delivery.run_id + 1)

    for bad in (
        f"/c/{token}/2",
        f"/c/{token}/{'9' * 30}",
        f"/c/{other_kind}/0",
        f"/c/{other_run}/0",
        f"/c/{token[:-1]}/0",
        f"/c/{token}/-1",
        f"/c/{token}/0/",
    ):
        assert client.get(bad).status_code == 404, bad
    assert client.post(url).status_code == 405
