"""What is done with all who answer to a filter, by people who see only some of them."""

from playwright.sync_api import Page, expect

from recipients.models import Recipient, Subscription, SubscriptionState, Tag
from tests.browser.conftest import Visit
from tests.factories import make_list, make_recipients


def choose_all(page: Page, act: str) -> None:
    page.get_by_label("Do", exact=True).select_option(label=act)
    page.get_by_label("With", exact=True).select_option("matching")
    page.get_by_role("button", name="Go on…").click()


def test_all_who_answer_to_the_filter_are_meant_and_nobody_else(visit: Visit) -> None:
    page = visit.page
    make_recipients(60, mailing_list=make_list("Birds"), prefix="b")
    make_recipients(5, mailing_list=make_list("Others"), prefix="o")
    vip = Tag.objects.create(name="VIP")
    visit.open(f"/recipients/?list={make_list('Birds').pk}")
    shown = page.locator("tbody tr").count()

    choose_all(page, "Add a tag")
    expect(page.get_by_role("heading", level=1)).to_have_text("Add a tag: 60 recipients")
    page.get_by_label("Tag", exact=True).select_option(label="VIP")
    page.get_by_role("button", name="Add a tag: 60 recipients").click()

    expect(page.get_by_text("Recipients who have the tag VIP: 60.")).to_be_visible()
    assert shown == 50
    assert page.url.endswith(f"?list={make_list('Birds').pk}")
    tagged = vip.recipients.values_list("address", flat=True)
    assert {address[0] for address in tagged} == {"b"}
    assert len(tagged) == 60


def test_where_others_answer_by_then_nothing_is_done_and_it_is_said(visit: Visit) -> None:
    page, birds, others = visit.page, make_list("Birds"), make_list("Others")
    people = make_recipients(3, mailing_list=birds, prefix="b")
    Subscription.objects.bulk_create(
        Subscription(recipient=each, mailing_list=others, state=SubscriptionState.CONFIRMED)
        for each in people
    )
    visit.open(f"/recipients/?list={birds.pk}")
    choose_all(page, "Remove from a list")
    page.get_by_label("List", exact=True).select_option(label="Birds")
    make_recipients(1, mailing_list=birds, prefix="late")

    page.get_by_role("button", name="Remove from a list: 3 recipients").click()

    expect(page.get_by_text("Nothing was done")).to_be_visible()
    assert Recipient.objects.subscribed_to(birds).count() == 4
    page.get_by_label("List", exact=True).select_option(label="Birds")
    page.get_by_role("button", name="Remove from a list: 4 recipients").click()
    expect(page.get_by_text("Removed from the list Birds: 4.")).to_be_visible()
    assert Recipient.objects.subscribed_to(birds).count() == 0
    assert Recipient.objects.subscribed_to(others).count() == 3
    assert all("409" in each for each in visit.wrong)
    visit.wrong.clear()
