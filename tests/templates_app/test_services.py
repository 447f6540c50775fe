import pytest
from django.db import IntegrityError, transaction

from templates_app.models import EmailTemplate, TemplateVersion
from templates_app.services import Refused, create_template, freeze, unknown_fields
from tests.factories import make_template

pytestmark = pytest.mark.django_db


def test_freezing_the_same_content_twice_makes_one_version() -> None:
    template = make_template()

    first, second = freeze(template), freeze(template)

    assert first == second
    assert (first.number, first.subject, first.html) == (1, template.subject, template.html)


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
    EmailTemplate.objects.update(html="<p>a", text="b</p>c")

    assert freeze(template) != first


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"html": ""}, "needs HTML or text"),
        ({"html": "<p>{% if %}</p>"}, "html, line 1"),
        ({"html": "<p>x</p>\n{{ nobody }}"}, "line 2: unknown field 'nobody'"),
        ({"html": "<p>x</p>", "subject": "{{ nobody }}"}, "subject, line 1"),
        ({"html": "<p>x</p>", "subject": "s" * 501}, "subject: Ensure this value has"),
    ],
)
def test_content_with_a_fault_is_refused_and_not_saved(
    content: dict[str, str], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        create_template("T", **{"subject": "S", "html": "x", "known": ["first_name"], **content})  # type: ignore[arg-type]

    assert not EmailTemplate.objects.exists()


def test_unknown_fields_are_named_once() -> None:
    template = EmailTemplate(subject="{{ a }}", html="{{ b }} {{ a }} {{ email }}")

    assert unknown_fields(template) == ["a", "b"]


def test_the_tables_refuse_what_may_not_be() -> None:
    template = make_template("Taken")
    version = freeze(template)
    twin = {"template": template, "subject": "S", "html": "x"}

    for row, constraint in (
        (EmailTemplate(name="Taken", html="x"), "email_template_name_unique"),
        (EmailTemplate(name="Empty"), "email_template_has_body"),
        (TemplateVersion(number=1, digest="d", **twin), "template_version_number_unique"),
        (
            TemplateVersion(number=2, digest=version.digest, **twin),
            "template_version_digest_unique",
        ),
    ):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            row.save(force_insert=True)
