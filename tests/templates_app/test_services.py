import pytest
from django.db import IntegrityError, transaction

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
from templates_app.services import Refused, create_template, freeze, unknown_fields
from tests.factories import make_template

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
