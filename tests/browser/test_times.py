"""One moment in three zones: the campaign's, the reader's, the server's."""

from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from campaigns.models import Plan
from config.accounts.models import Profile
from tests.browser.conftest import Visit, sign_in
from tests.browser.stage import draft

YEAR = 2030  # the rules of both zones are known until then, and it is not over


def read_in(visit: Visit, time_zone: str) -> None:
    """Have the administrator read times in a zone."""
    root = User.objects.get()
    Profile.objects.update_or_create(user=root, defaults={"time_zone": time_zone})
    sign_in(visit.page.context, root, visit.site)


def choose(page: Page, day: str, time: str, zone: str) -> None:
    page.get_by_label("Once, at a time").check()
    page.locator("#id_date").fill(day)
    page.locator("#id_time").fill(time)
    page.locator("#id_time_zone").select_option(zone)


def test_a_time_of_hanoi_is_read_in_berlin_and_stays_the_same_moment(visit: Visit) -> None:
    campaign, page = draft(), visit.page
    read_in(visit, "Europe/Berlin")
    visit.open(f"/campaigns/{campaign.pk}/schedule/")

    choose(page, f"{YEAR}-12-04", "09:00", "Asia/Ho_Chi_Minh")
    expect(page.locator("#times")).to_contain_text("09:00 Ho Chi Minh (UTC+07:00)")
    expect(page.locator("#times")).to_contain_text("03:00 Berlin (UTC+01:00) for you")
    page.get_by_role("button", name="Save and continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check")

    plan = Plan.objects.get(campaign=campaign)
    assert plan.at
    assert plan.at.isoformat() == f"{YEAR}-12-04T02:00:00+00:00"
    visit.open(f"/campaigns/{campaign.pk}/schedule/")
    expect(page.locator("#id_time")).to_have_value("09:00")
    expect(page.locator("#id_time_zone")).to_have_value("Asia/Ho_Chi_Minh")


def test_a_time_that_the_clocks_skip_or_strike_twice_is_asked_for_again(visit: Visit) -> None:
    campaign, page, said = draft(), visit.page, []
    visit.open(f"/campaigns/{campaign.pk}/schedule/")

    for day, time in ((f"{YEAR}-03-31", "02:30"), (f"{YEAR}-10-27", "02:30")):
        choose(page, day, time, "Europe/Berlin")
        with page.expect_navigation():
            page.get_by_role("button", name="Save and continue").click()
        expect(page.locator(".errors")).to_be_focused()
        said.append(page.locator(".errors a").inner_text())
        expect(page.locator("#id_time")).to_have_value(time)

    assert said == [
        "Time: The clocks go forward: this time does not exist; 03:30 does.",
        "Time: The clocks go back: this time comes twice; 00:30 comes once.",
    ]
    assert all("422" in each for each in visit.wrong)
    visit.wrong.clear()
