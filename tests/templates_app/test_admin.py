import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from recipients.models import Field
from templates_app.models import EmailTemplate, Layout, Snippet, TemplateVariant, TemplateVersion
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
        "variants-TOTAL_FORMS": "0",
        "variants-INITIAL_FORMS": "0",
    } | values


def in_german(**values: str) -> dict[str, str]:
    """One more language, as it is typed below the template."""
    german = {"language": "de", "subject": "Neu", "source": "<p>Hallo</p>"} | values
    return {"variants-TOTAL_FORMS": "1", "variants-INITIAL_FORMS": "0"} | {
        f"variants-0-{name}": value for name, value in german.items()
    }


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


def test_a_template_is_saved_with_its_languages_and_is_a_version(console: Client) -> None:
    console.post(f"{TEMPLATES}add/", typed(language="en", **in_german()))

    version = TemplateVersion.objects.get()
    assert (version.language, version.saved_by) == ("en", "root")
    assert version.variants.get().html == "<p>Hallo</p>"


def test_a_language_is_changed_and_deleted_below_its_template(console: Client) -> None:
    console.post(f"{TEMPLATES}add/", typed(**in_german()))
    variant = TemplateVariant.objects.get()
    path = f"{TEMPLATES}{variant.template_id}/change/"
    known = {
        "variants-INITIAL_FORMS": "1",
        "variants-0-id": str(variant.pk),
        "variants-0-template": str(variant.template_id),
    }

    console.post(path, typed(**in_german(source="<p>Moin</p>") | known))
    changed = TemplateVariant.objects.get().source
    console.post(path, typed(**in_german() | known | {"variants-0-DELETE": "on"}))

    assert changed == "<p>Moin</p>"
    assert not TemplateVariant.objects.exists()
    assert TemplateVersion.objects.count() == 3


def test_a_fault_of_a_language_stands_beside_it(console: Client) -> None:
    answer = console.post(f"{TEMPLATES}add/", typed(**in_german(source="<p>\n{{ nobdy }}</p>")))

    assert "Line 2: unknown field 'nobdy'" in text(answer)
    assert not EmailTemplate.objects.exists()


def test_what_was_left_out_of_the_html_is_said_when_it_is_saved(console: Client) -> None:
    user = User.objects.create_user("author", is_staff=True)
    names = ("add_emailtemplate", "change_emailtemplate", "view_emailtemplate")
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    console.force_login(user)

    answer = console.post(
        f"{TEMPLATES}add/", typed(source="<p>x</p>\n<script></script>"), follow=True
    )

    assert "source, line 2: <script> was left out" in text(answer)
    assert "<script>" not in TemplateVersion.objects.get().html


def test_snippets_and_layouts_are_saved_and_kept_while_they_are_used(console: Client) -> None:
    pieces = "/admin/templates_app/"
    console.post(f"{pieces}snippet/add/", {"name": "foot", "kind": "html", "source": "<i>x</i>"})
    layout = '{{ content }}{% include "foot" %}'
    console.post(f"{pieces}layout/add/", {"name": "Ours", "kind": "html", "source": layout})
    snippet = Snippet.objects.get()
    path = f"{pieces}snippet/{snippet.pk}/"

    refused = console.post(f"{path}change/", {"name": "foot", "kind": "html", "source": "{% if %}"})
    page = text(console.get(f"{path}change/"))
    deleted = console.post(f"{path}delete/", {"post": "yes"})

    assert "snippet 'foot', line 1" in text(refused)
    assert "layout 'Ours'" in page
    assert deleted.status_code == 403
    assert Snippet.objects.get().source == "<i>x</i>"

    Layout.objects.all().delete()
    console.post(f"{path}delete/", {"post": "yes"})
    assert not Snippet.objects.exists()


def test_a_template_that_no_campaign_uses_is_deleted_with_its_versions(console: Client) -> None:
    template = make_template()

    console.post(f"{TEMPLATES}{template.pk}/delete/", {"post": "yes"})

    assert not EmailTemplate.objects.exists()
