"""What is typed into the editor and not saved."""

import re
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from templates_app.models import EmailTemplate, TemplateDraft
from tests.campaigns.test_template_editor import typed
from tests.console import staff, superuser, text
from tests.factories import make_campaign, make_template

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def console() -> Client:
    return superuser()


@pytest.fixture
def template() -> EmailTemplate:
    return make_template("News")


def keep(console: Client, template: EmailTemplate, **values: str) -> Any:
    """Send what an editor's window sends while somebody types."""
    path = f"/templates/{template.pk}/edit/-/live/"
    return console.post(path, typed() | {"revision": "0"} | values, headers=HTMX)


def revision(answer: Any) -> str:
    [found] = re.findall(r'name="revision" value="(\d+)"', answer.content.decode())
    return str(found)


def frame(answer: Any) -> str:
    [found] = re.findall(r'name="frame" value="(\w*)"', answer.content.decode())
    return str(found)


def test_what_is_typed_is_kept_and_shown_and_not_saved(
    console: Client, template: EmailTemplate
) -> None:
    first = keep(console, template, source="<p>One</p>")
    second = keep(console, template, source="<p>Two</p>", revision=revision(first))

    shown = console.get(f"/templates/-/frame/{frame(second)}/").content.decode()
    assert "<p>Two</p>" in shown
    assert "as draft 2" in text(second)
    assert TemplateDraft.objects.get().typed["source"] == "<p>Two</p>"
    assert EmailTemplate.objects.get().source == template.source


def test_the_last_good_preview_stays_below_what_is_wrong_with_its_line(
    console: Client, template: EmailTemplate
) -> None:
    good = keep(console, template, source="<p>One</p>")

    wrong = keep(
        console, template, source="<p>\n{% if %}</p>", revision=revision(good), frame=frame(good)
    )

    assert frame(wrong) == frame(good)
    assert 'data-line="2"' in wrong.content.decode()
    assert "Not shown yet; below is the last that could be" in text(wrong)
    assert TemplateDraft.objects.get().typed["source"] == "<p>\n{% if %}</p>"


def test_another_window_of_the_same_author_overwrites_nothing(
    console: Client, template: EmailTemplate
) -> None:
    keep(console, template, source="<p>Here</p>")

    elsewhere = keep(console, template, source="<p>There</p>")

    assert "another window of yours has kept something newer" in text(elsewhere)
    assert TemplateDraft.objects.get().typed["source"] == "<p>Here</p>"


def test_a_draft_is_offered_where_it_differs_and_goes_when_it_is_saved(
    console: Client, template: EmailTemplate
) -> None:
    path = f"/templates/{template.pk}/edit/"
    same = typed(name="News", subject=template.subject, source=template.source)
    kept = keep(console, template, **same)
    unchanged = text(console.get(path))
    kept = keep(console, template, subject="Newer", revision=revision(kept))

    offered = console.get(path)
    taken_up = console.get(f"{path}?draft=1").content.decode()
    console.post(path, typed(subject="Newer", revision=revision(kept)))

    assert "that is not saved" not in unchanged
    assert "You wrote something here" in text(offered)
    assert 'name="revision"' not in offered.content.decode()
    assert 'value="Newer"' in taken_up
    assert not TemplateDraft.objects.exists()


def test_nothing_is_kept_before_the_author_has_decided_about_an_older_draft(
    console: Client, template: EmailTemplate
) -> None:
    keep(console, template, subject="Older")
    undecided = typed(subject="Newer")

    answer = console.post(f"/templates/{template.pk}/edit/-/live/", undecided, headers=HTMX)
    stays = TemplateDraft.objects.get().typed["subject"]
    console.post(f"/templates/{template.pk}/edit/", {"discard": "1"})

    assert "decide about the draft above first" in text(answer)
    assert stays == "Older"
    assert not TemplateDraft.objects.exists()


def test_who_is_overtaken_sees_both_versions(console: Client, template: EmailTemplate) -> None:
    path = f"/templates/{template.pk}/edit/"
    seen = console.get(path).context["seen"]
    console.post(path, typed(source="<p>Theirs</p>", seen=seen))

    told = keep(console, template, source="<p>Mine</p>", seen=seen)
    refused = console.post(path, typed(source="<p>Mine</p>", seen=seen))

    assert "root has saved this template meanwhile" in text(told)
    assert "removed: <p> Theirs </p>" in text(refused).replace("<p>Theirs", "<p> Theirs").replace(
        "Theirs</p>", "Theirs </p>"
    )
    assert "What is saved now, and what you have written" in text(refused)


def test_a_new_template_is_kept_as_well(console: Client) -> None:
    data = typed(subject="Mine") | {"revision": "0"}

    console.post("/templates/blank/-/live/", data, headers=HTMX)
    page = console.get("/templates/blank/?draft=1").content.decode()
    console.post("/templates/blank/", typed(subject="Mine", revision="1"))

    assert 'value="Mine"' in page
    assert not TemplateDraft.objects.exists()


def test_who_may_only_look_keeps_nothing(template: EmailTemplate) -> None:
    answer = keep(staff("templates_app.view_emailtemplate"), template)

    assert answer.status_code == 403
    assert not TemplateDraft.objects.exists()


def test_without_redis_the_preview_says_so_and_the_draft_is_kept(
    console: Client, template: EmailTemplate, settings: Settings
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    answer = keep(console, template, subject="Mine")

    assert "Redis does not answer" in text(answer)
    assert TemplateDraft.objects.get().typed["subject"] == "Mine"


def test_an_author_has_one_draft_of_a_template(console: Client, template: EmailTemplate) -> None:
    """The constraint is called template_draft_author_unique; it counts new templates as one."""
    keep(console, template)
    draft = TemplateDraft.objects.get()
    values = {"typed": {}, "revision": 1, "saved_at": timezone.now(), "author": draft.author}
    TemplateDraft.objects.create(template=None, **values)

    with pytest.raises(IntegrityError, match="template_draft_author_unique"):
        TemplateDraft.objects.create(template=None, **values)


def test_the_list_finds_templates_and_says_when_each_was_last_sent(console: Client) -> None:
    assert "There is no template yet" in text(console.get("/templates/"))
    make_template("Spring")

    found, none = (text(console.get(f"/templates/?q={each}")) for each in ("spr", "autumn"))

    assert "Spring" in found
    assert "No template answers to this filter" in none


def test_a_template_that_a_campaign_uses_is_not_deleted(console: Client) -> None:
    campaign = make_campaign()
    path = f"/templates/{campaign.template_id}/delete/"

    page, answer = console.get(path), console.post(path)

    assert "It cannot be deleted: these campaigns use it. Spring" in text(page)
    assert answer.status_code == 422
    assert EmailTemplate.objects.exists()
