import pytest
from django.db import IntegrityError, transaction

from templates_app import pieces
from templates_app.models import (
    EmailTemplate,
    Kind,
    Layout,
    MediaBlob,
    MediaFile,
    Snippet,
    TemplateVariant,
    TemplateVersion,
    VersionVariant,
)
from templates_app.pieces import used_by
from templates_app.services import (
    Refused,
    check,
    create_template,
    freeze,
    restore,
    save_template,
    unknown_fields,
)
from tests.factories import make_file, make_template

pytestmark = pytest.mark.django_db


def test_freezing_the_same_content_twice_makes_one_version() -> None:
    template = make_template()

    first, second = freeze(template), freeze(template)

    assert first == second
    assert (first.number, first.subject, first.html) == (1, template.subject, template.source)


def test_each_change_of_content_is_a_version_and_a_return_is_the_old_one() -> None:
    template = make_template()
    first = freeze(template)
    EmailTemplate.objects.update(subject="Other")
    second = freeze(template)
    EmailTemplate.objects.update(subject=first.subject)

    assert (second.number, second.subject) == (2, "Other")
    assert freeze(template) == first


def test_content_that_is_the_same_only_when_joined_is_not_the_same() -> None:
    template = make_template(html="<p>ab</p>", text="c")
    first = freeze(template)
    EmailTemplate.objects.update(source="<p>a", text="b</p>c")

    assert freeze(template) != first


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"source": " "}, "needs HTML"),
        ({"source": "<p>{% if %}</p>"}, "source, line 1"),
        ({"source": "<p>x</p>\n{{ nobody }}"}, "line 2: unknown field 'nobody'"),
        ({"source": "<p>x</p>", "subject": "{{ nobody }}"}, "subject, line 1"),
        ({"source": "<p>x</p>", "subject": "s" * 501}, "subject: Ensure this value has"),
    ],
)
def test_content_with_a_fault_is_refused_and_not_saved(
    content: dict[str, str], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        create_template("T", **{"subject": "S", "source": "x", "known": ["first_name"], **content})  # type: ignore[arg-type]

    assert not EmailTemplate.objects.exists()


def test_unknown_fields_are_named_once() -> None:
    template = EmailTemplate(
        kind=Kind.HTML, subject="{{ a }}", source="{{ b }} {{ a }} {{ email }}"
    )

    assert unknown_fields(template) == ["a", "b"]


def test_the_tables_refuse_what_may_not_be() -> None:
    template = make_template("Taken")
    TemplateVariant.objects.create(template=template, language="de", subject="S", source="x")
    version = freeze(template)
    layout = Layout.objects.create(name="Letter", kind="html", source="{{ content }}")
    Snippet.objects.create(name="footer", kind="html", source="x")
    blob = MediaBlob.objects.create(digest="a", token="t", size=1, scan="clean")
    MediaFile.objects.create(name="logo.png", blob=blob)
    twin = {"template": template, "subject": "S", "html": "x", "source": {}}

    for row, constraint in (
        (EmailTemplate(name="Taken", source="x"), "email_template_name_unique"),
        (EmailTemplate(name="K", kind="word", source="x"), "email_template_kind_known"),
        (
            EmailTemplate(name="L", kind="html", source="x", layout=layout),
            "email_template_layout_is_for_markdown",
        ),
        (EmailTemplate(name="Empty"), "email_template_has_source"),
        (TemplateVariant(template=template, source="x"), "template_variant_has_language"),
        (TemplateVariant(template=template, language="fr"), "template_variant_has_source"),
        (
            TemplateVariant(template=template, language="de", source="y"),
            "template_variant_language_unique",
        ),
        (VersionVariant(version=version, language="de"), "version_variant_language_unique"),
        (Snippet(name="footer", kind="html"), "snippet_name_unique"),
        (Snippet(name="other", kind="word"), "snippet_kind_known"),
        (Layout(name="Letter", kind="html"), "layout_name_unique"),
        (Layout(name="Text", kind="text"), "layout_kind_known"),
        (MediaBlob(size=1, digest="a", token="u", scan="clean"), "media_blob_digest_unique"),
        (MediaBlob(size=1, digest="b", token="t", scan="clean"), "media_blob_token_unique"),
        (MediaBlob(size=1, digest="c", token="v", scan="fine"), "media_blob_scan_known"),
        (MediaFile(name="LOGO.png", blob=blob), "media_file_name_unique"),
        (TemplateVersion(number=1, digest="d", **twin), "template_version_number_unique"),
        (
            TemplateVersion(number=99, digest=version.digest, **twin),
            "template_version_digest_unique",
        ),
    ):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            row.save(force_insert=True)


def variant(language: str, source: str = "<p>Hallo</p>", **values: str) -> TemplateVariant:
    return TemplateVariant(language=language, source=source, **{"subject": "Neu", **values})


def test_a_template_is_saved_with_its_languages_and_its_version_says_by_whom() -> None:
    template = EmailTemplate(name=" T ", kind="html", subject="S", source="<p>Hi</p>")

    version = save_template(
        template, variants=[variant("de"), variant("fr", "<p>Salut</p>")], known=(), by="ann"
    )

    assert (version.number, version.saved_by, template.name) == (1, "ann", "T")
    assert version.html == "<p>Hi</p>"
    assert {each.language: each.html for each in version.variants.all()} == {
        "de": "<p>Hallo</p>",
        "fr": "<p>Salut</p>",
    }


def test_the_variants_that_are_given_are_all_there_are_and_none_keeps_them() -> None:
    template = make_template()
    save_template(template, variants=[variant("de"), variant("fr")], known=())

    save_template(template, known=())
    kept = template.variants.count()
    version = save_template(template, variants=[variant("de", "<p>Neu</p>")], known=())

    assert kept == 2
    assert [each.source for each in template.variants.all()] == ["<p>Neu</p>"]
    assert version.variants.get().html == "<p>Neu</p>"


@pytest.mark.parametrize(
    ("values", "variants", "reason"),
    [
        ({"source": " "}, [], "source: a template needs HTML"),
        ({"name": "Taken"}, [], "name: there is a template 'Taken' already"),
        ({"language": "german"}, [], "language: 'german' is no language"),
        ({}, [variant("xx-")], "language: 'xx-' is no language"),
        ({}, [variant("de"), variant("de")], "language: de stands there twice"),
        ({}, [variant("pt-BR"), variant("PT-br")], "language: PT-br stands there twice"),
        ({}, [variant("de", "{% if %}")], r"source, line 1 \(de\)"),
        ({}, [variant("de", subject="")], r"subject \(de\): it is empty"),
        ({"preheader": "{{ nobody }}"}, [], "preheader, line 1: unknown field 'nobody'"),
        ({"link_parameters": "a={{ nobody }}"}, [], "link_parameters, line 1: unknown field"),
        ({"source": "{% for a in [1,2,3,4,5,6,7,8] %}" * 8 + "{% endfor %}" * 8}, [], "many steps"),
    ],
)
def test_a_save_with_a_fault_is_refused_as_a_whole(
    values: dict[str, str], variants: list[TemplateVariant], reason: str
) -> None:
    make_template("Taken")
    template = EmailTemplate(
        **{"name": "T", "kind": "html", "subject": "S", "source": "<p>x</p>", **values}
    )

    with pytest.raises(Refused, match=reason):
        save_template(template, variants=variants, known=["first_name"])

    assert EmailTemplate.objects.count() == 1


SCRIPT = "<p>x</p><script></script>"


def test_html_is_sanitised_unless_it_is_to_be_raw_and_whoever_saves_it_may_write_it() -> None:
    template = EmailTemplate(name="T", kind="html", subject="S", source=SCRIPT)

    of_an_administrator = save_template(template, known=(), may_write_raw=True)
    template.is_raw = True
    raw = save_template(template, variants=[variant("de", SCRIPT)], known=(), may_write_raw=True)
    with pytest.raises(Refused, match="it is kept exactly as written, which takes the permission"):
        save_template(template, known=())
    template.is_raw = False
    clean = save_template(template, known=())

    assert of_an_administrator.html == clean.html == "<p>x</p>"
    assert "<script>" in raw.html
    assert ["<script>" in each.variants.get().html for each in (raw, clean)] == [True, False]
    assert check(template, known=()).warnings[0].line == 1


# ---- snippets and layouts


def in_use() -> tuple[Snippet, Layout, EmailTemplate]:
    """A template that uses a snippet through its layout."""
    snippet = Snippet(name="footer", kind="html", source="<i>Nome</i>")
    pieces.save(snippet, known=())
    layout = Layout(name="Ours", kind="html", source='<b>{{ content }}</b>{% include "footer" %}')
    pieces.save(layout, known=())
    template = EmailTemplate(
        name="Letter", kind="markdown", subject="S", source="Hi", layout=layout
    )
    save_template(template, known=())
    return snippet, layout, template


def test_a_piece_of_a_raw_template_is_changed_by_who_may_write_raw_html_only() -> None:
    snippet, layout, template = in_use()
    template.is_raw = True
    save_template(template, known=(), may_write_raw=True)
    snippet.source, layout.source = "<script>x</script>", "<script>y</script>{{ content }}"

    with pytest.raises(Refused, match="footer is used by Letter, whose HTML is not sanitised; ask"):
        pieces.save(snippet, known=())
    with pytest.raises(Refused, match="Ours is used by Letter, whose HTML is not sanitised"):
        pieces.save(layout, known=())
    pieces.save(snippet, known=(), may_write_raw=True)

    assert "<script>x" in freeze(template).html


def test_what_was_refused_is_looked_at_again_when_it_is_saved_again() -> None:
    _, layout, template = in_use()
    layout.source = "<img src='media:a.pdf'>{{ content }}"
    with pytest.raises(Refused, match=r"there is no file 'a\.pdf'"):
        pieces.save(layout, known=())

    make_file("a.pdf")
    pieces.save(layout, known=())

    assert "/a.pdf" in freeze(template).html


def test_the_templates_that_a_change_breaks_are_named_among_many_that_use_it() -> None:
    snippet = Snippet(name="footer", kind="html", source="<i>Nome</i>")
    pieces.save(snippet, known=())
    for number in range(22):
        make_template(f"T{number}", html=f'{"<b>" * 150 * (number == 21)}{{% include "footer" %}}')
    snippet.source = "<i>" * 100

    with pytest.raises(Refused, match=r"^this would break T21 \(.* more than 200 deep"):
        pieces.save(snippet, known=())


def test_a_snippet_is_used_wherever_a_template_may_name_it() -> None:
    snippet = Snippet.objects.create(name="spring", kind="text", source="spring")
    name = '{% include "spring" %}'
    for part in ("preheader", "text", "link_parameters"):
        EmailTemplate.objects.create(
            name=part, kind="html", subject="S", **{"source": "<p>x</p>", part: name}
        )
    plain = EmailTemplate.objects.create(name="variant", kind="html", subject="S", source="x")
    plain.variants.create(language="de", subject="S", source="x", preheader=name)

    assert pieces.users_of(snippet) == ["link_parameters", "preheader", "text", "variant"]


def test_a_layout_that_gets_another_name_is_looked_at_with_the_templates_that_use_it() -> None:
    _, layout, template = in_use()
    template.source = f"{'<b>' * 150}Hi{'</b>' * 150}"
    save_template(template, known=())
    layout.name, layout.source = "Yours", f"{'<b>' * 150}{{{{ content }}}}{'</b>' * 150}"

    with pytest.raises(Refused, match=r"^this would break Letter \(.* more than 200 deep"):
        pieces.save(layout, known=())
    layout.source = "<b>{{ content }}</b>"
    pieces.save(layout, known=())

    assert EmailTemplate.objects.get().layout == layout


def test_a_changed_snippet_shows_in_the_next_version_only() -> None:
    snippet, _, template = in_use()
    before = template.versions.get()

    snippet.source = "<i>Oslo</i>"
    pieces.save(snippet, known=())

    after = freeze(template)
    before.refresh_from_db()
    assert "Nome" in before.html
    assert "Oslo" in after.html
    assert [before.number, after.number] == [1, 2]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"source": "{% if %}"}, "snippet 'footer', line 1"),
        ({"source": "a\n{{ nobody }}"}, "snippet 'footer', line 2: unknown field 'nobody'"),
        ({"name": "other"}, r"break Letter \(layout 'Ours', line 1: there is no snippet 'footer'"),
        ({"kind": "text"}, r"break Letter \(.* which does not fit into HTML"),
        ({"source": '{% include "footer" %}'}, "includes itself"),
        ({"name": "fo oter"}, "name: Enter a valid"),
    ],
)
def test_a_change_of_a_snippet_that_breaks_a_template_is_refused(
    values: dict[str, str], reason: str
) -> None:
    snippet, _, _ = in_use()
    for name, value in values.items():
        setattr(snippet, name, value)

    with pytest.raises(Refused, match=reason):
        pieces.save(snippet, known=["first_name"])

    assert Snippet.objects.get().source == "<i>Nome</i>"


def test_a_change_of_a_layout_that_breaks_a_template_is_refused() -> None:
    _, layout, _ = in_use()
    layout.source = "<b></b>"

    with pytest.raises(Refused, match=r"layout 'Ours', line 1: a layout has one {{ content }}"):
        pieces.save(layout, known=())


def test_what_is_used_is_named_and_not_deleted() -> None:
    snippet, layout, template = in_use()

    assert used_by(snippet) == used_by(layout) == [template]
    with pytest.raises(Refused, match="is used by layout 'Ours', Letter"):
        pieces.delete(snippet)
    with pytest.raises(Refused, match="is used by Letter"):
        pieces.delete(layout)

    template.versions.all().delete()
    template.delete()
    pieces.delete(layout)
    pieces.delete(snippet)
    assert not Snippet.objects.exists()


# ---- history


def test_an_old_version_is_restored_as_a_new_save() -> None:
    template = make_template(html="<p>One</p>")
    first = save_template(template, variants=[variant("de")], known=())
    template.source, template.kind = "# Two", Kind.MARKDOWN
    save_template(template, variants=[], known=())

    restored = restore(first, known=(), by="ben")

    template.refresh_from_db()
    assert restored == first
    assert (template.kind, template.source) == ("html", "<p>One</p>")
    assert template.variants.get().source == "<p>Hallo</p>"


def test_a_version_is_restored_raw_only_where_that_is_chosen_and_a_sanitised_one_never() -> None:
    template = make_template(html=SCRIPT)
    clean = template.versions.get()
    template.is_raw = True
    raw = save_template(template, known=(), may_write_raw=True)

    htmls = [
        restore(version, known=(), keep_raw=keep_raw).html
        for version, keep_raw in ((clean, True), (raw, False), (raw, True), (clean, False))
    ]

    assert ["<script>" in html for html in htmls] == [False, False, True, False]
    assert not EmailTemplate.objects.get().is_raw


def test_a_version_whose_snippet_or_layout_is_gone_is_not_restored() -> None:
    snippet, layout, template = in_use()
    old = template.versions.get()
    template.layout, template.source = None, "Hi"
    save_template(template, known=())
    pieces.delete(layout)

    with pytest.raises(Refused, match="there is no layout 'Ours' any more"):
        restore(old, known=())

    template.source = '{% include "footer" %}'
    named = save_template(template, known=())
    template.source = "Hi"
    save_template(template, known=())
    pieces.delete(snippet)
    with pytest.raises(Refused, match="cannot be restored: source, line 1: there is no snippet"):
        restore(named, known=())
