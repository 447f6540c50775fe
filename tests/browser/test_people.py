"""The pages of recipients, lists, segments, imports and suppression, as people see them."""

from playwright.sync_api import expect

from recipients.models import Field
from tests.browser.conftest import Visit
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
