import pytest
from django.test import Client

from templates_app.models import EmailTemplate, Layout
from templates_app.services import save_template
from tests.console import messages, staff, superuser, text
from tests.factories import make_campaign, make_list, make_recipient, make_run, make_template

pytestmark = pytest.mark.django_db

TEMPLATES = "/admin/templates_app/emailtemplate/"


@pytest.fixture
def console() -> Client:
    return superuser()


@pytest.fixture
def template() -> EmailTemplate:
    template = make_template("News", html="<p>\nOne bird\n</p>")
    template.source = "<p>\nTwo birds\n</p>"
    save_template(template, known=(), by="ada")
    return template


def test_versions_say_who_saved_them_and_what_sent_them(
    template: EmailTemplate, console: Client
) -> None:
    make_recipient(lists=[make_list()])
    run = make_run(make_campaign(template=template))

    page = console.get(f"{TEMPLATES}{template.pk}/history/")

    newest, oldest = page.context["rows"]
    assert (newest.version.number, newest.version.saved_by) == (2, "ada")
    assert (newest.campaigns, newest.runs) == ([run.campaign], [run])
    assert (oldest.version.number, oldest.campaigns, oldest.runs) == (1, [], [])
    assert f"/admin/campaigns/run/{run.pk}/change/" in page.content.decode()


def test_a_comparison_shows_lines_with_signs_and_the_words_that_changed(
    template: EmailTemplate, console: Client
) -> None:
    page = console.get(f"{TEMPLATES}{template.pk}/history/?from=1&to=2")

    assert "removed: One bird 2 + added: Two birds" in text(page)
    assert "<del>One</del>" in page.content.decode()
    assert "<ins>Two</ins>" in page.content.decode()


def test_two_versions_of_the_same_words_are_said_to_be_so(
    template: EmailTemplate, console: Client
) -> None:
    page = console.get(f"{TEMPLATES}{template.pk}/history/?from=2&to=2")

    assert "What was written is the same." in text(page)


def test_a_version_is_restored_as_a_new_save(template: EmailTemplate, console: Client) -> None:
    path = f"{TEMPLATES}{template.pk}/versions/1/restore/"

    asked = text(console.get(path))
    answer = console.post(path, follow=True)

    template.refresh_from_db()
    assert "becomes the present content again" in asked
    assert template.source == "<p>\nOne bird\n</p>"
    assert messages(answer) == ["Version 1 is restored; it is version 3 now."]


def test_what_cannot_be_restored_says_why(template: EmailTemplate, console: Client) -> None:
    layout = Layout.objects.create(name="Letter", kind="html", source="<p>{{ content }}</p>")
    template.kind, template.layout, template.source = "markdown", layout, "Hi"
    save_template(template, known=())
    template.layout = None
    save_template(template, known=())
    layout.delete()

    answer = console.post(f"{TEMPLATES}{template.pk}/versions/3/restore/")

    assert answer.status_code == 422
    assert "there is no layout 'Letter' any more" in text(answer)


def test_who_may_only_look_restores_nothing(template: EmailTemplate) -> None:
    reader = staff("templates_app.view_emailtemplate")

    page = reader.get(f"{TEMPLATES}{template.pk}/history/")
    answer = reader.post(f"{TEMPLATES}{template.pk}/versions/1/restore/")

    assert "Restore…" not in text(page)
    assert answer.status_code == 403
    assert EmailTemplate.objects.get().source == template.source
