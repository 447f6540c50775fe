"""Keys for programs, and the page that describes what they can ask."""

from playwright.sync_api import expect

from config.accounts.models import ApiKey
from tests.browser import looking
from tests.browser.conftest import Visit


def test_a_key_is_made_shown_once_used_on_the_page_of_the_api_and_revoked(visit: Visit) -> None:
    page = visit.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.open("/account/keys/")
    page.get_by_role("link", name="New key").click()
    page.get_by_label("Name", exact=True).fill("Shop")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Shop")
    secret = page.locator("pre code").inner_text()
    on_the_page_of_the_key = looking.axe(page)
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#say")).to_have_text("Copied")

    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_text(secret[:16])).to_be_visible()
    assert secret not in page.content()
    page.get_by_role("link", name="What it can ask").click()
    expect(page.get_by_role("button", name="Authorize")).to_be_visible()
    answer = page.evaluate(
        """async (secret) => {
          const headers = { Authorization: `Bearer ${secret}` };
          return (await fetch('/api/v1/campaigns', { headers })).status;
        }""",
        secret,
    )
    visit.open("/account/keys/")
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_text("revoked", exact=True)).to_be_visible()

    assert page.evaluate("navigator.clipboard.readText()") == secret
    assert answer == 200
    assert on_the_page_of_the_key == []
    assert not ApiKey.objects.filter(revoked_at=None).exists()
