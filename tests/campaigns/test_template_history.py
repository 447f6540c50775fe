import re

import pytest
from django.test import Client

from templates_app.models import EmailTemplate, Layout
from templates_app.services import save_template
from tests.console import messages, staff, superuser, text
from tests.factories import make_campaign, make_list, make_recipient, make_run, make_template

pytestmark = pytest.mark.django_db

TEMPLATES = "/templates/"


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

    page = console.get(f"{TEMPLATES}{template.pk}/versions/")

    newest, oldest = page.context["rows"]
    assert (newest.version.number, newest.version.saved_by) == (2, "ada")
    assert (newest.campaigns, newest.runs) == ([run.campaign], [run])
    assert (oldest.version.number, oldest.campaigns, oldest.runs) == (1, [], [])
    assert f"/runs/{run.pk}/" in page.content.decode()


def test_a_comparison_shows_lines_with_signs_and_the_words_that_changed(
    template: EmailTemplate, console: Client
) -> None:
    page = console.get(f"{TEMPLATES}{template.pk}/versions/?from=1&to=2")

    assert "removed: One bird 2 + added: Two birds" in text(page)
    assert "<del>One</del>" in page.content.decode()
    assert "<ins>Two</ins>" in page.content.decode()


def test_two_versions_of_the_same_words_are_said_to_be_so(
    template: EmailTemplate, console: Client
) -> None:
    page = console.get(f"{TEMPLATES}{template.pk}/versions/?from=2&to=2")

    assert "What was written is the same." in text(page)


def test_a_version_is_restored_as_a_new_save(template: EmailTemplate, console: Client) -> None:
    path = f"{TEMPLATES}{template.pk}/versions/1/restore/"

    asked = text(console.get(path))
    answer = console.post(path, follow=True)

    template.refresh_from_db()
    assert "becomes the present content again" in asked
    assert template.source == "<p>\nOne bird\n</p>"
    assert messages(answer) == ["Version 1 is the present content again."]


@pytest.mark.parametrize("may", [True, False])
def test_a_raw_version_is_restored_raw_by_choice_of_those_who_may_write_it(
    template: EmailTemplate, may: bool
) -> None:
    template.source, template.is_raw = "<p onclick='x()'>Hi</p>", True
    save_template(template, known=(), may_write_raw=True)
    allowed = ["templates_app.write_raw_html"] if may else []
    writer = staff(
        "templates_app.view_emailtemplate", "templates_app.change_emailtemplate", *allowed
    )
    path = f"{TEMPLATES}{template.pk}/versions/3/restore/"

    page = text(writer.get(path))
    first = writer.post(path, {"keep_raw": "on"})
    raw = EmailTemplate.objects.get().is_raw
    second = writer.post(path, {"sanitise": "on"}, follow=True)
    comparison = text(writer.get(f"{TEMPLATES}{template.pk}/versions/?from=3&to=4"))

    assert "HTML exactly as written" in page
    assert ("Keep its HTML exactly as written" in page) is may
    assert ("Leave out what mail may not have" in page) is not may
    assert (first.status_code, raw) == (302 if may else 422, True)
    assert not EmailTemplate.objects.get().is_raw
    assert template.versions.get(number=4).html == "<p>Hi</p>"
    assert messages(second)[-1] == (
        "Version 3 is restored; it is version 4 now. What mail may not have is left out."
    )
    assert re.search("HTML exactly as written 1 . removed: yes 1 . added: no", comparison)


def test_the_version_that_the_template_says_now_is_named(
    template: EmailTemplate, console: Client
) -> None:
    saved = console.get(f"{TEMPLATES}{template.pk}/versions/")
    template.source = "<p>\nOne bird\n</p>"
    save_template(template, known=())
    returned = console.get(f"{TEMPLATES}{template.pk}/versions/")

    assert (saved.context["present"].number, returned.context["present"].number) == (2, 1)
    assert "1 present" in text(returned)


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

    page = reader.get(f"{TEMPLATES}{template.pk}/versions/")
    answer = reader.post(f"{TEMPLATES}{template.pk}/versions/1/restore/")

    assert "Restore…" not in text(page)
    assert answer.status_code == 403
    assert EmailTemplate.objects.get().source == template.source
