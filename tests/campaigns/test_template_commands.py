"""Templates at the command line: from files, from the gallery, out, and in again."""

import io
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from templates_app.gallery import STARTERS
from templates_app.models import EmailTemplate, Kind, Layout, Snippet, TemplateVersion

pytestmark = pytest.mark.django_db

MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section>"
    "</mj-body></mjml>"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, with a source of each kind."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "news.mjml": MJML.format("Hello"),
        "news.de.mjml": MJML.format("Hallo"),
        "news.html": "<p>Hello</p>",
        "news.md": "# Hello",
        "news.txt": "Hello as text",
        "news.de.txt": "Hallo als Text",
        "bad.md": "one\n{{ x",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("option", "file", "kind"),
    [
        ("--mjml", "news.mjml", Kind.MJML),
        ("--html", "news.html", Kind.HTML),
        ("--markdown", "news.md", Kind.MARKDOWN),
        ("--text", "news.txt", Kind.TEXT),
    ],
)
def test_a_template_of_each_kind_is_made_from_a_file(option: str, file: str, kind: Kind) -> None:
    assert run("create_template", "T", "--subject", "S", option, file) == "template 'T' created\n"

    template = EmailTemplate.objects.get()
    assert (template.kind, template.text) == (kind, "")
    assert "Hello" in TemplateVersion.objects.get().text


def test_beside_another_source_text_is_the_text_part() -> None:
    run("create_template", "T", "--subject", "S", "--mjml", "news.mjml", "--text", "news.txt")

    version = TemplateVersion.objects.get()
    assert "Hello" in version.html
    assert version.text == "Hello as text"


def test_layout_preheader_language_link_parameters_and_variants_are_taken() -> None:
    Layout.objects.create(name="Letter", kind=Kind.HTML, source="<b>{{ content }}</b>")
    arguments = ["create_template", "T", "--subject", "S", "--markdown", "news.md"]
    arguments += ["--layout", "Letter", "--preheader", "First", "--language", "en"]
    arguments += ["--link-parameters", "utm_source=t", "--variant", "de=news.md"]
    arguments += ["--variant-subject", "de=S = de", "--variant-preheader", "de=Erst"]
    run(*arguments, "--variant-text", "de=news.de.txt")

    template = EmailTemplate.objects.get()
    assert str(template.layout) == "Letter"
    assert (template.preheader, template.language) == ("First", "en")
    assert template.link_parameters == "utm_source=t"
    german = template.variants.get()
    assert (german.subject, german.preheader, german.text) == ("S = de", "Erst", "Hallo als Text")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--subject S", "say what is in it: --mjml"),
        ("--html news.html", "needs a --subject"),
        ("--subject S --html news.html --mjml news.mjml", "not allowed with argument"),
        ("--subject S --markdown bad.md", "line 2"),
        ("--subject S --markdown gone.md", "No such file"),
        ("--subject S --markdown news.md --layout Gone", "no layout 'Gone'; there are none yet"),
        ("--subject S --mjml news.mjml --language klingonisch!", "is no language"),
        ("--subject S --mjml news.mjml --variant de", "write a language, = and the value"),
        ("--subject S --mjml news.mjml --variant de=news.de.mjml", "name its --variant-subject de"),
        ("--subject S --mjml news.mjml --variant-text de=x", "name its --variant de=FILE"),
        (
            "--subject S --mjml news.mjml --variant de=a --variant de=b --variant-subject de=S",
            "--variant de is given twice",
        ),
        ("--from-gallery nothing", "the gallery has no 'nothing'; there are newsletter"),
        ("--from-gallery letter --subject S", "comes without --subject"),
        ("--from-gallery letter --raw", "comes without --raw"),
        ("--from-gallery letter --html news.html", "not allowed with argument"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_saved(arguments: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run("create_template", "T", *arguments.split())

    assert not EmailTemplate.objects.exists()


def test_a_starter_comes_with_its_snippets_and_its_layout() -> None:
    run("create_template", "T", "--from-gallery", "letter")

    assert EmailTemplate.objects.get().subject == STARTERS[-1].subject
    assert str(EmailTemplate.objects.get().layout) == "letter"
    assert Snippet.objects.count() == 2


def test_snippets_that_are_here_stay_as_they_are() -> None:
    mine = "<mj-section><mj-column><mj-text>Mine</mj-text></mj-column></mj-section>"
    Snippet.objects.create(name="footer", kind=Kind.MJML, source=mine)

    run("create_template", "T", "--from-gallery", "newsletter")

    assert Snippet.objects.get(name="footer").source == mine
    assert "Mine" in TemplateVersion.objects.get().text


def test_a_template_goes_out_to_a_file_and_comes_in_under_another_name(folder: Path) -> None:
    run("create_template", "T", "--from-gallery", "digest")

    said = run("export_template", "T", "t.zip")

    assert said == "template 'T' written to t.zip\n"
    assert run("import_template", "t.zip", "--name", "Copy") == "template 'Copy' imported\n"
    copy = EmailTemplate.objects.get(name="Copy")
    assert copy.source == EmailTemplate.objects.get(name="T").source


def test_a_template_goes_through_standard_output_and_input(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("create_template", "T", "--from-gallery", "letter")
    call_command("export_template", "T")
    sys.stdout.flush()
    (folder / "t.zip").write_bytes(capfdbinary.readouterr().out)
    EmailTemplate.objects.all().update(name="Old")

    with (folder / "t.zip").open() as piped:
        monkeypatch.setattr(sys, "stdin", piped)
        run("import_template", "-")

    assert EmailTemplate.objects.get(name="T").versions.count() == 1


def test_what_is_here_under_the_same_name_is_asked_about(folder: Path) -> None:
    run("create_template", "T", "--from-gallery", "newsletter")
    run("export_template", "T", "t.zip")
    Snippet.objects.filter(name="footer").update(source="<mj-section></mj-section>")

    with pytest.raises(CommandError, match="snippet 'footer': here already, with other content"):
        run("import_template", "t.zip", "--name", "Copy")
    said = run("import_template", "t.zip", "--name", "Copy", "--clash", "rename")

    assert said == "template 'Copy' imported\nfooter came as footer-2\n"


def test_what_cannot_go_out_or_in_is_said(folder: Path) -> None:
    with pytest.raises(CommandError, match="there is no template 'None'"):
        run("export_template", "None")
    with pytest.raises(CommandError, match=r"gone\.zip: No such file"):
        run("import_template", "gone.zip")
    with pytest.raises(CommandError, match=r"news\.md: it is a damaged ZIP file, or none"):
        run("import_template", "news.md")
    run("create_template", "T", "--from-gallery", "letter")
    with pytest.raises(CommandError, match="No such file"):
        run("export_template", "T", "no/where.zip")


def test_html_comes_raw_only_where_that_is_said(folder: Path) -> None:
    Path("raw.html").write_text("<p onclick='x()'>Hi</p>")
    run("create_template", "S", "--subject", "S", "--html", "raw.html")
    run("create_template", "T", "--subject", "S", "--html", "raw.html", "--raw")
    run("export_template", "T", "t.zip")
    said = io.StringIO()

    call_command("import_template", "t.zip", "--name", "Clean", stderr=said)
    run("import_template", "t.zip", "--name", "Raw", "--raw")

    htmls = {str(each.template): each.html for each in TemplateVersion.objects.all()}
    assert {name for name, html in htmls.items() if "onclick" in html} == {"T", "Raw"}
    assert "here what mail may not have is left out" in said.getvalue()
