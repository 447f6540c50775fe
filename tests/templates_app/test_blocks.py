"""Templates as ordered blocks: what is composed is MJML, and can be taken apart again."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app import gallery
from templates_app.blocks import BLANK, Block, BlockKind, NoBody, compose, mjml_of, parse
from templates_app.compiling import compile_draft
from templates_app.compiling.library import Library
from templates_app.drafts import Draft, Written
from templates_app.models import Kind

STARTERS = sorted(Path(gallery.__file__).parent.glob("*.mjml"))
TEXTS = [
    "Plain",
    "**Bold** and *italic* and ***both***",
    "[A link](https://example.org/?a=1&b=2) & <not a tag>",
    'Dear {{ first_name | default("you") }}, **{{ city }}**\nnext line\n\nnext paragraph',
    "[Yours](https://example.org/{{ id }}?x={{ y | default('<') }})",
    "{% if city == 'Nome' %}North{% else %}*South*{% endif %}",
    r"\*no\* emphasis_here_ [no link] 5 * 3 \\ `code` ![no image](x)",
    "1. no list\n# no heading\n> no quote",
]


def bare(text: str) -> str:
    """Return a text without its blanks, which are all that composing may change."""
    return "".join(text.split())


@pytest.mark.parametrize("path", STARTERS, ids=lambda path: path.stem)
def test_a_starter_is_taken_apart_and_put_together_without_loss(path: Path) -> None:
    source = path.read_text()

    document = parse(source)
    again = compose(document)

    assert len(document.blocks) > 3
    assert bare(again) == bare(source)
    assert (parse(again), compose(parse(again))) == (document, again)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("kind", [BlockKind.HEADING, BlockKind.TEXT, BlockKind.BUTTON])
def test_a_text_is_recognised_again(kind: BlockKind, text: str) -> None:
    made = mjml_of(Block(kind, text=text, url="https://example.org/?a=1&b={{ c }}"))

    [block] = parse(compose(replace(BLANK, blocks=(Block(BlockKind.RAW, text=made),)))).blocks

    assert block.kind == kind
    assert mjml_of(block) == made


BLOCKS = (
    Block(BlockKind.HEADING, text="Dear {{ first_name | default('you') }}"),
    Block(BlockKind.TEXT, text="One **bold**\n\nTwo *italic*, [three](https://example.org/)"),
    Block(BlockKind.BUTTON, text="Go", url="https://example.org/go"),
    Block(BlockKind.IMAGE, source="https://example.org/a.png", alt='A "bird"'),
    Block(BlockKind.IMAGE, source="https://example.org/a.png", url="https://example.org/"),
    Block(BlockKind.COLUMNS, text="Left", right="Right"),
    Block(BlockKind.DIVIDER),
    Block(BlockKind.RAW, text="<mj-section><mj-column><mj-spacer /></mj-column></mj-section>"),
)


def test_each_kind_of_block_comes_back_as_it_was() -> None:
    assert parse(compose(replace(BLANK, blocks=BLOCKS))).blocks == BLOCKS


def test_what_is_composed_is_what_the_sender_compiles() -> None:
    source = compose(replace(BLANK, blocks=BLOCKS))

    compiled = compile_draft(
        Draft(Kind.MJML, (Written("News", source),)),
        library=Library({}, {}, lambda _path: None),
        known={"first_name"},
    )

    [content] = compiled.contents
    assert compiled.problems == []
    assert "<strong>bold</strong>" in content.html
    assert 'href="https://example.org/go"' in content.html
    assert "Dear {{ first_name | default('you') }}" in content.html


def test_markup_that_somebody_types_into_a_text_is_text() -> None:
    made = mjml_of(Block(BlockKind.TEXT, text="<script>x</script></mj-text>[x](javascript:x)"))

    assert "<script" not in made
    assert made.count("</mj-text>") == 1
    assert "href" not in made


@pytest.mark.parametrize("source", ["", "<mjml></mjml>", "<mj-body/>", "</mj-body><mj-body>"])
def test_what_has_no_body_has_no_blocks(source: str) -> None:
    with pytest.raises(NoBody):
        parse(source)


@pytest.mark.parametrize(
    "inner",
    ["</mj-section>", "<mj-section>", "text", "<!-- a --><!-- b -->", '{% include "a" %}', "<b>"],
)
def test_what_is_broken_is_kept_as_it_is(inner: str) -> None:
    source = f"<mjml><mj-body>{inner}</mj-body></mjml>"

    assert bare(compose(parse(source))) == bare(source)


_text = st.text(st.sampled_from("ab *_[]()\\<>&\"'`!{}%\n#~é\u00a0"), max_size=30)
_blocks = st.builds(
    Block,
    st.sampled_from([kind for kind in BlockKind if kind is not BlockKind.RAW]),
    text=_text,
    right=_text,
    url=_text,
    source=_text,
    alt=_text,
)


@given(st.lists(_blocks, max_size=4), _text)
def test_whatever_is_composed_is_put_together_again_the_same(blocks: list[Block], raw: str) -> None:
    written = replace(BLANK, blocks=(*blocks, Block(BlockKind.RAW, text=f"<mj-raw>{raw}</mj-raw>")))
    source = compose(written)

    assert bare(compose(parse(source))) == bare(source)
