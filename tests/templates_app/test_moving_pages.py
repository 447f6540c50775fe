"""Templates that come from the gallery or from a file, and go out, by the console."""

from io import BytesIO
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from templates_app.bundle import Bundle, pack, unpack
from templates_app.compiling import Piece
from templates_app.drafts import Draft, Written
from templates_app.gallery import STARTERS
from templates_app.models import EmailTemplate, Kind, MediaFile, Snippet
from tests.console import messages, staff, superuser, text
from tests.factories import make_template
from tests.templates_app.media.files import make_image

pytestmark = pytest.mark.django_db

TEMPLATES = "/templates/"
BUNDLE = Bundle(
    "Letter",
    Draft(Kind.HTML, (Written("News", "<p onclick='x()'>Hi</p>{% include \"foot\" %}"),)),
    {"foot": Piece(Kind.HTML, '<img src="media:logo.png" alt="Us">')},
    {},
    {"logo.png": make_image()},
)


def uploaded(bundle: Bundle = BUNDLE) -> SimpleUploadedFile:
    return SimpleUploadedFile("letter.zip", pack(bundle))


def test_the_gallery_shows_a_picture_of_each_starter_and_makes_a_template_of_one() -> None:
    console = superuser()
    page = console.get(f"{TEMPLATES}new/")

    for each in STARTERS:
        assert str(each.purpose) in text(page)
        picture = finders.find(f"templates_app/gallery/{each.slug}.webp")
        assert picture
        assert Path(picture).stat().st_size < 30_000
    made = console.post(f"{TEMPLATES}new/", {"starter": "digest", "name": "Weekly"}, follow=True)
    assert EmailTemplate.objects.get().name == "Weekly"
    assert messages(made) == ["Weekly is here. Make it yours."]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"starter": "digest", "name": ""}, "Name: This field is required."),
        ({"starter": "digest", "name": "Taken"}, "There is a template 'Taken' already"),
        ({"starter": "nothing", "name": "T"}, "The gallery has no 'nothing'"),
    ],
)
def test_what_the_gallery_cannot_make_is_said(typed: dict[str, str], said: str) -> None:
    make_template("Taken")

    answer = superuser().post(f"{TEMPLATES}new/", typed)

    assert answer.status_code == 422
    assert said in text(answer)
    assert EmailTemplate.objects.count() == 1


def test_a_template_is_downloaded_and_uploaded_again(disk: Path) -> None:
    console = superuser()
    console.post(f"{TEMPLATES}import/", {"file": uploaded(), "name": "Grüße!", "clash": "refuse"})
    template = EmailTemplate.objects.get(name="Grüße!")

    answer = console.get(f"{TEMPLATES}{template.pk}/export/")

    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="grue.zip"'
    assert unpack(BytesIO(answer.content)).snippets == BUNDLE.snippets


def test_an_upload_with_a_fault_is_named(disk: Path) -> None:
    make_template("Letter")
    Snippet.objects.create(name="foot", kind=Kind.HTML, source="<p>Mine</p>")
    console = superuser()

    def post(**typed: object) -> str:
        answer = console.post(f"{TEMPLATES}import/", {"clash": "refuse", **typed})
        assert answer.status_code == 422
        return text(answer)

    assert "This field is required." in post()
    assert "It is a damaged ZIP file, or none." in post(file=SimpleUploadedFile("a.zip", b"x"))
    assert "There is a template 'Letter' already" in post(file=uploaded())
    assert "Snippet 'foot': here already, with other content" in post(file=uploaded(), name="New")
    assert not MediaFile.objects.exists()


def test_new_names_are_told() -> None:
    Snippet.objects.create(name="foot", kind=Kind.HTML, source="<p>Mine</p>")
    plain = Bundle("L", BUNDLE.draft, {"foot": Piece(Kind.HTML, "<p>Theirs</p>")}, {}, {})

    typed = {"file": uploaded(plain), "clash": "rename"}
    answer = superuser().post(f"{TEMPLATES}import/", typed, follow=True)

    assert messages(answer) == ["L is here. Make it yours.", "foot came as foot-2."]


ADD, VIEW = "templates_app.add_emailtemplate", "templates_app.view_emailtemplate"
PIECES = ("templates_app.add_snippet", "templates_app.add_mediafile")


def test_nobody_brings_in_with_a_template_what_they_may_not_write(disk: Path) -> None:
    author = staff(ADD, VIEW)
    typed = {"file": uploaded(), "clash": "refuse"}

    answer = author.post(f"{TEMPLATES}import/", typed)

    assert "ask for the permission templates_app.add_snippet, templates_app.add_mediafile" in text(
        answer
    )
    assert not EmailTemplate.objects.exists()


def test_to_replace_what_is_here_takes_the_right_to_change_it(disk: Path) -> None:
    author = staff(ADD, VIEW, *PIECES)

    answer = author.post(f"{TEMPLATES}import/", {"file": uploaded(), "clash": "theirs"})

    assert "templates_app.change_snippet, templates_app.change_mediafile" in text(answer)


@pytest.mark.parametrize(
    ("may", "typed", "is_raw"), [(True, "on", True), (True, "", False), (False, "on", False)]
)
def test_html_comes_raw_only_by_choice_and_with_the_right_to_write_it(
    may: bool, typed: str, is_raw: bool
) -> None:
    draft = Draft(Kind.HTML, (Written("News", "<p onclick='x()'>Hi</p>"),), is_raw=True)
    file = uploaded(Bundle("Letter", draft, {}, {}, {}))
    author = staff(ADD, VIEW, *(["templates_app.write_raw_html"] if may else []))

    page = text(author.get(f"{TEMPLATES}import/"))
    answer = author.post(
        f"{TEMPLATES}import/", {"file": file, "clash": "refuse", "keep_raw": typed}, follow=True
    )

    template = EmailTemplate.objects.get()
    assert ("Keep HTML exactly as written" in page) is may
    assert template.is_raw is is_raw
    assert ("onclick" in template.versions.get().html) is is_raw
    assert ("what mail may not have is left out" in " ".join(messages(answer))) is not is_raw


def test_a_starter_of_the_gallery_is_sanitised_whoever_makes_a_template_of_it() -> None:
    superuser().post(f"{TEMPLATES}new/", {"starter": "letter", "name": "T"})

    assert not EmailTemplate.objects.get().is_raw


def test_who_may_not_make_templates_gets_neither_page_and_who_may_not_see_them_no_file() -> None:
    template = make_template()
    reader, stranger = staff(VIEW), Client()

    for page in ("new", "import"):
        assert reader.get(f"{TEMPLATES}{page}/").status_code == 403
        assert stranger.get(f"{TEMPLATES}{page}/").status_code in {302, 403}
    assert reader.get(f"{TEMPLATES}{template.pk}/export/").status_code == 200
    assert stranger.get(f"{TEMPLATES}{template.pk}/export/").status_code in {302, 403}
    assert superuser().get(f"{TEMPLATES}{template.pk + 1}/export/").status_code == 404


def test_what_cannot_be_exported_is_said() -> None:
    template = make_template()
    EmailTemplate.objects.update(source='{% include "gone" %}')

    answer = superuser().get(f"{TEMPLATES}{template.pk}/export/", follow=True)

    assert "It cannot be exported: it uses the snippet 'gone'" in messages(answer)[0]
