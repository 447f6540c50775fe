"""Pages as people need them: few colours, a keyboard, few bytes."""

import gzip
from collections import Counter

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Response

from config.accounts.models import Profile
from tests.browser.conftest import Visit, sign_in
from tests.browser.stage import draft, ended, readers

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


def test_who_has_chosen_dark_sees_it_dark_whatever_the_system_is(visit: Visit) -> None:
    page, root = visit.page, User.objects.get()
    seen = []

    for theme, system in (("dark", "light"), ("light", "dark"), ("", "dark")):
        Profile.objects.update_or_create(user=root, defaults={"theme": theme})
        sign_in(page.context, root, visit.site)
        page.emulate_media(color_scheme=system)  # type: ignore[arg-type]
        visit.open("/account/")
        seen.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert seen == ["rgb(18, 24, 27)", "rgb(247, 246, 243)", "rgb(18, 24, 27)"]


def test_states_are_told_apart_without_colours(visit: Visit) -> None:
    page, run = visit.page, ended()
    page.emulate_media(forced_colors="active")

    visit.open(f"/runs/{run.pk}/")

    states = page.locator(".state")
    bordered = states.evaluate_all("all => all.map(e => getComputedStyle(e).borderTopStyle)")
    assert set(bordered) == {"solid"}
    assert all(text.strip() for text in states.all_inner_texts())


@pytest.mark.parametrize("size", [(1280, 700), (320, 568)], ids=["desk", "telephone"])
def test_the_tab_key_comes_round_and_what_it_comes_to_is_seen(
    visit: Visit, size: tuple[int, int]
) -> None:
    readers(55)
    page, found = visit.page, []
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(reduced_motion="reduce")  # what slides in is there at once

    visit.open("/recipients/")
    page.wait_for_function("document.hasFocus()")
    for stop in range(150):
        page.keyboard.press("Tab")
        said = page.evaluate(FOCUS)
        if said is None or (stop and "skip" in said[0]):  # round once
            break
        found += [said] if len(said) > 1 else []
    else:
        found.append(["it does not come round"])

    assert found == []


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
