"""What is asked of a page that is open; each answer is a list of what is wrong."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

DESK: ViewportSize = {"width": 1280, "height": 800}
TELEPHONE: ViewportSize = {"width": 320, "height": 700}
PAPER: ViewportSize = {"width": 718, "height": 1047}  # A4 without the margins of 1 cm

AXE: str = Axe().axe_script
# The menu and the hundreds of time zones are the same on each page: once is enough.
_SAME = [".rail", "[name=time_zone] option"]
_OPTIONS = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
    # Messages in frames are their authors'; axe would wait for an answer of each.
    "iframes": False,
    "preload": False,
}
_BY_NIGHT = {**_OPTIONS, "runOnly": {"type": "rule", "values": ["color-contrast"]}}
_ASK_AXE = """async ([all, byNight, same]) => {
  const root = document.documentElement, theme = root.dataset.theme;
  const context = { exclude: same.map((each) => [each]) };
  const told = ({ violations }) => violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target} ${node.failureSummary}`));
  const found = told(await axe.run(context, all));
  root.dataset.theme = "dark";
  found.push(...told(await axe.run(context, byNight)).map((each) => `by night: ${each}`));
  if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
  return found;
}"""

# What comes to move after it was there (Layout Instability): a sum, from the beginning of the page.
SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) window.shifted += each.value;
}).observe({ type: "layout-shift", buffered: true });
"""
_MOVING = """[...document.querySelectorAll('*')].filter((each) => {
  const style = getComputedStyle(each);
  return [style.animationDuration, style.transitionDuration].some((all) =>
    all.split(',').some((one) => parseFloat(one) > 0.001));
}).map((each) => `moves: ${each.outerHTML.slice(0, 80)}`)"""
# WCAG 1.4.12, and text at twice its size.
_SPACED = """
html { font-size: 200% !important; }
* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; }
p { margin-bottom: 2em !important; }
"""
_SPACE_OUT = """(css) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets.push(sheet);
}"""
# Each that the tab key comes to, in its order: is its focus marked, and does nothing lie upon it?
_FOCUS = """() => {
  const wrong = [];
  const found = document.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [tabindex="0"]');
  for (const it of found) {
    if (it.tabIndex < 0 || it.disabled || !it.checkVisibility()) continue;
    it.focus({ focusVisible: true });
    if (document.activeElement !== it) continue;
    const style = getComputedStyle(it), [box] = it.getClientRects();  // the first of its lines
    const x = Math.min(Math.max(box.x + box.width / 2, 0), innerWidth - 1);
    const y = Math.min(Math.max(box.y + box.height / 2, 0), innerHeight - 1);
    const top = document.elementFromPoint(x, y);
    const isSeen = top && (it.contains(top) || top.contains(it));
    const isMarked = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    if (!isSeen) wrong.push(`hidden: ${it.outerHTML.slice(0, 100)}`);
    if (!isMarked) wrong.push(`not marked: ${it.outerHTML.slice(0, 100)}`);
  }
  document.activeElement.blur();
  scrollTo(0, 0);
  return wrong;
}"""
# No number that a machine reads is grouped, or has a comma, as people write it.
_MACHINE = r"""[...document.querySelectorAll('*')].flatMap((each) =>
  ['href', 'src', 'action', 'id', 'for', 'd', 'points', 'x', 'y', 'cx', 'width', 'height', 'max',
   'hx-get', 'hx-post']
    .concat(each.matches('progress, option, [type=hidden], [type=number]') ? ['value'] : [])
    .filter((name) => /\d\.\d{3}(?!\d)|\d,\d/.test(each.getAttribute(name) ?? ''))
    .map((name) => `${name}=${each.getAttribute(name)}`))"""
_CLIPPED = """[...document.querySelectorAll('main :not(input)')].filter((each) => {
  const style = getComputedStyle(each);
  return ['hidden', 'clip'].includes(style.overflowX) && each.scrollWidth > each.clientWidth + 1
    && !each.classList.contains('sr-only');
}).map((each) => `cut off: ${each.outerHTML.slice(0, 100)}`)"""
_PRINTED = """() => {
  const wrong = [];
  const sheet = getComputedStyle(document.body).backgroundColor;
  const ink = getComputedStyle(document.body).color;
  const bright = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).reduce((a, b) => a + +b, 0) / 3;
  if (bright(ink) > 110) wrong.push(`light text on paper: ${ink} on ${sheet}`);
  for (const each of document.querySelectorAll('.rail, .skip, button, .buttons, .tabs, .filters')) {
    if (each.checkVisibility()) wrong.push(`on paper: ${each.outerHTML.slice(0, 80)}`);
  }
  for (const each of document.querySelectorAll('details')) {
    const inside = each.querySelector(':scope > :not(summary)');
    if (inside && !inside.checkVisibility()) wrong.push(`closed: ${each.innerText.slice(0, 80)}`);
  }
  return wrong;
}"""


_ASK_ALL = f"""async (options) => ({{
  axe: await ({_ASK_AXE})(options),
  focus: ({_FOCUS})(),
  headings: document.querySelectorAll('h1').length === 1 ? [] : ['not one h1'],
  motion: {_MOVING},
  numbers: {_MACHINE},
  shift: shifted > 0.1 ? [`moved by ${{shifted}}`] : [],
}})"""


def axe(page: Page) -> list[str]:
    """Return what axe-core finds by WCAG 2.2 AA, with the contrast of colours by day and night."""
    page.evaluate(AXE)
    found: list[str] = page.evaluate(_ASK_AXE, [_OPTIONS, _BY_NIGHT, []])
    return found


def at_a_desk(page: Page, *, with_menu: bool = False) -> dict[str, list[str]]:
    """Return what is wrong, by what was asked; where `SHIFTS` counts."""
    page.evaluate(AXE)
    same = [] if with_menu else _SAME
    found: dict[str, list[str]] = page.evaluate(_ASK_ALL, [_OPTIONS, _BY_NIGHT, same])
    return found


def overflow(page: Page) -> list[str]:
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [f"wider than the window by {wider}"] if wider > 0 else []


def on_a_telephone(page: Page) -> list[str]:
    page.set_viewport_size(TELEPHONE)
    return overflow(page)


def on_paper(page: Page) -> list[str]:
    """Return what is wrong on a sheet of paper, in the narrower of the two common sizes."""
    page.emulate_media(media="print")
    page.set_viewport_size(PAPER)
    found: list[str] = page.evaluate(_PRINTED) + overflow(page)
    page.emulate_media(media="screen")
    return found


def spaced_out(page: Page) -> list[str]:
    """Return what does not fit, with text twice as large and wide apart; the page stays so."""
    page.set_viewport_size(DESK)
    page.evaluate(_SPACE_OUT, _SPACED)
    found: list[str] = overflow(page) + page.evaluate(_CLIPPED)
    return found
