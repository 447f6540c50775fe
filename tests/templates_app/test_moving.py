"""A template moves with all that it uses, and brings nothing that was not looked at."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import IO, Any, ClassVar

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import connection
from PIL import Image
from pytest_django.fixtures import Settings

from templates_app import pieces
from templates_app.bundle import Bundle, unpack
from templates_app.compiling import Piece
from templates_app.drafts import Draft, Written
from templates_app.media import library as files
from templates_app.models import (
    EmailTemplate,
    Kind,
    Layout,
    MediaBlob,
    MediaFile,
    Snippet,
    TemplateVariant,
    TemplateVersion,
)
from templates_app.moving import Clash, clashes, export_template, import_template
from templates_app.services import Refused, save_template
from tests.factories import stored_in
from tests.templates_app.media.files import make_image

pytestmark = pytest.mark.django_db


@pytest.fixture
def template(disk: Path) -> EmailTemplate:
    """A letter in two languages, with a layout, snippets in snippets, and a picture."""
    files.upload(BytesIO(make_image()), name="logo.png", folder="Logos")
    for name, kind, source in (
        ("address", Kind.HTML, "<p>12 Quay Street</p>"),
        ("footer", Kind.HTML, '<img src="media:Logos/Logo.PNG" alt="Us">{% include "address" %}'),
        ("unused", Kind.HTML, "<p>unused</p>"),
        ("greeting", Kind.MARKDOWN, "Hello {{ first_name | default('you') }}"),
    ):
        pieces.save(Snippet(name=name, kind=kind, source=source), known=())
    layout = Layout(name="Letter ✉", kind=Kind.HTML, source='{{ content }}{% include "footer" %}')
    pieces.save(layout, known=())
    letter = EmailTemplate(
        name="Letter",
        kind=Kind.MARKDOWN,
        layout=layout,
        subject="News",
        preheader="First",
        source='{% include "greeting" %}\n\n[Read](https://example.org)',
        text="Plain",
        language="en",
        link_parameters="utm_source=letter",
    )
    german = TemplateVariant(language="de", subject="Neues", source="Grüße, {{ email }}")
    save_template(letter, variants=[german], known=())
    return letter


def emptied(template: EmailTemplate) -> Bundle:
    """Return what was exported, in an installation where nothing is left of it."""
    exported = export_template(template)
    for model in (TemplateVersion, EmailTemplate, Snippet, Layout, MediaFile, MediaBlob):
        model.objects.all().delete()
    return unpack(BytesIO(exported))


def rows() -> tuple[int, ...]:
    models = (EmailTemplate, TemplateVersion, Snippet, Layout, MediaFile, MediaBlob)
    return tuple(model.objects.count() for model in models)


def test_a_template_comes_back_in_an_empty_installation_and_goes_out_as_the_same_bytes(
    template: EmailTemplate,
) -> None:
    exported = export_template(template)
    html = template.versions.get().html

    imported = import_template(emptied(template)).template

    assert export_template(imported) == exported
    assert rows() == (1, 1, 3, 1, 1, 1)
    [address] = {blob.token for blob in MediaBlob.objects.all()}
    assert address in imported.versions.get().html
    assert len(imported.versions.get().html) == len(html)
    assert imported.variants.get().subject == "Neues"


def test_what_is_the_same_here_is_used_and_another_name_may_be_given(
    template: EmailTemplate,
) -> None:
    bundle = unpack(BytesIO(export_template(template)))
    before = rows()

    copy = import_template(bundle, name="Copy").template

    assert copy.name == "Copy"
    assert rows() == (before[0] + 1, before[1] + 1, *before[2:])


def test_a_name_that_is_taken_is_refused(template: EmailTemplate) -> None:
    bundle = unpack(BytesIO(export_template(template)))

    with pytest.raises(Refused, match="there is a template 'Letter' already"):
        import_template(bundle)


@pytest.fixture
def clashing(template: EmailTemplate) -> Bundle:
    """What was exported, where each piece has another content by now."""
    bundle = emptied(template)
    address = Snippet(name="address", kind=Kind.HTML, source="<p>Mine</p>")
    pieces.save(address, known=())
    pieces.save(Layout(name="Letter ✉", kind=Kind.HTML, source="{{ content }}"), known=())
    files.upload(BytesIO(make_image(size=(9, 9))), name="logo.png", folder="Logos")
    return bundle


def test_what_is_here_with_other_content_is_named_and_nothing_is_changed(clashing: Bundle) -> None:
    before = rows()

    assert clashes(clashing) == [
        "snippet 'address'",
        "layout 'Letter ✉'",
        "file 'Logos/logo.png'",
    ]
    with pytest.raises(Refused, match=r"snippet 'address', layout .*: here already, with other"):
        import_template(clashing)
    assert rows() == before


def test_mine_is_kept(clashing: Bundle) -> None:
    imported = import_template(clashing, clash=Clash.MINE)

    assert Snippet.objects.get(name="address").source == "<p>Mine</p>"
    assert "Quay Street" not in imported.template.versions.get().html
    assert MediaFile.objects.get().blob.width == 9


def test_theirs_is_taken(clashing: Bundle) -> None:
    imported = import_template(clashing, clash=Clash.THEIRS)

    assert Snippet.objects.get(name="address").source == "<p>12 Quay Street</p>"
    assert "Quay Street" in imported.template.versions.get().html
    assert MediaFile.objects.get().blob.width != 9


def test_theirs_is_renamed_with_all_that_names_it(clashing: Bundle) -> None:
    pieces.save(Snippet(name="footer", kind=Kind.HTML, source="<p>Foot</p>"), known=())

    imported = import_template(clashing, clash=Clash.RENAME)

    assert imported.renamed == {
        "address": "address-2",
        "footer": "footer-2",
        "Letter ✉": "Letter ✉ 2",
        "Logos/logo.png": "Logos/logo-2.png",
    }
    assert imported.template.layout == Layout.objects.get(name="Letter ✉ 2")
    footer = Snippet.objects.get(name="footer-2").source
    assert footer == '<img src="media:Logos/logo-2.png" alt="Us">{% include "address-2" %}'
    assert "Quay Street" in imported.template.versions.get().html
    assert Snippet.objects.get(name="address").source == "<p>Mine</p>"


def test_what_is_renamed_is_named_so_in_each_part() -> None:
    pieces.save(Snippet(name="spring", kind=Kind.TEXT, source="Mine"), known=())
    name = '{% include "spring" %}'
    written = Written("News", "<p>Hello</p>", text=name, preheader=name)
    draft = replace(LETTER, written=(written,), link_parameters=name)
    bundle = Bundle("T", draft, {"spring": Piece(Kind.TEXT, "Theirs")}, {}, {})

    template = import_template(bundle, clash=Clash.RENAME).template

    parts = {template.text, template.preheader, template.link_parameters}
    assert parts == {'{% include "spring-2" %}'}


def test_a_snippet_that_is_the_same_but_names_a_renamed_one_is_renamed_too(
    clashing: Bundle,
) -> None:
    address = Snippet.objects.get(name="address")
    footer = clashing.snippets["footer"]
    files.delete(MediaFile.objects.get())
    files.upload(BytesIO(clashing.files["Logos/logo.png"]), name="logo.png", folder="Logos")
    pieces.save(Snippet(name="footer", kind=footer.kind, source=footer.source), known=())

    imported = import_template(clashing, clash=Clash.RENAME)

    assert imported.renamed["footer"] == "footer-2"
    assert "Quay Street" in imported.template.versions.get().html
    assert Snippet.objects.get(name="footer").source == footer.source
    address.refresh_from_db()
    assert address.source == "<p>Mine</p>"


# All or nothing

LETTER = Draft(Kind.HTML, (Written("News", "<p>Hello</p>"),))


@pytest.mark.parametrize(
    ("bundle", "said"),
    [
        (Bundle("n", replace(LETTER, written=(Written("", "<p>"),)), {}, {}, {}), "subject"),
        (Bundle("", LETTER, {}, {}, {}), "name"),
        (Bundle("n" * 201, LETTER, {}, {}, {}), "name"),
        (Bundle("n", replace(LETTER, written=(Written("s", ""),)), {}, {}, {}), "needs HTML"),
        (Bundle("n", replace(LETTER, layout="gone"), {}, {}, {}), "layout 'gone'"),
        (Bundle("n", LETTER, {"../x": Piece(Kind.HTML, "<p>")}, {}, {}), "slug"),
        (Bundle("n", LETTER, {"a": Piece(Kind.HTML, "{% if %}")}, {}, {}), "snippet 'a'"),
        (Bundle("n", LETTER, {}, {"l": Piece(Kind.TEXT, "{{ content }}")}, {}), "kind"),
        (Bundle("n", LETTER, {}, {}, {"../../a.png": make_image()}), "is no name of a file"),
        (Bundle("n", LETTER, {}, {}, {"/a.png": make_image()}), "is no name of a file"),
        (Bundle("n", LETTER, {}, {}, {"a.exe": b"MZ"}), "a.exe"),
        (Bundle("n", LETTER, {}, {}, {"a.png": b"no image"}), "a.png"),
        (
            Bundle(
                "n",
                LETTER,
                {
                    "a": Piece(Kind.HTML, '{% include "b" %}'),
                    "b": Piece(Kind.HTML, '{% include "a" %}'),
                },
                {},
                {},
            ),
            "'a'|'b'",
        ),
    ],
)
def test_a_bundle_with_a_fault_leaves_nothing_behind(bundle: Bundle, said: str, disk: Path) -> None:
    before = rows()
    whole = replace(
        bundle,
        files={"fine.png": make_image(), **bundle.files},
        snippets={"fine": Piece(Kind.HTML, "<p>fine</p>"), **bundle.snippets},
    )

    with pytest.raises(Refused, match=said):
        import_template(whole)

    assert rows() == before
    assert not stored_in(disk)


class WatchedStorage(FileSystemStorage):
    """Notes for each file that it takes whether the database waits for it."""

    held: ClassVar[list[bool]] = []

    def save(self, name: str | None, content: IO[Any], max_length: int | None = None) -> str:
        self.held.append(connection.in_atomic_block)
        return super().save(name, content, max_length)


@pytest.mark.django_db(transaction=True)
def test_no_transaction_waits_for_the_storage_and_what_is_in_vain_is_removed(
    disk: Path, settings: Settings
) -> None:
    watched = {
        "BACKEND": f"{__name__}.{WatchedStorage.__name__}",
        "OPTIONS": {"location": disk},
    }
    settings.STORAGES = {**settings.STORAGES, "media": watched}
    images = {"a.png": make_image(), "b.png": make_image(), "c.png": make_image(size=(9, 9))}

    with pytest.raises(Refused, match="layout 'gone'"):
        import_template(Bundle("n", replace(LETTER, layout="gone"), {}, {}, images))
    assert not stored_in(disk)
    import_template(Bundle("n", LETTER, {}, {}, images))

    assert WatchedStorage.held == [False] * 6
    kept = {str(path.relative_to(disk)) for path in stored_in(disk)}
    assert kept == {blob.key for blob in MediaBlob.objects.all()}
    assert MediaFile.objects.count() == 3


@pytest.mark.parametrize(
    ("was_raw", "keep_raw", "is_raw", "is_sanitised"),
    [
        (True, True, True, False),
        (True, False, False, True),
        (False, True, False, False),
        (False, False, False, False),
    ],
)
def test_html_comes_raw_where_it_was_so_and_is_to_stay_so(
    was_raw: bool, keep_raw: bool, is_raw: bool, is_sanitised: bool
) -> None:
    draft = Draft(Kind.HTML, (Written("s", "<p onclick='x()'>Hi</p>"),), is_raw=was_raw)

    imported = import_template(Bundle("Theirs", draft, {}, {}, {}), keep_raw=keep_raw)

    template = imported.template
    assert (template.is_raw, imported.is_sanitised) == (is_raw, is_sanitised)
    assert ("onclick" in template.versions.get().html) is is_raw
    assert unpack(BytesIO(export_template(template))).draft.is_raw is is_raw


def test_a_piece_of_a_raw_template_is_replaced_only_where_html_is_kept_as_written() -> None:
    pieces.save(Snippet(name="foot", kind=Kind.HTML, source="<i>Nome</i>"), known=())
    raw = EmailTemplate(name="Raw", kind=Kind.HTML, subject="S", source='{% include "foot" %}')
    raw.is_raw = True
    save_template(raw, known=(), may_write_raw=True)
    bundle = Bundle("Theirs", LETTER, {"foot": Piece(Kind.HTML, "<script>x</script>")}, {}, {})

    with pytest.raises(Refused, match="foot is used by Raw, whose HTML is not sanitised"):
        import_template(bundle, clash=Clash.THEIRS)
    assert rows()[:3] == (1, 1, 1)
    import_template(bundle, clash=Clash.THEIRS, keep_raw=True)

    assert Snippet.objects.get().source == "<script>x</script>"


def test_what_is_not_there_any_more_cannot_be_exported(template: EmailTemplate) -> None:
    Snippet.objects.filter(name="greeting").delete()

    with pytest.raises(Refused, match="uses the snippet 'greeting', which is not there"):
        export_template(template)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {"format": "PNG"}),
        ("a.gif", {"format": "GIF"}),
        ("a.jpg", {"format": "JPEG", "quality": 60}),
        ("a.webp", {"format": "WEBP", "quality": 60}),
        ("a.webp", {"format": "WEBP", "lossless": True}),
    ],
)
def test_an_image_of_each_kind_comes_back_as_the_same_bytes(
    name: str, options: dict[str, Any], disk: Path
) -> None:
    noise = Image.effect_noise((64, 48), 90).convert("RGB")
    came = BytesIO()
    noise.save(came, **options)
    files.upload(BytesIO(came.getvalue()), name=name)
    letter = EmailTemplate(
        name="T", kind=Kind.HTML, subject="S", source=f'<img src="media:{name}" alt="A">'
    )
    save_template(letter, known=())
    exported = export_template(letter)

    imported = import_template(emptied(letter)).template

    assert export_template(imported) == exported
