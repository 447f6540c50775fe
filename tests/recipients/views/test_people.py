"""The list of recipients and the page of one: found, added, changed, put on lists."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from recipients.models import (
    ConsentEvent,
    Field,
    Recipient,
    Segment,
    Subscription,
    Suppression,
    Tag,
    Tagging,
)
from tests.console import staff, superuser, text
from tests.factories import make_list, make_recipient, make_recipients

pytestmark = pytest.mark.django_db

RECIPIENTS = "/recipients/"


@pytest.fixture
def browser() -> Client:
    return superuser()


def shown(browser: Client, **asked: Any) -> list[str]:
    return [each.address for each in browser.get(RECIPIENTS, asked).context["page"].rows]


# --- the list -------------------------------------------------------------------------------------


def test_recipients_are_found_by_each_part_of_the_filter_and_by_all_of_them(
    browser: Client,
) -> None:
    readers, vip = make_list(), Tag.objects.create(name="VIP")
    Field.objects.create(name="city")
    ada = make_recipient("ada@example.org", lists=[readers], fields={"city": "Hanoi"})
    bob = make_recipient("bob@example.net", lists=[readers])
    Subscription.objects.filter(recipient=bob).update(state="unsubscribed")
    Tagging.objects.create(tag=vip, recipient=ada)
    Suppression.objects.create(key="example.net", reason="manual")
    rules = {"match": "all", "rules": [{"about": "field:city", "operator": "is", "value": "Hanoi"}]}
    hanoi = Segment.objects.create(name="Hanoi", rules=rules)
    a, b = "ada@example.org", "bob@example.net"

    assert shown(browser) == [b, a]
    assert shown(browser, q="Ada@EXAMPLE.org") == shown(browser, q="ad") == [a]
    assert shown(browser, q="city:hanoi") == [a]
    assert shown(browser, list=readers.pk) == [a]
    assert shown(browser, list=readers.pk, state="unsubscribed") == [b]
    assert shown(browser, tag=vip.pk) == shown(browser, segment=hanoi.pk) == [a]
    assert shown(browser, suppressed="yes") == [b]
    assert shown(browser, suppressed="no") == [a]
    assert shown(browser, q="ada", list=readers.pk, tag=vip.pk, suppressed="no") == [a]
    assert shown(browser, q="bob", tag=vip.pk) == []


def test_nobody_yet_and_nobody_who_answers_are_different_texts(browser: Client) -> None:
    assert "No recipients yet" in text(browser.get(RECIPIENTS))
    assert "Nobody answers to this filter" in text(browser.get(RECIPIENTS, {"q": "ada"}))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"list": "999999"}, "This filter cannot be asked"),
        ({"tag": "x", "state": "nonsense"}, "This filter cannot be asked"),
        ({"q": "\x00"}, "This filter cannot be asked"),
        ({"q": "a" * 300}, "This filter cannot be asked"),
        ({"older": "x", "newer": "9" * 40}, "No recipients yet"),
        ({"q": "%"}, "Nobody answers"),
        ({"q": "nofield:x"}, "Nobody answers"),
    ],
)
def test_what_cannot_be_asked_shows_nobody(
    asked: dict[str, str], said: str, browser: Client
) -> None:
    assert said in text(browser.get(RECIPIENTS, asked))


def test_a_segment_that_cannot_be_asked_any_more_is_said(browser: Client) -> None:
    rules = {"match": "all", "rules": [{"about": "field:gone", "operator": "is", "value": "x"}]}
    segment = Segment.objects.create(name="Old", rules=rules)

    assert "Old: rule 1: there is no field" in text(
        browser.get(RECIPIENTS, {"segment": segment.pk})
    )


def test_a_page_of_fifty_takes_as_many_queries_as_one_of_two(browser: Client) -> None:
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    with CaptureQueriesContext(connection) as few:
        browser.get(RECIPIENTS, {"list": readers.pk})
    make_recipients(60, mailing_list=readers, prefix="more")

    with CaptureQueriesContext(connection) as many:
        answer = browser.get(RECIPIENTS, {"list": readers.pk})

    assert len(answer.context["page"].rows) == 50
    assert len(many) == len(few) <= 20
    assert not [query for query in many.captured_queries if "COUNT(" in query["sql"]]


def test_they_are_counted_where_somebody_asks_for_that(browser: Client) -> None:
    make_recipients(3, mailing_list=make_list())

    assert "3 recipients answer to this." in text(browser.get(RECIPIENTS, {"count": "1"}))


# --- one person -----------------------------------------------------------------------------------


def test_a_person_is_added_with_fields_and_lists_and_consent(browser: Client) -> None:
    Field.objects.create(name="age", kind="number")
    readers = make_list()
    typed = {"address": " Ada@Bücher.Example ", "field-age": "41", "lists": [readers.pk]}

    wrong = browser.post(f"{RECIPIENTS}new/", typed | {"field-age": "many", "time_zone": "Mars"})
    told = browser.post(f"{RECIPIENTS}new/", typed | {"declaration": "ada@example.org said so"})
    browser.post(f"{RECIPIENTS}new/", typed | {"declaration": "by phone"})
    again = browser.post(f"{RECIPIENTS}new/", typed)

    assert "no number like 12" in text(wrong)
    assert "Mars is no time zone" in text(wrong)
    assert told.status_code == 422
    ada = Recipient.objects.get()
    assert (ada.key, ada.fields) == ("ada@xn--bcher-kva.example", {"age": 41})
    assert Recipient.objects.subscribed_to(readers).get() == ada
    assert ConsentEvent.objects.get().source.endswith(": by phone")
    assert again.status_code == 422
    assert f'href="/recipients/{ada.pk}/"' in again.content.decode()


def test_what_two_windows_change_of_one_person_is_not_lost(browser: Client) -> None:
    Field.objects.create(name="city")
    Field.objects.create(name="age", kind="number")
    vip = Tag.objects.create(name="VIP")
    ada = make_recipient(fields={"city": "Rome", "gone": "kept"})
    edit = f"{RECIPIENTS}{ada.pk}/edit/"
    seen = browser.get(edit).context["form"]["seen"].value()
    typed = {"address": "ada@example.org", "seen": seen, "field-city": "", "tags": [vip.pk]}

    first = browser.post(edit, typed | {"field-age": "1.5", "language": "vi"})
    second = browser.post(edit, typed | {"field-city": "Oslo"})

    ada.refresh_from_db()
    assert first.status_code == 302
    assert ada.fields == {"city": "", "age": 1.5, "gone": "kept"}
    assert (ada.language, [tag.name for tag in ada.tags.all()]) == ("vi", ["VIP"])
    assert second.status_code == 422
    assert "Somebody changed this recipient meanwhile" in text(second)
    assert 'value="Oslo"' in second.content.decode()


@pytest.mark.parametrize("seen", ["", "nonsense", "2026-01-01"])
def test_a_change_that_does_not_say_what_was_seen_is_refused(seen: str, browser: Client) -> None:
    ada = make_recipient()

    answer = browser.post(
        f"{RECIPIENTS}{ada.pk}/edit/", {"address": "bob@example.org", "seen": seen}
    )

    assert answer.status_code == 422
    assert Recipient.objects.get().address == "ada@example.org"


def test_who_has_left_a_list_is_not_put_on_it_again(browser: Client) -> None:
    readers = make_list()
    ada = make_recipient(lists=[readers])
    path = f"{RECIPIENTS}{ada.pk}/subscribe/"
    typed = {"mailing_list": readers.pk, "declaration": "by phone"}

    there = browser.post(path, typed)
    Subscription.objects.update(state="unsubscribed")
    gone = browser.post(path, typed)
    Subscription.objects.update(state="pending")
    asked = browser.post(path, typed)

    assert "They are on this list already" in text(there)
    assert "They have left this list" in text(gone)
    assert asked.status_code == 302
    assert Subscription.objects.get().state == "confirmed"
    assert [each.action for each in ConsentEvent.objects.all()] == ["imported"]


def test_the_page_of_a_person_has_lists_fields_and_why_nobody_mails_them(browser: Client) -> None:
    ada = make_recipient(lists=[make_list()], fields={"note": "<b>"})
    Suppression.objects.create(key="example.org", reason="bounce", source="550")

    page = text(browser.get(f"{RECIPIENTS}{ada.pk}/"))
    of_few = text(staff("recipients.view_recipient").get(f"{RECIPIENTS}{ada.pk}/"))

    assert "Readers" in page
    assert "note <b>" in page
    assert "example.org: messages came back, 550" in page
    assert "Consent" in page
    assert "Erase" not in of_few
    assert "with proof" not in of_few
