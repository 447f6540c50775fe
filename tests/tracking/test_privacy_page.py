"""The page where a person sees what is known of them, and erases it."""

import json
from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from campaigns import notices
from recipients import privacy
from recipients.models import ConsentEvent, Notice, NoticeKind, Recipient, Suppression
from tests.console import text
from tests.factories import make_campaign, make_list, make_recipient, make_run
from tests.smtp_server import ScriptedSMTP
from tracking import links
from tracking.models import Delivery
from tracking.tokens import Kind, sign

pytestmark = pytest.mark.django_db

SITE = "http://localhost:8000"


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)  # without a cookie


@pytest.fixture
def path() -> str:
    """The link that was mailed to Ada, who is on a list and was sent a message."""
    ada = make_recipient("ada@example.org", lists=[make_list()], fields={"city": "Huế"})
    make_run(make_campaign())
    privacy.ask(ada, timezone.now())
    return links.privacy_url(Notice.objects.get().pk).removeprefix(SITE)


def test_the_page_shows_what_is_known_and_changes_nothing(path: str, browser: Client) -> None:
    shown = text(browser.get(path))
    browser.head(path)

    for fact in ("ada@example.org", "Huế", "List Readers: confirmed", "Messages: 1"):
        assert fact in shown
    assert Recipient.objects.exists()


def test_everything_is_handed_out_as_a_file(path: str, browser: Client) -> None:
    answer = browser.post(path, {"do": "json"})
    table = browser.post(path, {"do": "csv"})

    assert answer["Content-Disposition"] == 'attachment; filename="known.json"'
    assert json.loads(answer.content)["messages"][0]["address"] == "ada@example.org"
    assert b'"fields","1","city"' in table.content


def test_a_person_erases_everything_when_they_are_sure(path: str, browser: Client) -> None:
    hasty = browser.post(path, {"do": "erase"})
    assert (hasty.status_code, Recipient.objects.count()) == (422, 1)

    done = browser.post(path, {"do": "erase", "sure": "1"})

    assert "Erased" in text(done)
    assert not Recipient.objects.exists()
    assert Suppression.objects.get().reason == "erased"
    assert ConsentEvent.objects.get().source == "the person, by a link mailed to the address"
    assert browser.get(path).status_code == 404


def test_the_link_holds_for_a_day(path: str, browser: Client) -> None:
    young = timezone.now() - privacy.LINK_HOLDS + timedelta(minutes=1)
    Notice.objects.update(created_at=young)
    assert browser.get(path).status_code == 200

    Notice.objects.update(created_at=young - timedelta(minutes=2))

    assert browser.get(path).status_code == 410
    assert browser.post(path, {"do": "erase", "sure": "1"}).status_code == 410
    assert Recipient.objects.exists()


def test_no_other_link_leads_there(path: str, browser: Client) -> None:
    notice = Notice.objects.get()
    others = [sign(kind, notice.pk, ring=links.key_ring()) for kind in Kind if kind != Kind.PRIVACY]

    answers = {browser.get(f"/privacy/{token}").status_code for token in [*others, "0" * 40, "x"]}
    Recipient.objects.update(key="somebody@else.example")

    assert answers == {404}
    assert browser.get(path).status_code == 404


def test_who_reads_the_mailbox_asks_for_the_link_and_gets_it(
    browser: Client, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    make_recipient("ada@example.org", lists=[make_list()])
    make_run(make_campaign())
    preferences = links.preferences_url(Delivery.objects.get().pk).removeprefix(SITE)

    asked = browser.post(preferences, {"known": "1"})
    notices.send_due(clock=timezone.now)

    assert "A message to ada@example.org has the link" in text(asked)
    [message] = smtp.messages
    link = links.privacy_url(Notice.objects.get().pk)
    assert link.encode() in message.data.replace(b"=\r\n", b"")
    assert browser.get(link.removeprefix(SITE)).status_code == 200


def test_who_asks_again_within_the_hour_gets_one_message() -> None:
    ada = make_recipient()
    now = timezone.now()

    asked = [privacy.ask(ada, now), privacy.ask(ada, now + timedelta(minutes=59))]
    Notice.objects.update(sent_at=now)
    asked.append(privacy.ask(ada, now + timedelta(minutes=61)))

    assert asked == [True, False, True]
    assert Notice.objects.filter(kind=NoticeKind.PRIVACY).count() == 2


def test_the_message_has_the_link_and_the_address() -> None:
    context = {"address": "ada@example.org", "url": "https://x.example/privacy/1", "site": "x"}

    subject, plain, html = (
        render_to_string(f"campaigns/notice_privacy.{kind}", context).strip()
        for kind in ("subject.txt", "txt", "html")
    )

    assert subject == "What is known of ada@example.org"
    assert context["url"] in plain
    assert f'href="{context["url"]}"' in html
