"""A message in a browser: who may see it, what it says, and that looking changes nothing."""

import re
from email import message_from_bytes, policy

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.sending.claim import Claimed
from campaigns.sending.mailing import Mailing
from recipients import privacy
from recipients.models import Field, Recipient
from templates_app.models import EmailTemplate, TemplateVariant
from templates_app.services import save_template
from tests.factories import make_campaign, make_list, make_recipient, make_run, make_template
from tracking import links
from tracking.models import Delivery
from tracking.tokens import Kind, sign

pytestmark = pytest.mark.django_db

SITE = "http://localhost:8000"
ADA = "ada@example.org"
HTML = (
    "<p>Hello {{ first_name | default('you') }}, {{ email }} of {{ list_name }}</p>"
    "<a href='{{ view_url }}'>Browser</a> <a href='{{ unsubscribe_url }}'>Leave</a> "
    "<a href='{{ preferences_url }}'>Choose</a>"
)
WRITES = {"INSERT", "UPDATE", "DELETE"}


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


def sent(template: EmailTemplate) -> Delivery:
    """Return a message to Ada, <b>Ada</b>, with this content."""
    make_recipient(ADA, lists=[make_list()], fields={"first_name": "<b>Ada</b>"})
    make_run(make_campaign(template=template))
    return Delivery.objects.get()


def path(delivery: Delivery) -> str:
    return links.view_url(delivery.pk).removeprefix(SITE)


def test_the_page_says_what_the_message_says(browser: Client) -> None:
    delivery = sent(make_template(html=HTML))

    page = browser.get(path(delivery))

    text = page.content.decode()
    assert page.status_code == 200
    assert "Hello &lt;b&gt;Ada&lt;/b&gt;, ada@example.org of Readers" in text
    assert links.view_url(delivery.pk) in text


def test_the_link_in_the_message_opens_the_page(browser: Client) -> None:
    delivery = sent(make_template(html="<a href='{{ view_url }}'>Browser</a>"))
    claimed = Claimed(delivery.pk, ADA, {}, attempts=1)

    outgoing, _ = Mailing(delivery.run).message(claimed, now=timezone.now())

    message = message_from_bytes(outgoing.data, policy=policy.default)
    part = message.get_body(("html",))
    assert part
    [url] = re.findall(r"href='([^']*)'", part.get_content())
    assert browser.get(url.removeprefix(SITE)).status_code == 200


def test_the_page_says_what_was_frozen_and_not_what_was_edited_since(browser: Client) -> None:
    template = make_template(html=HTML)
    delivery = sent(template)
    EmailTemplate.objects.update(source="<p>Edited</p>")

    page = browser.get(path(delivery))

    assert b"Hello" in page.content
    assert b"Edited" not in page.content


def test_who_was_passed_the_page_cannot_unsubscribe_its_recipient_or_see_what_they_chose(
    browser: Client,
) -> None:
    delivery = sent(make_template(html=HTML))

    text = browser.get(path(delivery)).content.decode()

    assert links.unsubscribe_url(delivery.pk) not in text
    assert links.preferences_url(delivery.pk) not in text
    assert text.count(f"href='{SITE}/v/links'") == 2
    assert b"Those in the message that you were sent work" in browser.get("/v/links").content


def test_the_page_runs_nothing_keeps_no_cookie_and_tells_nobody_where_it_is(
    browser: Client,
) -> None:
    delivery = sent(make_template(html=HTML))

    for url in (path(delivery), "/v/links", f"/v/{'0' * 40}"):
        page = browser.get(url)

        policy = page["Content-Security-Policy"]
        assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src")
        assert "script" not in policy
        assert f"img-src https: data: {SITE};" in policy
        assert page["Referrer-Policy"] == "no-referrer"
        assert page["X-Content-Type-Options"] == "nosniff"
        assert page["X-Robots-Tag"] == "noindex, nofollow"
        assert not page.cookies
        assert not page.has_header("Vary") or "Cookie" not in page["Vary"]
    assert "no-store" in browser.get(path(delivery))["Cache-Control"]


def test_to_look_at_a_page_changes_nothing(browser: Client) -> None:
    delivery = sent(make_template(html=HTML))

    with CaptureQueriesContext(connection) as queries:
        for look in [browser.get, browser.head] * 5:
            assert look(path(delivery)).status_code == 200

    assert not [each["sql"] for each in queries if each["sql"].split()[0] in WRITES]
    for other in (browser.post, browser.put, browser.patch, browser.delete):
        assert other(path(delivery)).status_code in {403, 405}


def test_a_message_of_text_alone_is_shown_as_text(browser: Client) -> None:
    delivery = sent(make_template(html="<p>x</p>"))
    version = delivery.run.version
    version.html, version.subject = "", "News & more"
    version.text = "Hello {{ first_name }}\nhttps://example.org/a?b=1&c=2"
    version.save()

    page = browser.get(path(delivery))

    text = page.content.decode()
    assert "<title>News &amp; more</title>" in text
    assert "Hello &lt;b&gt;Ada&lt;/b&gt;\n" in text
    assert '<a href="https://example.org/a?b=1&amp;c=2"' in text


def test_a_link_that_is_not_ours_or_leads_to_nobody_any_more_is_not_known(browser: Client) -> None:
    delivery = sent(make_template(html=HTML))
    url = path(delivery)
    other_kind = sign(Kind.MESSAGE, delivery.pk, ring=links.key_ring())
    nobody = sign(Kind.VIEW, delivery.pk + 1, ring=links.key_ring())

    for bad in (f"/v/{other_kind}", f"/v/{nobody}", f"{url[:-1]}", "/v/x", f"{url}0"):
        answer = browser.get(bad)
        assert answer.status_code == 404, bad
        assert "This link is not known" in answer.content.decode()


def test_of_who_was_erased_nothing_is_shown(browser: Client) -> None:
    delivery = sent(make_template(html=HTML))
    url = path(delivery)

    privacy.erase(ADA, source="test", now=timezone.now())

    assert browser.get(url).status_code == 404


def test_who_took_an_address_over_is_not_shown_to_whom_it_belonged(browser: Client) -> None:
    delivery = sent(make_template(html=HTML))
    Recipient.objects.update(address="other@example.org", key="other@example.org")

    assert browser.get(path(delivery)).status_code == 404


def test_the_page_is_in_the_language_of_its_recipient(browser: Client) -> None:
    template = make_template(html="<p>Hello</p>")
    german = TemplateVariant(language="de", subject="Neues", source="<p>Hallo</p>")
    save_template(template, variants=[german], known=())
    delivery = sent(template)

    assert b"Hello" in browser.get(path(delivery)).content
    Recipient.objects.update(language="de-AT")
    assert b"Hallo" in browser.get(path(delivery)).content


def test_a_page_whose_field_is_gone_says_so(browser: Client) -> None:
    Field.objects.create(name="first_name")
    delivery = sent(make_template(html="<p>{{ first_name }}</p>"))
    Recipient.objects.update(fields={})

    answer = browser.get(path(delivery))

    assert answer.status_code == 410
    assert b"cannot be shown any more" in answer.content


def test_a_token_stays_good_in_capitals(browser: Client) -> None:
    delivery = sent(make_template(html=HTML))
    token = path(delivery).removeprefix("/v/")

    assert browser.get(f"/v/{token.upper()}").status_code == 200


def test_of_a_run_that_is_gone_nothing_is_shown(browser: Client) -> None:
    delivery = sent(make_template(html=HTML))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tracking_delivery SET run_id = run_id + 1")

    assert browser.get(path(delivery)).status_code == 404
