"""The console's page of a form, and the copy of it that goes into other people's pages."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from recipients.forms.embedding import embeddable
from recipients.models import (
    ConsentEvent,
    ConsentWording,
    Field,
    SignupForm,
    Subscription,
)
from tests.console import superuser
from tests.factories import make_form, make_list

pytestmark = pytest.mark.django_db

FORMS = "/admin/recipients/signupform/"


class Inputs(HTMLParser):
    """What a browser would send of a form where nothing is filled in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.form: dict[str, Any] = {}
        self.values: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        known = dict(attributes)
        if tag == "form":
            self.form = known
        elif tag in {"input", "select"}:
            assert "checked" not in known
            self.values[known["name"]] = known.get("value", "")


def typed(**values: str) -> dict[str, str]:
    return {
        "title": "Birds by mail",
        "slug": "birds",
        "is_open": "on",
        "mailing_list": str(make_list("Birds").pk),
        "wording": "News of birds.",
    } | values


def test_a_copy_in_somebodys_page_subscribes_without_any_cookie() -> None:
    form = make_form()
    form.fields.add(Field.objects.create(name="size", kind="choice", choices=["S", "L"]))
    copy = Inputs(embeddable(form))
    filled = {"address": "ada@example.org", "agreed": "on", "field-size": "L"}

    answer = Client(enforce_csrf_checks=True).post(
        copy.form["action"].removeprefix("http://localhost:8000"),
        copy.values | filled,
        headers={"Origin": "https://birds.example", "Sec-Fetch-Site": "cross-site"},
    )

    assert answer.status_code == 200
    assert not answer.cookies
    assert Subscription.objects.get().recipient.address == "ada@example.org"
    assert copy.form["action"] == "http://localhost:8000/subscribe/birds"
    assert {"address", "agreed", "field-size", "website", "wording"} == copy.values.keys()


def test_a_copy_needs_nothing_of_ours_in_the_other_page() -> None:
    html = embeddable(make_form(wording="<b>News</b> & more"))

    for needless in ("<script", "<link", "style=", "csrf", "<b>"):
        assert needless not in html


def test_the_console_shows_the_copy_and_keeps_the_words_that_it_shows() -> None:
    console = superuser()

    console.post(f"{FORMS}add/", typed())
    form = SignupForm.objects.get()
    earlier = Inputs(embeddable(form)).values
    console.post(f"{FORMS}{form.pk}/change/", typed(wording="Other news."))
    page = console.get(f"{FORMS}{form.pk}/change/").content.decode()
    Client().post("/subscribe/birds", earlier | {"address": "a@example.org", "agreed": "on"})

    assert "/subscribe/birds&quot; method=&quot;post&quot;" in page
    assert {each.text for each in form.wordings.all()} == {"News of birds.", "Other news."}
    words = ConsentWording.objects.get(digest=ConsentEvent.objects.get().wording)
    assert words.text == "News of birds."


def test_a_title_that_would_break_the_subject_of_a_message_is_refused() -> None:
    answer = superuser().post(f"{FORMS}add/", typed(title="Birds\u2028Bcc: x"))

    assert answer.status_code == 200
    assert not SignupForm.objects.exists()


@pytest.mark.parametrize("path", [FORMS, f"{FORMS}add/", "/admin/recipients/notice/"])
def test_the_pages_are_there(path: str) -> None:
    make_form()

    assert superuser().get(path).status_code == 200
