import json
import re
from typing import Any

import pytest
from django.test import Client

from campaigns.finding import Finder
from recipients.models import Field, FieldKind, Recipient
from templates_app.models import EmailTemplate, TemplateVariant
from templates_app.services import save_template
from tests.campaigns.test_template_editor import typed
from tests.console import staff, superuser, text
from tests.factories import make_recipient, make_template

pytestmark = pytest.mark.django_db

TEMPLATES = "/templates/"
HTML = (
    "<p>Dear {{ first_name | default('reader') }}</p>"
    "{% if city == 'Nome' %}<p>North</p>{% else %}<p>South</p>{% endif %}"
)
NUMBERS = [("language", ""), ("who", "b-"), ("who", "r-"), ("samples", "0-1:")]


@pytest.fixture
def console() -> Client:
    Field.objects.create(name="first_name")
    Field.objects.create(name="city")
    return superuser()


def make_bilingual() -> EmailTemplate:
    template = EmailTemplate(name="News", kind="html", subject="News", source=HTML, language="en")
    german = TemplateVariant(language="de", subject="Neues", source="<p>Hallo {{ city }}</p>")
    save_template(template, variants=[german], known={"first_name", "city"})
    return template


def show(console: Client, template: EmailTemplate, **data: str) -> Any:
    """Return the preview that the page shows for what was chosen."""
    answer = console.post(f"{TEMPLATES}{template.pk}/preview/", data)
    assert answer.status_code == 200
    return answer.context["preview"]


def test_the_message_stands_in_a_frame_that_may_do_nothing(console: Client) -> None:
    template = make_template(html="<p>Dear {{ first_name }}</p><script>alert(1)</script>")
    EmailTemplate.objects.update(is_raw=True)

    answer = console.get(f"{TEMPLATES}{template.pk}/preview/")
    page = answer.content.decode()

    [address] = re.findall(r'sandbox="" referrerpolicy="no-referrer" src="([^"]+)"', page)
    frame, others = console.get(address), staff("templates_app.view_emailtemplate").get(address)
    assert "<p>Dear Ada</p><script>alert" in frame.content.decode()
    assert frame["Content-Security-Policy"].startswith("sandbox; default-src 'none';")
    assert (frame["X-Frame-Options"], frame["Referrer-Policy"]) == ("SAMEORIGIN", "no-referrer")
    assert "<p>Dear Ada" not in page
    assert others.status_code == 404


def test_a_recipient_is_found_by_address_part_and_name_and_shown(console: Client) -> None:
    template = make_template(html=HTML)
    ada = make_recipient("ada@example.org", fields={"first_name": "Zoë", "city": "Nome"})

    found = [
        show(console, template, search=each).found for each in ("ADA@example.org", "da@", "Zo")
    ]
    shown = show(console, template, who=f"r-{ada.pk}")

    assert found == [[ada]] * 3
    assert shown.reader.label == "ada@example.org"
    assert "Dear Zoë</p><p>North" in shown.frame


def test_a_recipient_gets_the_text_of_their_language(console: Client) -> None:
    template = make_bilingual()
    ben = make_recipient("ben@example.org", fields={"city": "Wien"})
    Recipient.objects.update(language="de-AT")

    shown = show(console, template, who=f"r-{ben.pk}")
    chosen = show(console, template, who=f"r-{ben.pk}", language="0")

    assert "Hallo Wien" in shown.frame
    assert "South" in chosen.frame


@pytest.mark.parametrize(
    ("language", "subject"),
    [("de-CH-1996", "Neues"), ("de_AT", "Neues"), ("den", "News"), ("en-GB", "News")],
)
def test_the_text_is_the_one_that_would_be_sent(
    language: str, subject: str, console: Client
) -> None:
    ben = make_recipient("ben@example.org", fields={"city": "Wien"})
    Recipient.objects.update(language=language)

    shown = show(console, make_bilingual(), who=f"r-{ben.pk}")

    assert shown.rendered.subject == subject


def test_dates_and_samples_are_those_of_the_text(console: Client) -> None:
    Field.objects.create(name="born", kind=FieldKind.DATE)
    template = make_template(html="<p>Hi</p>")
    german = "<p>{% if born %}{{ born | date('long') }}{% endif %}</p>"
    variants = [TemplateVariant(language="de", subject="Neues", source=german)]
    save_template(template, variants=variants, known={"born"})
    make_recipient("dene@example.org", fields={"born": "1990-02-01"})
    Recipient.objects.update(language="den")

    shown = show(console, template, language="1")

    assert "4. Dezember 2026" in shown.rendered.html
    assert [each.who for each in shown.samples] == [None, None]


def test_a_recipient_without_a_field_is_said_to_get_nothing(console: Client) -> None:
    template = make_bilingual()
    ben = make_recipient("ben@example.org")

    answer = console.post(
        f"{TEMPLATES}{template.pk}/preview/", {"who": f"r-{ben.pk}", "language": "1"}
    )

    assert "ben@example.org would get no message: html, line 1: the field 'city'" in text(answer)


def test_each_branch_has_a_sample_of_real_readers_where_there_are_some(console: Client) -> None:
    template = make_template(html=HTML)
    make_recipient("ada@example.org", fields={"first_name": "Ada", "city": "Nome"})

    preview = show(console, template)
    north = show(console, template, who="b-2")
    south = show(console, template, who="b-3")

    assert [(each.branch.title, each.who and each.who.label) for each in preview.samples] == [
        ("first_name has a value", "ada@example.org"),
        ("first_name has no value: its default", None),
        ("{% if city == 'Nome' %}", "ada@example.org"),
        ("otherwise, after {% if city == 'Nome' %}", None),
    ]
    assert ("North" in north.frame, "South" in south.frame) == (True, True)


def test_samples_are_looked_for_in_all_of_the_base_once_and_who_is_not_found_is_said(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Finder, "newest", lambda _self: iter(()))
    make_recipient("ada@example.org", fields={"city": "Nome"})
    template = make_template(html="{% if city == 'Nome' %}N{% elif city == 'Rome' %}R{% endif %}")
    path = f"{TEMPLATES}{template.pk}/preview/"

    first = console.get(path)
    remembered = first.context["preview"].samples_in_one
    make_recipient("rhea@example.org", fields={"city": "Rome"})
    again = console.post(path, {"samples": remembered})
    anew = console.post(path, {"samples": "0-0:1"})

    assert "{% elif city == 'Rome' %} nobody was found; invented" in text(first)
    assert "{% elif city == 'Rome' %} nobody was found; invented" in text(again)
    assert "{% if city == 'Nome' %} ada@example.org" in text(again)
    assert "{% elif city == 'Rome' %} rhea@example.org" in text(anew)


def test_a_search_that_was_ended_is_said_each_time(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Finder.__init__, "__kwdefaults__", {"newest": 2, "seconds": 0})
    template = make_template(html=HTML)
    path = f"{TEMPLATES}{template.pk}/preview/"

    first = console.get(path)
    again = console.post(path, {"samples": first.context["preview"].samples_in_one})

    assert "not all of them were looked at" in text(first)
    assert "not all of them were looked at" in text(again)


def test_nobody_gets_a_message_that_everybody_lacks_a_field_for(console: Client) -> None:
    make_recipient("ada@example.org", fields={"first_name": "Ada"})
    template = make_template(html=HTML)

    page = text(console.get(f"{TEMPLATES}{template.pk}/preview/"))

    assert "Nobody who was asked would get this message" in page


@pytest.mark.parametrize(
    "data",
    [{"search": "a\0b"}, *({name: f"{value}{'9' * 5_000}"} for name, value in NUMBERS)],
    ids=range(1 + len(NUMBERS)),
)
def test_what_no_button_sends_harms_nothing(data: dict[str, str], console: Client) -> None:
    template = make_template()

    answer = console.post(f"{TEMPLATES}{template.pk}/preview/", data)
    compared = console.get(f"{TEMPLATES}{template.pk}/versions/?to=1&from={'9' * 5_000}")

    assert (answer.status_code, compared.status_code) == (200, 200)


def test_values_are_typed_by_the_kinds_of_their_fields(console: Client) -> None:
    Field.objects.create(name="age", kind=FieldKind.NUMBER)
    Field.objects.create(name="birds")
    html = "<p>{{ age + 1 }}</p>{% for b in birds %}<i>{{ b }}</i>{% endfor %}"
    template = make_template(html=html)

    values = {"value-age": "41", "value-birds": '["Knot", "Ruff"]'}
    shown = show(console, template, who="typed", **values)

    assert "<p>42</p><i>Knot</i><i>Ruff</i>" in shown.frame
    assert dict(shown.values) == {"age": "41", "birds": '["Knot", "Ruff"]'}


def test_values_that_were_changed_are_shown_whichever_button_is_pressed(console: Client) -> None:
    template = make_template(html="<p>{{ city }}</p>")
    ada = make_recipient("ada@example.org", fields={"city": "Nome"})
    before = show(console, template, who=f"r-{ada.pk}")
    sent = {"who": f"r-{ada.pk}", "were": before.values_in_one, "show": "mobile"}

    same = show(console, template, **sent, **{"value-city": "Nome"})
    changed = show(console, template, **sent, **{"value-city": "Oslo"})
    path = f"{TEMPLATES}{template.pk}/preview/"
    asked = console.post(path, sent | {"value-city": "Oslo", "who": ["", f"r-{ada.pk}"]})

    assert (same.who, "Nome" in same.frame) == (f"r-{ada.pk}", True)
    assert (changed.who, "Oslo" in changed.frame) == ("typed", True)
    assert asked.context["preview"].who == f"r-{ada.pk}"


@pytest.mark.parametrize(
    ("view", "expected"), [("text", "Dear Ada"), ("source", "&lt;p&gt;Dear Ada&lt;/p&gt;")]
)
def test_text_and_html_are_shown_as_they_are_sent(
    view: str, expected: str, console: Client
) -> None:
    template = make_template(html=HTML)

    page = console.post(f"{TEMPLATES}{template.pk}/preview/", {"show": view}).content.decode()

    assert expected in page.partition('<pre class="preview-text"')[2].partition("</pre>")[0]
    assert "<iframe" not in page


def test_dark_is_what_a_reader_sees_who_prefers_dark(console: Client) -> None:
    html = "<style>@media (prefers-color-scheme: dark) { p { color: red } }</style><p>Hi</p>"
    template = make_template(html=html)

    light, dark = (show(console, template, show=each).frame for each in ("mobile", "mobile-dark"))

    assert "@media (max-width: 0px)" in light
    assert "@media (min-width: 0px)" in dark


def test_what_is_typed_is_shown_and_not_saved(console: Client) -> None:
    template = make_template()
    form = typed(source="<p>Typed {{ first_name }}</p>", name="")

    first = console.post(f"{TEMPLATES}{template.pk}/preview/", form)
    draft = first.context["shown"].draft
    again = console.post(f"{TEMPLATES}{template.pk}/preview/", {"draft": draft, "show": "text"})
    new = console.post(f"{TEMPLATES}blank/preview/", form)

    assert "Typed Ada" in first.context["preview"].frame
    assert "Typed Ada" in again.content.decode()
    assert "Typed Ada" in new.context["preview"].frame
    assert EmailTemplate.objects.get().source == template.source


@pytest.mark.parametrize(
    ("may", "choice", "is_raw"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_what_is_typed_is_shown_raw_as_it_would_be_saved(
    may: bool, choice: bool, is_raw: bool
) -> None:
    path = f"{TEMPLATES}{make_template().pk}/preview/"
    allowed = ["templates_app.write_raw_html"] if may else []
    writer = staff(
        "templates_app.view_emailtemplate", "templates_app.change_emailtemplate", *allowed
    )
    source = "<p onclick='x()'>Hi</p>"
    written = {"subject": "S", "source": source}
    draft = json.dumps({"kind": "html", "written": [written], "is_raw": choice})

    answers = [
        writer.post(path, {"draft": draft}),
        writer.post(path, typed(source=source, **({"is_raw": "on"} if choice else {}))),
    ]

    shown = ["onclick" in answer.context["preview"].rendered.html for answer in answers]
    assert shown == [is_raw, is_raw]


@pytest.mark.parametrize(
    "draft",
    [
        "",
        "[]",
        "{}",
        '{"kind": "doc", "written": []}',
        '{"kind": "html", "written": []}',
        '{"kind": "html", "written": [{"subject": 1, "source": 2}]}',
        '{"kind": "html", "written": [{"subject": "\\ud800", "source": "-"}]}',
        '{"kind": "html", "written": [{"subject": "S", "source": "-"}], "is_raw": "no"}',
        "[" * 100_000,
    ],
    ids=range(9),
)
def test_what_is_no_draft_is_refused(draft: str, console: Client) -> None:
    answer = console.post(f"{TEMPLATES}blank/preview/", {"draft": draft})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "value", ['["\\ud800"]', "[" * 100_000, "[NaN, 1e999]", "9" * 5_000], ids=range(4)
)
def test_a_value_that_cannot_be_shown_harms_nothing(value: str, console: Client) -> None:
    template = make_template(html="<p>{{ city }}</p>")

    answer = console.post(
        f"{TEMPLATES}{template.pk}/preview/", {"who": "typed", "value-city": value}
    )

    assert answer.status_code == 200


def test_what_cannot_be_shown_says_why(console: Client) -> None:
    template = make_template()
    EmailTemplate.objects.update(source="{% for %}")

    page = text(console.get(f"{TEMPLATES}{template.pk}/preview/"))

    assert "It cannot be shown: source, line 1" in page


def test_a_version_is_shown_as_it_was_frozen(console: Client) -> None:
    template = make_template(html="<p>Old</p>")
    template.source = "<p>New</p>"
    save_template(template, known=())

    old = console.get(f"{TEMPLATES}{template.pk}/versions/1/preview/")
    gone = console.get(f"{TEMPLATES}{template.pk}/versions/9/preview/")

    assert "<p>Old</p>" in old.context["preview"].frame
    assert gone.status_code == 404


def test_who_may_not_see_recipients_sees_invented_readers_alone() -> None:
    template = make_template(html=HTML)
    ada = make_recipient("ada@example.org", fields={"first_name": "Zoë", "city": "Nome"})
    writer = staff("templates_app.view_emailtemplate")

    preview = show(writer, template, who=f"r-{ada.pk}", search="ada")
    typed_by_a_reader = writer.post(f"{TEMPLATES}{template.pk}/preview/", typed())

    assert (preview.found, preview.reader.label) == ([], "Somebody invented")
    assert [each.who for each in preview.samples] == [None] * 4
    assert typed_by_a_reader.status_code == 403
