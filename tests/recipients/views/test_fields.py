"""Fields and tags: named, changed as far as values allow, kept while a segment asks for them."""

import pytest
from django.test import Client

from recipients.models import Field, Recipient, Segment, Tag
from tests.console import superuser, text
from tests.factories import make_list, make_recipient
from tests.recipients.segments.asked import every, rule

pytestmark = pytest.mark.django_db

FIELDS = "/fields/"
LISTS = "/admin/recipients/mailinglist/"


@pytest.fixture
def browser() -> Client:
    return superuser()


@pytest.fixture
def plan() -> Field:
    return Field.objects.create(name="plan", kind="choice", choices=["Free", "Pro"])


@pytest.mark.parametrize("name", ["First name", "email", "list_name", "1st", "_x", "Größe"])
def test_a_field_has_a_name_that_templates_can_write(name: str, browser: Client) -> None:
    browser.post(f"{FIELDS}new/", {"name": name, "kind": "text"})

    assert not Field.objects.exists()


def test_a_new_field_can_be_used_at_once(browser: Client) -> None:
    browser.post(f"{FIELDS}new/", {"name": "city", "kind": "text"})

    browser.post("/recipients/new/", {"address": "ada@example.org", "field-city": "Huế"})

    assert Recipient.objects.get().fields == {"city": "Huế"}


@pytest.mark.parametrize(
    ("kind", "choices", "reason"),
    [
        ("choice", "", "Write what can be chosen"),
        ("choice", "Pro\n pro", "Two choices are the same"),
        ("choice", "x" * 201, "at most 200 characters"),
        ("number", "1", "has no choices"),
        ("moon", "", "Select a valid choice"),
    ],
)
def test_a_field_has_choices_if_it_is_one_of_several(
    kind: str, choices: str, reason: str, browser: Client
) -> None:
    values = {"name": "plan", "kind": kind, "choices": choices}

    assert reason in text(browser.post(f"{FIELDS}new/", values))
    assert not Field.objects.exists()


def test_the_kind_of_a_field_stays_and_its_choices_may_grow(browser: Client) -> None:
    browser.post(f"{FIELDS}new/", {"name": "plan", "kind": "choice", "choices": "Free\nPro\n"})
    plan, city = Field.objects.get(), Field.objects.create(name="city")
    typed = {"name": "other", "kind": "text", "choices": "Free\nPro\nTeam"}

    browser.post(f"{FIELDS}{plan.pk}/", typed)

    plan.refresh_from_db()
    assert (plan.name, plan.kind, plan.choices) == ("plan", "choice", ["Free", "Pro", "Team"])
    assert browser.post(f"{FIELDS}{city.pk}/", typed).status_code == 404


@pytest.mark.parametrize(
    ("kind", "choices", "reason"),
    [
        ("number", "", "is no number"),
        ("choice", "Free", "is none of Free"),
        ("text", "", ""),
        ("choice", "Free\nPro", ""),
    ],
)
def test_what_recipients_have_of_a_deleted_field_fits_the_next_one_of_its_name(
    kind: str, choices: str, reason: str, browser: Client
) -> None:
    make_recipient(fields={"plan": "Pro"})

    answer = browser.post(f"{FIELDS}new/", {"name": "plan", "kind": kind, "choices": choices})

    assert Field.objects.exists() is not bool(reason)
    assert reason in (text(answer) if reason else "")


def test_what_a_segment_asks_about_is_not_deleted(plan: Field, browser: Client) -> None:
    readers, tag = make_list(), Tag.objects.create(name="VIP")
    rules = every(
        rule("list", "on", readers.pk), rule("tag", "has", tag.pk), rule("field:plan", "is", "Pro")
    )
    Segment.objects.create(name="All of them", rules=rules)
    paths = [f"{FIELDS}{plan.pk}/delete/", f"/tags/{tag.pk}/delete/"]

    for path in paths:
        refused = browser.post(path)
        assert refused.status_code == 422
        assert "It is used by the segment All of them" in text(refused)
    assert browser.post(f"{LISTS}{readers.pk}/delete/", {"post": "yes"}).status_code == 403
    Segment.objects.all().delete()
    for path in paths:
        assert browser.post(path).status_code == 302
    assert (Field.objects.filter(pk=plan.pk).count(), Tag.objects.count()) == (0, 0)


@pytest.mark.parametrize(("operator", "value"), [("is", "Pro"), ("one_of", ["Free", "Pro"])])
def test_a_choice_that_a_segment_asks_about_is_kept(
    operator: str, value: str | list[str], plan: Field, browser: Client
) -> None:
    Segment.objects.create(name="Payers", rules=every(rule("field:plan", operator, value)))

    refused = browser.post(f"{FIELDS}{plan.pk}/", {"choices": "Free"})
    browser.post(f"{FIELDS}{plan.pk}/", {"choices": "Free\nPro\nGold"})

    assert "Pro: used by the segment Payers; take it out there first." in text(refused)
    plan.refresh_from_db()
    assert plan.choices == ["Free", "Pro", "Gold"]


def test_fields_and_tags_are_listed(plan: Field, browser: Client) -> None:
    browser.post("/tags/new/", {"name": "VIP"})
    tag = Tag.objects.get()
    browser.post(f"/tags/{tag.pk}/", {"name": "Friends"})
    again = browser.post("/tags/new/", {"name": "Friends"})

    assert "{{ plan }}" in text(browser.get(FIELDS))
    assert "Friends" in text(browser.get("/tags/"))
    assert again.status_code == 422
