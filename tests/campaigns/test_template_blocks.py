"""The composer of blocks: buttons, no drag, no script."""

from typing import Any

import pytest
from django.test import Client

from campaigns.views.templates.blocks import changed
from templates_app.blocks import BLANK, Block, BlockKind, compose, parse
from templates_app.models import EmailTemplate, Kind
from tests.console import messages, staff, superuser, text
from tests.factories import make_template

pytestmark = pytest.mark.django_db

ONE, TWO, THREE = (Block(BlockKind.TEXT, text=each) for each in ("One", "Two", "Three"))


@pytest.fixture
def console() -> Client:
    return superuser()


@pytest.fixture
def template(console: Client) -> EmailTemplate:
    """A template that was begun on the page of new ones."""
    console.post("/templates/new/", {"starter": "blocks", "name": "News"})
    return EmailTemplate.objects.get()


def sent(*blocks: tuple[str, str], **values: str) -> dict[str, str]:
    """Return what a browser sends of these blocks."""
    form = {"count": str(len(blocks)), **values}
    for number, (kind, said) in enumerate(blocks):
        form |= {f"{number}-kind": kind, f"{number}-text": said}
    return form


def kinds(answer: Any) -> list[str]:
    return [row.kind.value for row in answer.context["rows"]]


def test_a_new_template_of_blocks_is_shown_changed_and_saved(
    console: Client, template: EmailTemplate
) -> None:
    path = f"/templates/{template.pk}/blocks/"
    shown = console.get(path)
    blocks = [("heading", "Hello"), ("text", "**Dear** {{ email }}")]

    added = console.post(path, sent(*blocks, do="add-button"))
    unsaved = EmailTemplate.objects.get().source
    seen = shown.context["seen"]
    answer = console.post(path, sent(*blocks, do="save", seen=seen), follow=True)

    assert (kinds(shown), kinds(added)) == (["heading", "text"], ["heading", "text", "button"])
    assert "Not saved yet." in text(added)
    assert "autofocus" in added.content.decode().partition('id="id_2-text"')[2].partition(">")[0]
    assert unsaved == template.source
    assert messages(answer) == ["News is saved as version 2."]
    assert "<strong>Dear</strong> {{ email }}" in EmailTemplate.objects.get().source
    assert [block.text for block in parse(EmailTemplate.objects.get().source).blocks] == [
        "Hello",
        "**Dear** {{ email }}",
    ]


@pytest.mark.parametrize(
    ("verb", "what", "expected", "focus"),
    [
        ("up", "1", [TWO, ONE, THREE], (0, "up")),
        ("up", "0", [ONE, TWO, THREE], (0, "up")),
        ("down", "1", [ONE, THREE, TWO], (2, "down")),
        ("down", "2", [ONE, TWO, THREE], (2, "down")),
        ("copy", "0", [ONE, ONE, TWO, THREE], (1, "field")),
        ("remove", "1", [ONE, THREE], (1, "remove")),
        ("remove", "2", [ONE, TWO], (1, "remove")),
        ("add", "divider", [ONE, TWO, THREE, Block(BlockKind.DIVIDER)], (3, "field")),
        ("add", "nothing", [ONE, TWO, THREE], (-1, "")),
        ("up", "9", [ONE, TWO, THREE], (-1, "")),
        ("look", "", [ONE, TWO, THREE], (-1, "")),
    ],
)
def test_a_button_changes_the_order_and_says_where_the_focus_goes(
    verb: str, what: str, expected: list[Block], focus: tuple[int, str]
) -> None:
    assert changed([ONE, TWO, THREE], verb, what) == (expected, focus)


def test_what_cannot_be_sent_is_refused_and_what_was_typed_stays(
    console: Client, template: EmailTemplate
) -> None:
    data = sent(("raw", "<mj-section>"), ("text", "Mine"), do="save")

    answer = console.post(f"/templates/{template.pk}/blocks/", data)

    assert answer.status_code == 422
    assert "<mj-section> is not closed" in text(answer).replace("&lt;", "<")
    assert "Mine" in answer.content.decode()
    assert EmailTemplate.objects.get().source == template.source


def test_who_is_overtaken_overwrites_nothing(console: Client, template: EmailTemplate) -> None:
    path = f"/templates/{template.pk}/blocks/"
    seen = console.get(path).context["seen"]
    console.post(path, sent(("text", "Theirs"), do="save", seen=seen))

    answer = console.post(path, sent(("text", "Mine"), do="save", seen=seen))

    assert answer.status_code == 422
    assert "Somebody has saved this template since you opened it" in text(answer)
    assert "Theirs" in EmailTemplate.objects.get().source


def test_what_is_around_the_blocks_stays(console: Client, template: EmailTemplate) -> None:
    source = template.source.replace("<mj-head>", "<mj-head><mj-title>Ours</mj-title>")
    EmailTemplate.objects.update(source=source)

    console.post(f"/templates/{template.pk}/blocks/", sent(("text", "New"), do="save"))

    assert "<mj-title>Ours</mj-title>" in EmailTemplate.objects.get().source


def test_a_template_without_mjml_has_no_blocks_and_says_where_to_write_it(console: Client) -> None:
    template = make_template()

    page = text(console.get(f"/templates/{template.pk}/blocks/"))

    assert "Only a template that is written in MJML has blocks. Write its source" in page


def test_who_may_only_look_sees_blocks_and_no_buttons() -> None:
    source = compose(BLANK)
    template = EmailTemplate.objects.create(
        name="News", kind=Kind.MJML, subject="News", source=source
    )
    reader = staff("templates_app.view_emailtemplate")

    page = reader.get(f"/templates/{template.pk}/blocks/").content.decode()
    answer = reader.post(f"/templates/{template.pk}/blocks/", sent(do="save"))

    assert 'name="do"' not in page
    assert answer.status_code == 403
