"""The gallery: what marketers begin with is sound, small, and readable in each light."""

import re
from typing import Any

import pytest

from templates_app.compiling import Compilation, Library, compile_draft
from templates_app.gallery import STARTERS, NoStarter, Starter, bundle_of, starter
from templates_app.models import EmailTemplate, Snippet
from templates_app.moving import Clash, import_template
from templates_app.rendering import compile_content

CLIPPED = 102_000  # bytes of HTML of which Gmail shows no more
# What every message has, whoever gets it.
NOBODY: dict[str, Any] = {
    "email": "ada@example.org",
    "unsubscribe_url": "https://x.example/u",
    "preferences_url": "https://x.example/p",
    "view_url": "https://x.example/v",
    "campaign_name": "Spring",
    "list_name": "Readers",
    "sender_name": "Northwind",
}
LONG = "Wolfeschlegelsteinhausenbergerdorff <&> " * 5
SOMEBODY = NOBODY | {
    "first_name": LONG,
    "sender_address": LONG,
    "order_number": LONG,
    "order_date": LONG,
    "total": LONG,
    "delivery": LONG,
    # As a cell of an import has them.
    "products": "; ".join([" | ".join([LONG] * 3)] * 20),
    "articles": "\n".join([f"{LONG} | https://x.example | {LONG} | {LONG}"] * 20),
}
every_starter = pytest.mark.parametrize("chosen", STARTERS, ids=lambda each: each.slug)


def compiled(chosen: Starter) -> Compilation:
    bundle = bundle_of(chosen, name=str(chosen.title))
    library = Library(bundle.snippets, bundle.layouts)
    return compile_draft(bundle.draft, library=library, known=())


@every_starter
def test_a_starter_compiles_without_problems_or_warnings(chosen: Starter) -> None:
    found = compiled(chosen)

    assert (found.problems, found.warnings) == ([], [])


@every_starter
@pytest.mark.parametrize("fields", [NOBODY, SOMEBODY], ids=["no fields", "long fields"])
def test_a_starter_says_something_to_everybody_and_is_not_clipped(
    chosen: Starter, fields: dict[str, Any]
) -> None:
    [content] = compiled(chosen).contents
    template = compile_content(subject=content.subject, html=content.html, text=content.text)

    rendered = template.render(fields)

    assert rendered.subject
    assert len(rendered.html.encode()) < CLIPPED
    for needed in ("unsubscribe_url", "preferences_url", "view_url"):
        assert fields[needed] in rendered.html
        assert fields[needed] in rendered.text
    assert fields.get("sender_address", "").strip() in rendered.text
    assert "<&>" not in rendered.html
    if chosen.slug in {"receipt", "products", "digest"} and fields is SOMEBODY:
        assert rendered.text.count(LONG.strip()) >= 60


@every_starter
def test_a_starter_loads_nothing_and_knows_the_dark(chosen: Starter) -> None:
    [content] = compiled(chosen).contents

    assert not re.search(r"<img|url\(|@import|<link", content.html)
    assert 'name="color-scheme" content="light dark"' in content.html
    assert "@media (prefers-color-scheme: dark)" in content.html
    assert "@media (max-width: 480px)" in content.html
    assert chosen.preheader in content.html


# What stands on what, in each of the two: text of normal size needs 4.5 (WCAG 2.2, 1.4.3).
PAIRS = {
    "newsletter": "161d22/ffffff ad1457/ffffff 55626b/ffffff 55626b/e6ebed ad1457/e6ebed "
    "161d22/fbe4ec 5c4450/fbe4ec edf2f4/1a2329 a5b3bb/1a2329 a5b3bb/10161a ff8fb8/1a2329 "
    "edf2f4/3a1c2b a5b3bb/3a1c2b",
    "announcement": "17241d/ffffff 0f5c3f/ffffff 4c5c53/e7eeea 0f5c3f/e7eeea c7e6d5/0b4a32 "
    "ffffff/0b4a32 1c2a12/ffd23f e8f1ec/15211b 7fd6ac/15211b a3b5ab/0c1410",
    "invitation": "2a1830/ffffff 8c1d5a/ffffff 66566b/f0e9f2 ecd3f2/3d1449 2a1020/ff9d7a "
    "ffffff/8c1d5a f3eaf5/211626 ff9ecb/211626 b7a6bc/140c17",
    "receipt": "152426/ffffff 52646a/ffffff 52646a/e9efef 0c6062/e9efef ffffff/0c6062 "
    "e6efef/172224 a2b4b6/172224 a2b4b6/0d1516 74cfcb/0d1516 08292a/74cfcb",
    "digest": "1b1b1e/ffffff 5a5a61/ffffff 5a5a61/ececef 1b1b1e/f5b700 ffffff/1b1b1e "
    "f2f2f4/1b1b1f adadb6/1b1b1f adadb6/0f0f11",
    "products": "221d2b/ffffff 5d5767/ffffff 5d5767/efedf2 b3261e/efedf2 ffffff/b3261e "
    "f0edf4/1e1b24 b1aaba/1e1b24 b1aaba/121016 ff9a8f/121016 2b0a07/ff9a8f",
    "letter": "1d2126/ffffff 7a4a00/ffffff 595f66/ffffff e9e6e1/15171a a9adb3/15171a f0b95b/15171a",
}


@every_starter
def test_text_can_be_read_on_what_it_stands_on(chosen: Starter) -> None:
    [content] = compiled(chosen).contents

    for pair in PAIRS[chosen.slug].split():
        ink, paper = pair.split("/")
        assert f"#{ink}" in content.html
        assert f"#{paper}" in content.html
        assert contrast(ink, paper) >= 4.5, pair


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.django_db
def test_all_of_the_gallery_can_be_had_and_shares_its_snippets() -> None:
    for each in STARTERS:
        import_template(bundle_of(each, name=str(each.title)), clash=Clash.MINE)

    assert EmailTemplate.objects.count() == len(STARTERS) >= 6
    names = Snippet.objects.order_by("name").values_list("name", flat=True)
    assert list(names) == ["footer", "header", "product-row"]


def test_what_the_gallery_has_not_is_refused_with_what_it_has() -> None:
    with pytest.raises(NoStarter, match="no 'nothing'; there are newsletter, announcement"):
        starter("nothing")
