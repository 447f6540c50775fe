"""The pages of recipients, lists, segments, imports and suppression, as people see them."""

import pytest
from playwright.sync_api import expect

from recipients.models import Field, Recipient, Segment
from tests.browser.conftest import Visit
from tests.browser.test_imports import check, upload, work
from tests.factories import make_list, make_recipients


def test_a_segment_is_counted_while_it_is_built_and_focus_goes_to_the_new_rule(
    visit: Visit,
) -> None:
    Field.objects.create(name="city")
    make_recipients(3, mailing_list=make_list())
    page = visit.page
    visit.open("/segments/new/")
    page.get_by_label("Name").fill("R1")

    page.get_by_label("What to add").select_option("field:first_name")
    page.get_by_role("button", name="Add rule").click()

    expect(page.get_by_label("first_name: operator")).to_be_focused()
    page.get_by_label("first_name: value").fill("R1")
    expect(page.locator(".segment-answer")).to_contain_text("1 recipient")
    expect(page.get_by_label("first_name: value")).to_be_focused()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("R1 is saved.")).to_be_visible()


def test_where_a_rule_is_removed_the_focus_stays_among_the_rules(visit: Visit) -> None:
    make_recipients(1, mailing_list=make_list())
    page = visit.page
    visit.open("/segments/new/")
    for count in (1, 2):
        page.get_by_label("What to add").select_option("field:first_name")
        page.get_by_role("button", name="Add rule").click()
        expect(page.get_by_label("first_name: value")).to_have_count(count)

    page.get_by_role("button", name="Remove the rule about first_name").first.press("Enter")

    expect(page.get_by_label("first_name: value")).to_have_count(1)
    page.wait_for_function("document.activeElement.closest('.rule-set') !== null")


@pytest.mark.parametrize("either", [False], indirect=True, ids=["without-javascript"])
def test_without_javascript_rules_come_and_go_and_a_file_comes_to_its_end(either: Visit) -> None:
    make_recipients(2, mailing_list=make_list())
    page = either.page
    either.open("/segments/new/")
    page.get_by_label("Name").fill("Second")
    for _ in range(2):
        page.get_by_label("What to add").select_option("field:first_name")
        page.get_by_role("button", name="Add rule").click()
    page.get_by_role("button", name="Remove the rule about first_name").first.click()
    page.get_by_label("first_name: value").fill("R2")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Second is saved.")).to_be_visible()

    upload(either, "people.csv", b"email\nnew@example.org\n")
    importing = check(page, "people")
    page.get_by_role("link", name="Show it now").click()
    page.get_by_role("button", name="Import", exact=True).click()
    work(importing)
    page.get_by_role("link", name="Show it now").click()

    expect(page.locator(".state")).to_have_text("Done")
    assert Segment.objects.get().name == "Second"
    assert Recipient.objects.filter(address="new@example.org").exists()
