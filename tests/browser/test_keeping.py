"""What somebody writes is not lost: neither offline, nor signed out, nor in two windows."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils.crypto import get_random_string
from playwright.sync_api import Page, expect

from campaigns.models import Campaign, CampaignStatus
from templates_app.models import EmailTemplate
from tests.browser.conftest import Visit, sign_in, watched
from tests.browser.stage import draft, make_mjml


@pytest.fixture
def writing(visit: Visit) -> Page:
    """Somebody at the editor of a template."""
    template = make_mjml()
    visit.open(f"/templates/{template.pk}/edit/")
    expect(visit.page.get_by_role("textbox", name="Source")).to_be_visible()
    return visit.page


def write(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Subject").fill(text)


def state(page: Page) -> str:
    return page.locator("#draft-state").inner_text()


def only_refusals(visit: Visit) -> None:
    """Take out what a browser says itself of a request that was refused."""
    said = ("console: Failed to load resource", "console: htmx: htmx:error: Failed to fetch")
    assert all(each.startswith(said) for each in visit.wrong), visit.wrong
    visit.wrong.clear()


def test_offline_it_says_that_it_is_not_kept_and_keeps_it_when_it_can(
    visit: Visit, writing: Page
) -> None:
    visit.page.context.set_offline(True)
    write(writing, "Written in a tunnel")
    expect(writing.locator("#draft-state")).to_contain_text("Not kept")
    expect(writing.locator("#shout")).to_be_visible()

    visit.page.context.set_offline(False)

    expect(writing.locator("#draft-state")).to_contain_text("as draft 1")
    expect(writing.locator("#shout")).to_be_empty()
    only_refusals(visit)


def test_who_is_signed_out_while_writing_loses_nothing(visit: Visit, writing: Page) -> None:
    Session.objects.all().delete()
    write(writing, "Written for an hour")
    expect(writing.locator("#shout")).to_contain_text("sign in in another tab")

    writing.get_by_role("button", name="Save", exact=True).click()
    expect(writing.get_by_role("textbox", name="Subject")).to_have_value("Written for an hour")
    sign_in(visit.page.context, User.objects.get(), visit.site)
    another = {"name": "csrftoken", "value": get_random_string(32), "url": visit.site}
    visit.page.context.add_cookies([another])  # type: ignore[list-item]
    writing.evaluate("window.dispatchEvent(new Event('focus'))")

    expect(writing.get_by_text("is saved as version 2")).to_be_visible()
    assert EmailTemplate.objects.get().subject == "Written for an hour"
    only_refusals(visit)


def test_two_windows_do_not_overwrite_each_other(visit: Visit, writing: Page) -> None:
    other = watched(visit.page.context.new_page(), visit.site)
    other.page.goto(writing.url)
    write(writing, "In the first")
    expect(writing.locator("#draft-state")).to_contain_text("as draft 1")

    write(other.page, "In the second")

    expect(other.page.locator("#draft-state")).to_contain_text("another window of yours")
    expect(other.page.get_by_role("textbox", name="Subject")).to_have_value("In the second")
    assert other.wrong == []


def test_a_template_that_somebody_else_has_saved_shows_both(visit: Visit, writing: Page) -> None:
    EmailTemplate.objects.update(subject="Theirs")
    write(writing, "Mine")
    expect(writing.locator("#draft-state")).to_contain_text("has saved this template meanwhile")

    writing.get_by_role("button", name="Save", exact=True).click()

    both = writing.get_by_role("region", name="What is saved now, and what you have written")
    expect(both).to_contain_text("Theirs")
    expect(both).to_contain_text("Mine")
    assert EmailTemplate.objects.get().subject == "Theirs"
    visit.wrong.clear()  # the page is a refusal


def test_what_was_kept_and_is_the_same_is_not_offered(visit: Visit, writing: Page) -> None:
    write(writing, "Newer")
    expect(writing.locator("#draft-state")).to_contain_text("as draft 1")
    write(writing, "News")
    expect(writing.locator("#draft-state")).to_contain_text("as draft 2")

    writing.reload()

    expect(writing.get_by_role("heading", level=1)).to_be_visible()
    expect(writing.get_by_text("that is not saved")).to_have_count(0)


def test_who_presses_twice_sends_once(visit: Visit) -> None:
    campaign = draft()
    visit.open(f"/campaigns/{campaign.pk}/confirm/")
    posts: list[str] = []
    visit.page.on("request", lambda each: posts.append(each.method))

    visit.page.get_by_role("button", name="Send to 3 people").dblclick()
    expect(visit.page.get_by_text("Departing", exact=True)).to_be_visible()

    campaign.refresh_from_db()
    assert posts.count("POST") == 1
    assert campaign.status == CampaignStatus.SCHEDULED
    assert Campaign.objects.count() == 1
