"""Languages that are written from the right."""

import pytest

from templates_app.compiling import Library, compile_draft
from templates_app.drafts import Draft, Written
from templates_app.models import Kind

MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>x {{ a }}</mj-text></mj-column></mj-section>"
    "</mj-body></mjml>"
)


def compiled(kind: Kind, source: str, language: str) -> str:
    draft = Draft(kind, (Written("s", source, language=language),))
    return compile_draft(draft, library=Library()).contents[0].html


@pytest.mark.parametrize("language", ["ar", "he-IL", "FA", "ur", "pa-Arab"])
@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (Kind.MJML, MJML),
        (Kind.HTML, "<html><body><p>x {{ a }}</p></body></html>"),
        (Kind.HTML, "<p>x {{ a }}</p>"),
        (Kind.MARKDOWN, "x {{ a }}"),
    ],
    ids=["MJML", "document", "fragment", "Markdown"],
)
def test_all_that_a_web_mail_leaves_says_that_it_begins_at_the_right(
    kind: Kind, source: str, language: str
) -> None:
    html = compiled(kind, source, language)

    before, _, _ = html.partition("{{ a }}")
    assert 'dir="rtl"' in before[before.find("<body") if "<body" in before else 0 :]
    assert f'lang="{language}"' in before
    assert 'dir="ltr"' not in html
    assert not set(html) & set("\u202a\u202b\u202c\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize("language", ["en", "", "ar-Latn"])
def test_what_begins_at_the_left_does_not(language: str) -> None:
    for kind, source in ((Kind.MJML, MJML), (Kind.HTML, "<p>x</p>"), (Kind.MARKDOWN, "x")):
        assert 'dir="rtl"' not in compiled(kind, source, language).partition("<body")[2]


def test_a_language_that_the_author_has_written_stays() -> None:
    html = compiled(Kind.HTML, '<html><body lang="ar-EG">x</body></html>', "ar")

    assert '<body dir="rtl" lang="ar-EG">' in html


def test_a_direction_that_the_author_has_written_stays() -> None:
    for space in (" ", "\n", "\t"):
        source = f'<html{space}dir = "ltr"{space}lang="de"><body dir="ltr">x</body></html>'

        html = compiled(Kind.HTML, source, "ar")

        assert html.count("dir") == html.count("ltr") == 2
        assert html.count("lang") == 1
