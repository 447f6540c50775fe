"""A real browser, and what it must never say."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import modify_settings
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from pytest_django import DjangoDbBlocker
from pytest_django.live_server_helper import LiveServer

from tests.browser import chromium, emptying

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
        lambda said: (
            visit.wrong.append(f"console: {said.text} {said.location['url']}")
            if said.type == "error"
            else None
        ),
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


@pytest.fixture(scope="session")
def site(django_db_setup: None) -> Iterator[str]:
    """The address of one server, for all tests in a browser."""
    with modify_settings(ALLOWED_HOSTS={"append": "localhost"}):
        server = LiveServer("localhost")
        yield server.url
        server.stop()


# By the names of these two pytest-django knows that a test asks the database, and when to run it.
@pytest.fixture
def transactional_db(site: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database for one test; what it leaves is deleted, and only that.

    pytest-django's empties all tables, and makes all permissions anew: it takes longer than most of
    these tests.
    """
    with django_db_blocker.unblock():
        yield
        emptying.empty()


@pytest.fixture(scope="module")
def db(site: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database for tests of one module that only look at what was made for all of them."""
    with django_db_blocker.unblock():
        yield
        emptying.empty()


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    made = browser.new_context(
        **{"locale": "en", "timezone_id": "Asia/Ho_Chi_Minh", **options},
    )
    made.set_default_timeout(15_000)
    return made


@pytest.fixture
def context(transactional_db: None, browser: Browser) -> Iterator[BrowserContext]:
    made = new_context(browser)
    yield made
    made.close()


def sign_in(context: BrowserContext, user: User, site: str) -> None:
    """Give the browser the cookie of somebody who has signed in."""
    client = Client()
    client.force_login(user)
    [cookie] = [each for each in client.cookies.values() if "session" in each.key]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": site}])


def administrator() -> User:
    return User.objects.create_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def visit(context: BrowserContext, site: str) -> Iterator[Visit]:
    """An administrator at the browser; at the end nothing may have gone wrong."""
    sign_in(context, administrator(), site)
    seen = watched(context.new_page(), site)
    yield seen
    assert seen.wrong == []


@pytest.fixture(params=[True, False], ids=["with-javascript", "without"])
def either(
    request: pytest.FixtureRequest, transactional_db: None, browser: Browser, site: str
) -> Iterator[Visit]:
    """An administrator at a browser that knows JavaScript, and at one that does not."""
    context = new_context(browser, java_script_enabled=request.param)
    sign_in(context, administrator(), site)
    seen = watched(context.new_page(), site)
    yield seen
    context.close()
    assert seen.wrong == []
