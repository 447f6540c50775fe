"""Signing in as people do: by a password, and by a passkey of the machine."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Page, expect
from pytest_django import Settings

from tests.browser.conftest import Visit, watched
from tests.browser.looking import axe

PASSWORD = "flyway-of-the-godwit"


@pytest.fixture
def stranger(context: BrowserContext, site: str, settings: Settings) -> Iterator[Visit]:
    """Somebody at the door, whose machine has a fingerprint sensor."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    User.objects.create_user("mai", email="mai@example.org", password=PASSWORD)
    page = context.new_page()
    machine = context.new_cdp_session(page)
    machine.send("WebAuthn.enable")
    sensor = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    machine.send("WebAuthn.addVirtualAuthenticator", {"options": sensor})
    seen = watched(page, site)
    yield seen
    assert seen.wrong == []


def press(page: Page, name: str) -> None:
    with page.expect_navigation():
        page.locator("main").get_by_role("button", name=name, exact=True).click()


def test_a_passkey_is_made_and_opens_the_door_without_a_password(stranger: Visit) -> None:
    page = stranger.page
    stranger.open("/account/login/?next=/account/2fa/webauthn/add/")
    at_the_door = axe(page)
    page.get_by_label("User name or email address").fill("mai@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    page.get_by_label("Password").fill(PASSWORD)  # once more, before a key is added
    press(page, "Confirm")
    page.get_by_label("Name").fill("Laptop")
    page.get_by_label("Passwordless").check()
    press(page, "Add")
    with_codes = axe(page)
    stranger.open("/account/logout/")
    press(page, "Sign Out")

    press(page, "Sign in with a passkey")

    expect(page).to_have_url(re.compile("/$"))
    expect(page.get_by_role("link", name="mai", exact=True)).to_be_visible()
    assert at_the_door + with_codes == []
