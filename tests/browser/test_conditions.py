"""Pages as people need them: other spacing, no motion, few colours, a keyboard, few bytes."""

import gzip
from collections import Counter

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, Response, expect

from config.accounts.models import Profile
from tests.browser.conftest import Visit, sign_in
from tests.browser.test_pages import AXE, draft, ended, violations
from tests.factories import make_list, make_recipients

# WCAG 1.4.12, and text at twice its size.
SPACED = """
html { font-size: 200% !important; }
* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; }
p { margin-bottom: 2em !important; }
"""
MOVING = """[...document.querySelectorAll('*')].filter((each) => {
  const style = getComputedStyle(each);
  return [style.animationDuration, style.transitionDuration].some((all) =>
    all.split(',').some((one) => parseFloat(one) > 0.001));
}).length"""
# What has the focus: whether it can be seen that it has, and whether something lies upon it.
FOCUS = """async () => {
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  const it = document.activeElement;
  if (it === document.body) return null;
  const style = getComputedStyle(it), box = it.getBoundingClientRect();
  const x = Math.min(Math.max(box.x + box.width / 2, 0), innerWidth - 1);
  const y = Math.min(Math.max(box.y + box.height / 2, 0), innerHeight - 1);
  const top = document.elementFromPoint(x, y);
  const isSeen = top && (it.contains(top) || top.contains(it));
  const isMarked = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  const name = it.outerHTML.slice(0, 100);
  return [name, isSeen ? '' : 'hidden', isMarked ? '' : 'not marked'].filter(Boolean);
}"""
MACHINE = """[...document.querySelectorAll('*')].flatMap((each) =>
  ['href', 'src', 'action', 'id', 'for', 'd', 'points', 'x', 'width', 'max', 'hx-get', 'hx-post']
    .filter((name) => /\\\\d\\\\.\\\\d{3}(?!\\\\d)|\\\\d,\\\\d/.test(each.getAttribute(name) ?? ''))
    .map((name) => `${name}=${each.getAttribute(name)}`))"""


@pytest.fixture
def addresses(visit: Visit) -> list[str]:
    """Pages of each kind: a list, a step, a run, a report, an editor, a form."""
    run, people = ended(), make_recipients(55, mailing_list=make_list("All"), prefix="a")
    campaign = run.campaign_id
    return [
        "/",
        "/campaigns/",
        f"/campaigns/{campaign}/",
        f"/runs/{run.pk}/",
        f"/runs/{run.pk}/report/",
        f"/ledger/?run={run.pk}",
        "/recipients/",
        f"/recipients/{people[0].pk}/",
        "/templates/new/",
        "/senders/new/",
    ]


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def test_text_may_be_larger_and_wider_apart_and_nothing_moves(
    visit: Visit, addresses: list[str]
) -> None:
    page, found = visit.page, {}
    page.emulate_media(reduced_motion="reduce")

    for address in addresses:
        page.set_viewport_size({"width": 1280, "height": 900})
        visit.open(address)
        moving = page.evaluate(MOVING)
        page.evaluate("""(css) => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(css);
          document.adoptedStyleSheets.push(sheet);
        }""", SPACED)  # fmt: skip
        found[address] = (moving, max(0, overflow(page)))

    assert found == dict.fromkeys(addresses, (0, 0))


def test_fifty_rows_are_for_everybody_and_states_are_told_apart_without_colours(
    visit: Visit, addresses: list[str]
) -> None:
    page = visit.page
    visit.open("/recipients/")
    rows, faults = page.locator("tbody tr").count(), violations(visit, AXE)

    page.emulate_media(forced_colors="active")
    visit.open(addresses[3])
    states = page.locator(".state")
    bordered = states.evaluate_all("all => all.map(e => getComputedStyle(e).borderTopStyle)")

    assert (rows, faults) == (50, [])
    assert set(bordered) == {"solid"}
    assert all(text.strip() for text in states.all_inner_texts())


@pytest.mark.parametrize("size", [(1280, 700), (320, 568)], ids=["desk", "telephone"])
def test_what_has_the_focus_is_marked_and_nothing_lies_upon_it(
    visit: Visit, addresses: list[str], size: tuple[int, int]
) -> None:
    page, found = visit.page, []
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(reduced_motion="reduce")  # or what moves away still lies there

    for address in (addresses[3], "/recipients/", "/senders/new/"):
        visit.open(address)
        page.wait_for_function("document.hasFocus()")
        for stop in range(70):
            page.keyboard.press("Tab")
            said = page.evaluate(FOCUS)
            if said is None or (stop and "skip" in said[0]):  # round once
                break
            found += [(address, said)] if len(said) > 1 else []

    assert found == []


@pytest.mark.parametrize("address", ["/campaigns/new/", "/senders/new/", "/imports/new/"])
def test_a_form_that_was_refused_is_read_from_its_errors_on(visit: Visit, address: str) -> None:
    page = visit.page
    visit.open(address)

    with page.expect_navigation() as sent:
        page.locator("main form button").first.press("Enter")

    expect(page.locator(".errors")).to_be_focused()
    assert sent.value.status == 422
    assert page.title().startswith("Error")
    assert violations(visit, AXE) == []
    assert all("422" in each for each in visit.wrong)
    visit.wrong.clear()


def test_the_first_page_is_small(visit: Visit) -> None:
    draft()
    answers: list[Response] = []
    visit.page.on("response", lambda answer: answers.append(answer))

    visit.open("/")

    sizes: Counter[str] = Counter()
    for answer in answers:
        kind = answer.request.resource_type
        sizes[kind] += len(gzip.compress(answer.body(), 9))
    print(dict(sizes))
    assert sum(sizes.values()) <= 60_000
    assert sizes["stylesheet"] <= 20_000
    assert sizes["script"] <= 20_000


def test_in_vietnamese_no_number_that_a_machine_reads_is_grouped(
    visit: Visit, addresses: list[str]
) -> None:
    Profile.objects.update_or_create(user=User.objects.get(), defaults={"language": "vi"})
    sign_in(visit.page.context, User.objects.get(), visit.site)
    found = {}

    for address in addresses:
        visit.open(address)
        found[address] = visit.page.evaluate(MACHINE)
        assert visit.page.locator("html").get_attribute("lang") == "vi"

    assert found == {address: [] for address in addresses}
