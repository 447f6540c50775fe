import pytest
from django.test import Client

from recipients.models import Field
from templates_app.models import EmailTemplate, TemplateVersion
from templates_app.services import freeze
from tests.console import superuser, text
from tests.factories import make_template

pytestmark = pytest.mark.django_db

TEMPLATES = "/admin/templates_app/emailtemplate/"


@pytest.fixture
def console() -> Client:
    Field.objects.create(name="first_name")
    return superuser()


def typed(**values: str) -> dict[str, str]:
    return {
        "name": "News",
        "subject": "News",
        "kind": "html",
        "source": "<p>Hi</p>",
        "text": "",
    } | values


def test_a_template_without_a_fault_is_saved(console: Client) -> None:
    console.post(f"{TEMPLATES}add/", typed(source="<p>Hi {{ first_name }}</p>"))

    assert EmailTemplate.objects.get().source == "<p>Hi {{ first_name }}</p>"


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        ({"source": "<p>\n{{ frist_name }}</p>"}, "source", "Line 2: unknown field 'frist_name'"),
        ({"source": "<p>\n\n{% if %}</p>"}, "source", "Line 3: "),
        ({"subject": "{{ nobody_has }}"}, "subject", "Line 1: unknown field 'nobody_has'"),
        ({"text": "Hi\n{{ nobody_has }}"}, "text", "Line 2: unknown field 'nobody_has'"),
        ({"source": " "}, "source", "This field is required."),
        ({"subject": ""}, "subject", "This field is required."),
    ],
)
def test_a_fault_is_named_with_its_line_beside_the_part_that_has_it(
    values: dict[str, str], field: str, reason: str, console: Client
) -> None:
    answer = console.post(f"{TEMPLATES}add/", typed(**values))

    errors = answer.context["adminform"].form.errors
    assert list(errors) == [field]
    assert reason in errors[field][0]
    assert reason in text(answer)
    assert not EmailTemplate.objects.exists()


def test_before_anybody_is_imported_any_field_may_be_one(console: Client) -> None:
    Field.objects.all().delete()

    console.post(f"{TEMPLATES}add/", typed(source="<p>Hi {{ whoever }}</p>"))

    assert EmailTemplate.objects.exists()


def test_the_preview_stands_in_a_frame_that_may_do_nothing(console: Client) -> None:
    template = make_template(html="<p>Dear {{ first_name }}</p><script>alert(1)</script>")
    EmailTemplate.objects.update(is_raw=True)

    page = console.get(f"{TEMPLATES}{template.pk}/change/").content.decode()

    assert 'sandbox=""' in page
    assert 'srcdoc="&lt;p&gt;Dear [first_name]&lt;/p&gt;&lt;script&gt;' in page
    assert "<script>alert" not in page


def test_content_that_cannot_be_shown_says_why(console: Client) -> None:
    template = make_template()
    EmailTemplate.objects.update(source="{% for %}")

    page = text(console.get(f"{TEMPLATES}{template.pk}/change/"))

    assert "It cannot be shown: source, line 1" in page


def test_a_frozen_version_is_shown_and_nobody_changes_it(console: Client) -> None:
    version = freeze(make_template())
    path = f"/admin/templates_app/templateversion/{version.pk}/"

    page = console.get(f"{path}change/").content.decode()
    answers = [
        console.post(f"{path}change/", {"subject": "Other"}),
        console.post(f"{path}delete/", {"post": "yes"}),
        console.post("/admin/templates_app/templateversion/add/", {"subject": "Other"}),
    ]

    assert 'sandbox=""' in page
    assert 'name="_save"' not in page
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert TemplateVersion.objects.get().subject == "News"
