"""The main job as somebody does it after `make run`: from a file of people to the report."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from tests.browser.conftest import PICTURES, watched
from tests.one_machine import Run, own_services

# Not with the other tests in a browser: it looks for free ports.
pytestmark = pytest.mark.xdist_group("installations")

# Where the pictures of the README are wanted anew: `make pictures`.
STORY = Path(os.environ.get("PICTURES") or PICTURES)
NAMES = ("Ada", "Ben", "Chi", "Dao", "Eva", "Finn", "Hana", "Jun", "Lan", "Mai", "Zoë", "Søren")
CITIES = ("Suva", "Nome", "Hanoi", "Hobart", "Auckland")
PEOPLE = 480
MOST_STEPS = 27


@pytest.fixture(scope="module")
def machine() -> Iterator[Run]:
    with own_services() as services:
        yield Run(services, DEPARTURE_SECONDS="3").wait_until_up()


@dataclass
class Walk:
    """Somebody at a keyboard; what they press, choose and type is counted."""

    page: Page
    done: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def press(self, role: str, name: str | re.Pattern[str]) -> None:
        found = self.page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
        found.first.press("Enter")
        self.done.append(f"press {name}")

    def type(self, name: str, text: str) -> None:
        self.page.get_by_label(name, exact=True).fill(text)
        self.done.append(f"type {name}")

    def choose(self, where: Locator, value: str) -> None:
        if where.get_attribute("type") in ("checkbox", "radio"):
            where.press("Space")
        else:
            where.select_option(label=value)
        self.done.append(f"choose {value}")

    def see(self, heading: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    def picture(self, name: str) -> None:
        """Take a picture that needs little room: few colours are in a page."""
        STORY.mkdir(parents=True, exist_ok=True)
        file = STORY / f"{name}.png"
        self.page.screenshot(path=file, animations="disabled")
        with Image.open(file) as taken:
            taken.convert("RGB").quantize(128).save(file, optimize=True)


def people() -> bytes:
    rows = [
        f"{NAMES[number % 12].lower()}.{number:03}@readers.example,{NAMES[number % 12]},"
        f"{CITIES[number % 5]}"
        for number in range(PEOPLE)
    ]
    return "\n".join(["email,first_name,city", *rows, "not-an-address,Gus,Lisbon"]).encode()


def test_a_file_of_people_becomes_a_campaign_that_is_sent_and_read(
    machine: Run, browser: Browser
) -> None:
    site = machine.find(r"Application +(http://localhost:\d+)/")
    context = browser.new_context(locale="en", viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(15_000)
    visit, walk = watched(page, site), Walk(page)
    visit.open("/")

    walk.type("User name or email address", "admin")
    walk.type("Password", machine.find(r"Log in as +admin / (\S+) "))
    walk.press("button", "Sign in")
    walk.see("Dashboard")

    walk.press("link", "Imports")
    walk.press("link", "Import recipients")
    file = FilePayload(name="readers.csv", mimeType="text/csv", buffer=people())
    page.get_by_label("File").set_input_files(file)
    walk.done.append("choose readers.csv")
    walk.press("button", "Look at the file")
    walk.see("readers.csv")
    walk.picture("import")
    walk.type("Or a new list (optional)", "Readers")
    page.get_by_label("Or a new list (optional)").press("Enter")
    walk.done.append("press Check the file")
    expect(page.get_by_text("Rows that are not imported: 1")).to_be_visible()
    walk.press("button", "Import")
    expect(page.get_by_role("link", name="Undo the import…")).to_be_visible()

    walk.press("link", "Templates")
    walk.press("link", "New template")
    walk.see("New template")
    page.wait_for_load_state("networkidle")
    walk.picture("gallery")
    walk.press("button", "Create Newsletter")
    walk.see("Newsletter")
    expect(page.frame_locator("#live-frame").get_by_text("Read the whole story")).to_be_visible()

    walk.press("link", "Campaigns")
    walk.press("link", "New campaign")
    walk.type("Name", "Spring news")
    walk.choose(page.get_by_label("Template"), "Newsletter")
    walk.press("button", "Save and continue")
    walk.see("Audience")
    walk.choose(page.get_by_role("checkbox", name="Readers", exact=True).first, "Readers")
    expect(page.locator("#sum")).to_contain_text(f"{PEOPLE} would receive it")
    walk.press("button", "Save and continue")
    walk.choose(page.get_by_role("radio", name="As soon as it is confirmed"), "at once")
    walk.press("button", "Save and continue")
    walk.see("Check")
    walk.press("link", "Continue")
    expect(page.get_by_text(f"{PEOPLE} people will receive it")).to_be_visible()
    walk.picture("confirm")
    walk.press("button", f"Send to {PEOPLE} people")
    walk.see("Spring news")

    walk.press("link", "Dashboard")
    expect(page.get_by_text(re.compile(rf"\d+ of {PEOPLE}")).first).to_be_visible()
    walk.picture("start")
    walk.press("link", "Spring news")
    expect(page.get_by_text("Rate now")).to_be_visible()
    walk.picture("run")
    expect(page.get_by_text(f"{PEOPLE} of {PEOPLE} have an outcome · 100 %")).to_be_visible()
    expect(page).to_have_title(re.compile("^Finished: Spring news"))
    walk.press("link", "Report")
    walk.see(re.compile("Spring news"))
    report = page.inner_text("main")
    context.close()

    print(f"{len(walk.done)} keys and words, {time.monotonic() - walk.began:.0f} seconds")
    assert re.search(rf"Sent\s+{PEOPLE}\s+100.0 % of the audience", report)
    assert len(walk.done) <= MOST_STEPS
    assert visit.wrong == []
