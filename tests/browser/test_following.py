"""Pages that follow by themselves: what they ask for, what they say, what they leave alone."""

from datetime import datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, Response, expect

from campaigns.models import Run, RunStatus
from tests.browser.conftest import Visit
from tests.browser.looking import SHIFTS
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tests.live import wait_until
from tracking.models import RunCounters

START = datetime(2026, 12, 4, 9, 0)  # noqa: DTZ001  (the browser has a zone of its own)
HIDE = """(is) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => is });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


OPEN = """
window.open = new Set();
window.addEventListener("htmx:before:request", (event) => {
  if (!event.defaultPrevented) window.open.add(event.detail.ctx);
});
window.addEventListener("htmx:finally:request", (event) => window.open.delete(event.detail.ctx));
"""


class Polls:
    """What a page has asked for, and what came of it; its clock goes as it is told to."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.statuses: list[int] = []
        page.on("response", self._note)

    def _note(self, response: Response) -> None:
        if "/-/now/" in response.url:
            self.statuses.append(response.status)

    def after(self, seconds: int) -> list[int]:
        """Let so much time go by, and return how each question that was asked meanwhile ended."""
        before = len(self.statuses)
        for _ in range(seconds):
            self.page.clock.run_for(1_000)
            wait_until(self._has_its_answer, "the page has its answer")
        return self.statuses[before:]

    def _has_its_answer(self) -> bool:
        is_there = bool(self.page.evaluate("window.open.size === 0"))
        if not is_there:
            self.page.clock.run_for(1)
        return is_there


@pytest.fixture
def run(visit: Visit) -> Run:
    readers = make_list()
    make_recipients(8, mailing_list=readers)
    return make_run(make_campaign("Spring", lists=[readers]))


@pytest.fixture
def polls(visit: Visit, run: Run) -> Polls:
    page = visit.page
    page.add_init_script(OPEN)
    page.clock.install(time=START)
    visit.open(f"/runs/{run.pk}/")
    page.clock.pause_at(START + timedelta(hours=1))
    page.keyboard.press("Shift")  # somebody is there
    found = Polls(page)
    found.after(3)
    return found


def has_sent(run: Run, count: int) -> None:
    RunCounters.objects.filter(run=run).update(sent=count, queued=8 - count)


def aloud(page: Page) -> str:
    return page.locator("#say").inner_text()


def test_a_page_that_nobody_looks_at_asks_for_nothing_and_once_when_somebody_does(
    visit: Visit, polls: Polls
) -> None:
    seen = polls.after(3)

    visit.page.evaluate(HIDE, True)
    hidden = polls.after(12)
    visit.page.evaluate(HIDE, False)
    back = polls.after(1)

    assert (len(seen), hidden, len(back)) == (1, [], 1)


def test_what_has_not_changed_is_not_sent_again_and_what_has_ended_is_not_asked_for(
    polls: Polls, run: Run
) -> None:
    first = polls.after(9)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.CANCELLED)
    RunCounters.objects.filter(run=run).update(queued=0, cancelled=8)
    last = polls.after(3)

    assert first == [304, 304, 304]
    assert last == [200]
    assert polls.after(12) == []


def test_a_server_that_fails_is_said_with_the_time_of_what_is_shown(
    visit: Visit, polls: Polls
) -> None:
    page = visit.page
    page.route("**/-/now/", lambda route: route.fulfill(status=500, body="<h1>Broken</h1>"))

    polls.after(3)
    shouted = page.locator("#shout")
    expect(shouted).to_contain_text("The server does not answer")
    expect(shouted).to_contain_text(":")
    assert page.locator("h1").inner_text() == "Spring"
    page.unroute("**/-/now/")

    assert 304 in polls.after(9)
    expect(shouted).to_be_empty()
    assert {each.split(":")[0] for each in visit.wrong} == {"console"}
    visit.wrong.clear()


def test_who_is_signed_out_is_led_to_the_door(visit: Visit, polls: Polls, run: Run) -> None:
    Session.objects.all().delete()

    with visit.page.expect_navigation(url="**/account/login/?next=*"):
        visit.page.clock.run_for(3_000)

    assert visit.page.url.endswith(f"?next=%2Fruns%2F{run.pk}%2F")
    visit.wrong.clear()  # 401


def test_a_quarter_is_said_aloud_once_and_nothing_moves(
    visit: Visit, polls: Polls, run: Run
) -> None:
    page = visit.page
    page.evaluate(SHIFTS)
    polls.after(3)
    page.get_by_role("link", name="Pause").focus()
    page.evaluate("scrollTo(0, 50)")
    said: list[str] = []

    for count in (1, 2, 3, 4, 5):
        has_sent(run, count)
        polls.after(3)
        said.append(aloud(page))

    assert said == [
        "Sending.",
        "25 percent have an outcome.",
        "25 percent have an outcome.",
        "50 percent have an outcome.",
        "50 percent have an outcome.",
    ]
    expect(page.get_by_role("link", name="Pause")).to_be_focused()
    assert page.evaluate("scrollY") == 50
    assert page.evaluate("shifted") < 0.01  # a figure may get a digit more
    assert page.title().startswith("Sending 62 %: Spring")


def test_a_part_of_a_page_that_is_opened_by_itself_leads_to_the_page(
    visit: Visit, run: Run
) -> None:
    visit.open(f"/runs/{run.pk}/-/now/")

    assert visit.page.url == f"{visit.site}/runs/{run.pk}/"
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Spring")


def test_going_back_comes_to_a_whole_page_with_the_same_filter(visit: Visit, run: Run) -> None:
    page = visit.page
    visit.open("/recipients/?q=r000")
    page.locator("tbody a").first.click()
    page.wait_for_url("**/recipients/*/")

    page.go_back()

    expect(page.get_by_role("heading", level=1)).to_have_text("Recipients")
    expect(page.locator("#filter-q")).to_have_value("r000")
    assert page.url.endswith("?q=r000")
