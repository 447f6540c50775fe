"""Shortcuts: those of a single key where nothing is typed, and where the profile wants them."""

import re

from playwright.sync_api import expect

from recipients.models import Tag
from tests.browser.conftest import Visit
from tests.browser.stage import draft, flying


def test_keys_lead_to_the_search_the_campaigns_the_ledger_and_their_own_list(
    visit: Visit,
) -> None:
    page = visit.page
    visit.open("/recipients/")

    page.keyboard.press("/")
    expect(page.locator("#filter-q")).to_be_focused()
    page.keyboard.type("gc?/")
    expect(page.locator("#filter-q")).to_have_value("gc?/")
    page.locator("h1").click()
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/campaigns/")
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/ledger/")
    page.keyboard.press("?")

    page.wait_for_url("**/account/profile/#shortcuts")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_in_viewport()


def test_who_has_switched_them_off_is_led_nowhere_and_still_saves_by_ctrl_s(visit: Visit) -> None:
    page = visit.page
    visit.open("/account/profile/")
    page.get_by_label("Keyboard shortcuts of a single key").uncheck()
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved. Where else")).to_be_visible()
    visit.open("/tags/new/")

    page.locator("h1").click()
    page.keyboard.type("gc?/")
    page.get_by_label("Name").fill("VIP")
    page.keyboard.press("Control+Enter")

    page.wait_for_url(re.compile("/tags/$"))
    assert Tag.objects.get().name == "VIP"


def test_no_key_sends_pauses_or_stops_anything(visit: Visit) -> None:
    campaign, run = draft("Draft"), flying("Flying")
    pages = [
        f"/campaigns/{campaign.pk}/confirm/",
        f"/campaigns/{run.campaign_id}/pause/",
        f"/campaigns/{run.campaign_id}/cancel/",
        f"/runs/{run.pk}/",
    ]
    posts: list[str] = []
    visit.page.on("request", lambda each: posts.append(each.method))

    for address in pages:
        visit.open(address)
        visit.page.locator("h1").click()
        for keys in ("Control+s", "Control+Enter", "Enter"):
            visit.page.keyboard.press(keys)

    visit.open("/")
    assert "POST" not in posts
