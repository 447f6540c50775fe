"""A real browser, and what it must never say."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.browser import chromium

expect.set_options(timeout=30_000)  # far above what anything here takes

# Playwright keeps an event loop in the tests' thread; the database is asked beside it, not in it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

PICTURES = Path(__file__).resolve().parent.parent.parent / "screenshots"  # git ignores it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep them on one process: each would start a browser of its own."""
    here = str(Path(__file__).parent)
    for item in items:
        if str(item.path).startswith(here) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    try:
        started = chromium.start(playwright.chromium, may_install="INSTALL_BROWSER" in os.environ)
    except chromium.Missing as missing:
        pytest.skip(str(missing))
    yield started
    started.close()


@dataclass
class Visit:
    """Somebody at a browser, and all that went wrong there."""

    page: Page
    site: str
    wrong: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.site}{path}")

    def picture(self, name: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def watched(page: Page, site: str) -> Visit:
    """Note errors, what the policy forbids, and requests to other hosts."""
    visit = Visit(page, site)
    page.on("pageerror", lambda error: visit.wrong.append(f"error: {error}"))
    page.on(
        "console",
        lambda said: visit.wrong.append(f"console: {said.text}") if said.type == "error" else None,
    )
    page.on(
        "request",
        lambda asked: (
            None
            if asked.url.startswith((site, "data:", "blob:"))
            else visit.wrong.append(f"another host: {asked.url}")
        ),
    )
    return visit


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(locale="en", timezone_id="Asia/Ho_Chi_Minh")
    made.set_default_timeout(15_000)
    yield made
    made.close()


def sign_in(context: BrowserContext, user: User, site: str) -> None:
    """Give the browser the cookie of somebody who has signed in."""
    client = Client()
    client.force_login(user)
    [cookie] = [each for each in client.cookies.values() if "session" in each.key]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": site}])


@pytest.fixture
def visit(
    transactional_db: None, context: BrowserContext, live_server: LiveServer
) -> Iterator[Visit]:
    """An administrator at the browser; at the end nothing may have gone wrong."""
    root = User.objects.create_user("root", is_staff=True, is_superuser=True)
    sign_in(context, root, live_server.url)
    seen = watched(context.new_page(), live_server.url)
    yield seen
    assert seen.wrong == []
