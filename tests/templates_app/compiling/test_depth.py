"""Elements inside elements without end: refused, for what reads them would take its stack."""

import pytest

from templates_app.compiling import Library, compile_draft
from templates_app.compiling.depth import DEEPEST
from templates_app.drafts import Draft, Written
from templates_app.models import Kind


def problems(kind: Kind, source: str) -> list[str]:
    found = compile_draft(Draft(kind, (Written("s", source),)), library=Library()).problems
    return [str(problem) for problem in found]


@pytest.mark.parametrize(("deep", "fits"), [(DEEPEST, True), (DEEPEST + 1, False), (50_000, False)])
@pytest.mark.parametrize("kind", [Kind.HTML, Kind.MARKDOWN])
def test_elements_are_open_inside_256_others_at_most(kind: Kind, deep: int, fits: bool) -> None:
    found = problems(kind, "<p>x</p>\n" + "<b>" * deep + "x" + "</b>" * deep)

    message = "source, line 2: <b> stands inside 256 others that are open; close them"
    assert found == ([] if fits else [message])


def test_mjml_is_not_read_where_it_is_too_deep() -> None:
    inner = "<mj-wrapper>" * 9_000 + "</mj-wrapper>" * 9_000

    [problem] = problems(Kind.MJML, f"<mjml>\n<mj-body>\n{inner}</mj-body></mjml>")

    assert problem.startswith("source, line 3: <mj-wrapper> stands inside 256 others")


def test_paragraphs_and_items_that_are_not_closed_are_not_inside_one_another() -> None:
    assert problems(Kind.HTML, "<ul>" + "<li>x<p>y" * 1_000 + "</ul>" + "<br>" * 1_000) == []
