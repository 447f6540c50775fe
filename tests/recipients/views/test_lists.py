"""Lists and their sign-up forms."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from recipients.models import MailingList, SignupForm
from tests.console import staff, superuser, text
from tests.factories import make_form, make_list, make_recipient, make_recipients

pytestmark = pytest.mark.django_db

LISTS = "/lists/"


@pytest.fixture
def browser() -> Client:
    return superuser()


def test_lists_say_how_large_they_are_and_how_people_come_onto_them(browser: Client) -> None:
    make_recipients(3, mailing_list=make_list())
    make_form()
    MailingList.objects.create(name="Chosen", is_public=True)
    make_list("Quiet")

    page = text(browser.get(LISTS))

    assert "Readers 3 " in page
    assert "1 sign-up form, confirmed by mail" in page
    assert "Where people choose their lists" in page
    assert "By imports and staff alone" in page


def test_more_people_on_a_list_ask_no_more_of_the_database(browser: Client) -> None:
    readers = make_list()
    make_recipients(1, mailing_list=readers)
    with CaptureQueriesContext(connection) as few:
        browser.get(f"{LISTS}{readers.pk}/")
    make_recipients(20, mailing_list=readers, prefix="more")

    with CaptureQueriesContext(connection) as many:
        page = text(browser.get(f"{LISTS}{readers.pk}/"))

    assert len(many) == len(few) <= 20
    assert "more0020@example.org" in page


def test_a_list_is_made_and_changed(browser: Client) -> None:
    wrong = browser.post(f"{LISTS}new/", {"name": "A\u2028B", "tracking": "full"})
    browser.post(f"{LISTS}new/", {"name": "News", "tracking": "full"})
    again = browser.post(f"{LISTS}new/", {"name": "News", "tracking": "full"})
    news = MailingList.objects.get()
    browser.post(f"{LISTS}{news.pk}/edit/", {"name": "Letters", "tracking": "off"})

    assert (wrong.status_code, again.status_code) == (422, 422)
    news.refresh_from_db()
    assert (news.name, news.tracking) == ("Letters", "off")


def test_a_sign_up_form_is_made_and_shows_the_copy_for_other_pages(browser: Client) -> None:
    news = make_list("News")
    typed = {"title": "Birds by mail", "slug": "birds", "is_open": "on", "wording": "News."}

    wrong = browser.post(f"{LISTS}{news.pk}/forms/new/", typed | {"title": "Birds\u2028Bcc: x"})
    saved = browser.post(f"{LISTS}{news.pk}/forms/new/", typed, follow=True)

    assert wrong.status_code == 422
    form = SignupForm.objects.get()
    assert (form.mailing_list, form.wordings.get().text) == (news, "News.")
    assert "/subscribe/birds&quot; method=&quot;post&quot;" in saved.content.decode()
    assert "Birds by mail" in text(browser.get(f"{LISTS}{news.pk}/"))
    other = make_list("Other")
    assert browser.get(f"{LISTS}{other.pk}/forms/{form.pk}/").status_code == 404


def test_who_may_see_lists_alone_sees_nobody_on_them() -> None:
    readers = make_list()
    make_recipient(lists=[readers])

    page = text(staff("recipients.view_mailinglist").get(f"{LISTS}{readers.pk}/"))

    assert "ada@example.org" not in page
    assert "You may not see recipients" in page
