"""The pages of suppression: found by address, added one or many, lifted by the rules."""

import pytest
from django.urls import reverse

from recipients.consent import subject
from recipients.models import LiftedSuppression, Suppression
from tests.console import messages, staff, superuser, text

pytestmark = pytest.mark.django_db

SUPPRESSIONS = "/suppression/"


def entry(key: str | None = "ada@example.org", reason: str = "manual") -> Suppression:
    digest = None if key else subject("ada@example.org")
    return Suppression.objects.create(key=key, digest=digest, reason=reason)


def lift(row: Suppression) -> str:
    return reverse("recipients:suppression_lift", args=[row.pk])


def test_many_are_pasted_with_the_lines_that_cannot_be_read_named() -> None:
    browser = superuser()
    lines = "Ada@Example.org\n\nexample.net\nada@example.org\n"

    refused = browser.post(f"{SUPPRESSIONS}add/", {"entries": f"{lines}a@b\n", "reason": "bounce"})
    assert refused.status_code == 422
    assert "Nothing was added. line 5: the domain after the @ has no dot" in text(refused)
    assert not Suppression.objects.exists()
    told = {"entries": lines, "reason": "bounce", "source": "ada@example.org wrote"}
    assert "without an address" in text(browser.post(f"{SUPPRESSIONS}add/", told))
    added = browser.post(
        f"{SUPPRESSIONS}add/",
        {"entries": lines, "reason": "bounce", "source": "former provider"},
        follow=True,
    )

    assert messages(added) == ["2 added; 0 were there already."]
    first = Suppression.objects.get(key="ada@example.org")
    assert (first.reason, first.source) == ("bounce", "former provider; added by root")


@pytest.mark.parametrize(
    ("reason", "permissions", "lifted"),
    [
        ("manual", ["delete_suppression"], True),
        ("complaint", ["delete_suppression"], False),
        ("complaint", ["delete_suppression", "lift_complaint"], True),
        ("unsubscribed", ["delete_suppression", "lift_complaint"], False),
    ],
)
def test_staff_lift_what_their_permissions_allow(
    reason: str, permissions: list[str], lifted: bool
) -> None:
    row = entry(reason=reason)
    names = ["view_suppression", *permissions]
    browser = staff(*(f"recipients.{name}" for name in names))

    answer = browser.post(lift(row), {"why": "she wrote to us"})

    assert answer.status_code == (302 if lifted else 422)
    assert Suppression.objects.exists() != lifted
    assert [each.why for each in LiftedSuppression.objects.all()] == ["she wrote to us"] * lifted


def test_who_was_erased_is_shown_without_an_address_and_not_lifted() -> None:
    row = entry(None, "erased")
    browser = superuser()

    listed = text(browser.get(f"{SUPPRESSIONS}?q=Ada@example.org"))
    answer = browser.post(lift(row), {"why": "please"})

    assert "Somebody who was erased" in listed
    assert "They asked to be forgotten" in text(answer)
    assert Suppression.objects.get() == row


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": "Ada@Example.org"}, ["ada@example.org", "example.org"]),
        ({"q": "ada@"}, ["ada@example.org"]),
        ({"q": "@example"}, ["example.net", "example.org"]),
        ({"domains": "on"}, ["example.net", "example.org"]),
        ({"reason": "bounce"}, ["example.net"]),
        ({"q": "nobody"}, []),
        ({"q": "\x00", "reason": "nonsense"}, None),
    ],
)
def test_suppressions_are_found_by_address_reason_and_domain(
    asked: dict[str, str], found: list[str] | None
) -> None:
    every = [entry(), entry("example.org"), entry("example.net", "bounce")]

    rows = superuser().get(SUPPRESSIONS, asked).context["page"].rows

    keys = [str(each.key) for each in every] if found is None else found
    assert sorted(str(each.key) for each in rows) == sorted(keys)


@pytest.mark.parametrize("reason", ["erased", "soft_bounce", "nonsense"])
def test_a_reason_that_staff_cannot_give_is_an_error_of_the_form(reason: str) -> None:
    answer = superuser().post(
        f"{SUPPRESSIONS}add/", {"entries": "ada@example.org", "reason": reason}
    )

    assert answer.status_code == 422
    assert not Suppression.objects.exists()


def test_the_page_of_lifting_says_what_a_complaint_means() -> None:
    row = entry(reason="complaint")

    page = text(superuser().get(lift(row)))

    assert "told their provider that a message was spam" in page


def test_what_was_lifted_before_is_told_to_who_asks_for_the_address() -> None:
    browser = superuser()
    browser.post(lift(entry()), {"why": "she wrote to us"})

    page = text(browser.get(SUPPRESSIONS, {"q": "ada@example.org"}))

    assert "ada@example.org (added by staff), by root: she wrote to us" in page
