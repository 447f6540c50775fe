"""The pages of recipients, lists, segments, imports and suppression, as people see them."""

import io

from playwright.sync_api import expect

from recipients.importing import jobs
from recipients.models import Field, ImportStatus, Suppression, Tag, Tagging
from tests.browser.conftest import Visit
from tests.browser.test_pages import faults
from tests.factories import make_form, make_list, make_recipients, make_segment


def test_pages_of_people_are_for_everybody(visit: Visit) -> None:
    lists = ["/recipients/", "/lists/", "/segments/", "/imports/", "/suppression/"]
    found = {f"{address} (empty)": faults(visit, address) for address in lists}
    readers = make_list()
    form, segment, vip = make_form(), make_segment(), Tag.objects.create(name="VIP")
    ada, *_others = make_recipients(3, mailing_list=readers)
    Tagging.objects.create(tag=vip, recipient=ada)
    gone = Suppression.objects.create(key=ada.key, reason="complaint", source="a feedback loop")
    importing = jobs.begin(io.BytesIO(b"email;name\nx@example.org;X\n"), name="people.csv")
    person, upload = f"/recipients/{ada.pk}/", f"/imports/{importing.pk}/"
    addresses = [
        *lists,
        f"/recipients/?list={readers.pk}&tag={vip.pk}&count=1",
        "/recipients/new/",
        *(f"{person}{verb}" for verb in ("", "edit/", "erase/")),
        f"/lists/{readers.pk}/",
        f"/lists/{form.mailing_list_id}/forms/{form.pk}/",
        f"/segments/{segment.pk}/",
        "/imports/new/",
        f"{upload}columns/",
        "/suppression/add/",
        f"/suppression/{gone.pk}/lift/",
        "/fields/",
    ]

    found |= {address: faults(visit, address) for address in addresses}
    for status in (ImportStatus.CHECKED, ImportStatus.IMPORTING, ImportStatus.DONE):
        importing.status, importing.addresses = status, 1
        importing.save()
        found[f"{upload} ({status})"] = faults(visit, upload)

    assert {address: each for address, each in found.items() if each} == {}


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
