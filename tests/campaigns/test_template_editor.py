import pytest
from django.test import Client
from django.utils import timezone

from campaigns.services import schedule
from recipients.models import Field
from templates_app.models import EmailTemplate, Layout, MediaBlob, MediaFile, ScanState, Snippet
from templates_app.services import freeze
from tests.console import messages, staff, superuser, text
from tests.factories import make_campaign, make_list, make_recipient, make_template

pytestmark = pytest.mark.django_db

TEMPLATES = "/templates/"


@pytest.fixture
def console() -> Client:
    Field.objects.create(name="first_name")
    return superuser()


def typed(*variants: dict[str, str], **values: str) -> dict[str, str]:
    """Return what a browser sends of the form of a template."""
    form = {
        "name": "News",
        "kind": "html",
        "subject": "News",
        "source": "<p>Hi</p>",
        "variants-TOTAL_FORMS": str(len(variants)),
        "variants-INITIAL_FORMS": str(sum("id" in each for each in variants)),
    }
    for number, variant in enumerate(variants):
        form |= {f"variants-{number}-{name}": value for name, value in variant.items()}
    return form | values


def test_a_template_is_saved_with_its_languages_as_a_version(console: Client) -> None:
    german = {"language": "de", "subject": "Neues", "source": "<p>Hallo {{ first_name }}</p>"}

    answer = console.post(
        f"{TEMPLATES}blank/",
        typed(german, language="en", source="<p>Hi {{ first_name }}</p>"),
        follow=True,
    )

    template = EmailTemplate.objects.get()
    version = template.versions.get()
    assert messages(answer) == ["News is saved as version 1."]
    assert (template.language, template.source) == ("en", "<p>Hi {{ first_name }}</p>")
    assert [each.subject for each in template.variants.all()] == ["Neues"]
    assert (version.number, version.saved_by) == (1, "root")
    assert [each.language for each in version.variants.all()] == ["de"]


def test_lines_end_by_one_character_and_blanks_stay(console: Client) -> None:
    console.post(f"{TEMPLATES}blank/", typed(source="\r\n<p>\r\n  Hi</p>\r\n"))

    assert EmailTemplate.objects.get().source == "\n<p>\n  Hi</p>\n"


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        ({"source": "<p>\n{{ frist_name }}</p>"}, "source", "Line 2: unknown field 'frist_name'"),
        ({"source": "<p>\n\n{% if %}</p>"}, "source", "Line 3: "),
        ({"source": '{% include "footer" %}'}, "source", "Snippet 'footer', line 2: unknown"),
        ({"subject": "{{ nobody_has }}"}, "subject", "Line 1: unknown field 'nobody_has'"),
        ({"text": "Hi\n{{ nobody_has }}"}, "text", "Line 2: unknown field 'nobody_has'"),
        ({"source": " "}, "source", "a template needs HTML"),
        ({"layout": "LAYOUT"}, "layout", "A layout is for Markdown; choose none."),
        ({"subject": ""}, "subject", "This field is required."),
        ({"name": "Taken"}, "name", "with this Name already exists"),
    ],
)
def test_a_fault_is_named_with_its_line_beside_the_part_that_has_it(
    values: dict[str, str], field: str, reason: str, console: Client
) -> None:
    make_template("Taken")
    if "layout" in values:
        layout = Layout.objects.create(name="Letter", kind="html", source="{{ content }}")
        values = {"layout": str(layout.pk)}
    Snippet.objects.create(name="footer", kind="html", source="<p>\n{{ postcode }}</p>")

    answer = console.post(f"{TEMPLATES}blank/", typed(**values))

    errors = answer.context["editing"].form.errors
    assert answer.status_code == 422
    assert list(errors) == [field]
    assert reason in errors[field][0]
    assert reason in text(answer)
    assert EmailTemplate.objects.count() == 1


def test_a_fault_of_another_language_stands_beside_its_field(console: Client) -> None:
    german = {"language": "de", "subject": "Neues", "source": "<p>\n{{ vorname }}</p>"}

    answer = console.post(f"{TEMPLATES}blank/", typed(german))

    [form] = answer.context["editing"].variant_forms.forms
    assert "Line 2: unknown field 'vorname'" in form.errors["source"][0]
    assert not EmailTemplate.objects.exists()


def test_languages_are_closed_until_something_in_them_is_wrong(console: Client) -> None:
    german = {"language": "de", "subject": "Neues", "source": "<p>Hallo</p>"}
    console.post(f"{TEMPLATES}blank/", typed(german))
    path = f"{TEMPLATES}{EmailTemplate.objects.get().pk}/edit/"

    page = console.get(path).content.decode()
    wrong = console.post(path, typed(german | {"subject": ""})).content.decode()

    assert (
        '<details class="variant">'
        in page.partition('id="languages"')[2].partition("</fieldset>")[0]
    )
    assert " open>" not in page.partition('id="languages"')[2].partition("</fieldset>")[0]
    assert (
        '<details class="variant" open>'
        in wrong.partition('id="languages"')[2].partition("</fieldset>")[0]
    )


def test_what_is_too_large_to_be_read_is_said_with_the_way_back(console: Client) -> None:
    answer = console.post(f"{TEMPLATES}blank/", typed(source="x" * 3_000_000))

    assert answer.status_code == 400
    assert "Nothing was saved. Go back in your browser" in text(answer)


def test_two_texts_of_one_language_are_refused(console: Client) -> None:
    german = {"language": "de", "subject": "Neues", "source": "<p>Hallo</p>"}

    answer = console.post(f"{TEMPLATES}blank/", typed(german, german))

    assert answer.status_code == 422
    assert not EmailTemplate.objects.exists()


def test_a_language_is_removed_when_saving(console: Client) -> None:
    german = {"language": "de", "subject": "Neues", "source": "<p>Hallo</p>"}
    console.post(f"{TEMPLATES}blank/", typed(german))
    template = EmailTemplate.objects.get()
    pk = str(template.variants.get().pk)

    console.post(f"{TEMPLATES}{template.pk}/edit/", typed(german | {"id": pk, "DELETE": "on"}))

    assert not template.variants.exists()
    assert template.versions.count() == 2


def test_who_is_overtaken_is_told_and_overwrites_nothing_unknowingly(console: Client) -> None:
    german = {"language": "de", "subject": "Neues", "source": "<p>Hallo</p>"}
    console.post(f"{TEMPLATES}blank/", typed(german))
    template = EmailTemplate.objects.get()
    path = f"{TEMPLATES}{template.pk}/edit/"
    seen = console.get(path).context["seen"]
    mine = typed(german | {"id": str(template.variants.get().pk)}, subject="Mine", seen=seen)
    console.post(path, typed(subject="Theirs", seen=seen))  # without German

    refused = console.post(path, mine)
    stands = EmailTemplate.objects.get().subject
    again = console.post(path, mine | {"seen": refused.context["seen"]}, follow=True)
    twice = console.post(path, mine | {"seen": seen}, follow=True)

    assert (refused.status_code, stands) == (422, "Theirs")
    assert "Somebody has saved this template since you opened it" in text(refused)
    assert 'value="Mine"' in refused.content.decode()
    assert messages(again) == messages(twice) == ["News is saved as version 3."]
    assert (EmailTemplate.objects.get().subject, template.variants.count()) == ("Mine", 1)


def test_before_anybody_is_imported_any_field_may_be_one(console: Client) -> None:
    Field.objects.all().delete()

    console.post(f"{TEMPLATES}blank/", typed(source="<p>Hi {{ whoever }}</p>"))

    assert EmailTemplate.objects.exists()


def test_what_is_taken_away_is_said_each_time_and_the_source_stays(console: Client) -> None:
    source = "<p>Hi</p><script>alert(1)</script>"
    make_template(html=source)
    template = EmailTemplate.objects.get()

    page = console.get(f"{TEMPLATES}{template.pk}/edit/")

    assert [each.part for each in page.context["warnings"]] == ["source"]
    assert "Your source is kept as you wrote it" in text(page)
    assert page.context["editing"].form["source"].value() == source


def test_what_can_be_used_is_ready_to_be_copied(console: Client) -> None:
    Snippet.objects.create(name="footer", kind="mjml", source="<mj-text>Bye</mj-text>")
    blob = MediaBlob.objects.create(
        digest="0" * 64, key="k", token="t", size=1, content_type="image/png", scan=ScanState.OFF
    )
    MediaFile.objects.create(folder="Logos", name="shore.png", blob=blob)

    page = console.get(f"{TEMPLATES}blank/").content.decode()

    assert '<input readonly value="{{ first_name }}"' in page
    assert '<input readonly value="{{ unsubscribe_url }}"' in page
    assert '<input readonly value="{% include &quot;footer&quot; %}"' in page
    assert '<input readonly value="media:Logos/shore.png"' in page


def test_saving_says_which_campaigns_still_send_an_earlier_version(console: Client) -> None:
    make_recipient(lists=[make_list()])
    campaign = make_campaign(template=make_template("News"))
    now = timezone.now()
    schedule(campaign, now=now, at=now)

    answer = console.post(
        f"{TEMPLATES}{campaign.template.pk}/edit/", typed(subject="Newer"), follow=True
    )

    assert "Still scheduled with an earlier one: Spring (News v1)." in messages(answer)[0]


def test_who_may_only_look_sees_the_source_and_saves_nothing() -> None:
    template = make_template()
    reader = staff("templates_app.view_emailtemplate")

    page = reader.get(f"{TEMPLATES}{template.pk}/edit/").content.decode()
    saved = reader.post(f"{TEMPLATES}{template.pk}/edit/", typed(subject="Other"))
    added = reader.get(f"{TEMPLATES}blank/")

    assert '<fieldset class="fields" disabled>' in page
    assert (saved.status_code, added.status_code) == (403, 403)
    assert EmailTemplate.objects.get().subject == "News"


RAW = '<p onclick="x()">Hi</p>'
KEEP = "Keep my HTML exactly as written"


@pytest.mark.parametrize(
    ("may", "choice", "is_raw"),
    [(True, {"is_raw": "on"}, True), (True, {}, False), (False, {"is_raw": "on"}, False)],
)
def test_html_is_kept_as_written_by_choice_of_those_who_may_write_it(
    may: bool, choice: dict[str, str], is_raw: bool
) -> None:
    allowed = ["templates_app.write_raw_html"] if may else []
    writer = staff(
        "templates_app.view_emailtemplate",
        "templates_app.add_emailtemplate",
        "templates_app.change_emailtemplate",
        *allowed,
    )

    page = text(writer.get(f"{TEMPLATES}blank/"))
    answer = writer.post(f"{TEMPLATES}blank/", typed(source=RAW, **choice), follow=True)

    template = EmailTemplate.objects.get()
    assert (KEEP in page) is may
    assert template.is_raw is is_raw
    assert ("onclick" in template.versions.get().html) is is_raw
    assert ("Its HTML is sent exactly as written" in text(answer)) is is_raw


def test_an_administrator_who_mends_a_sanitised_template_does_not_make_its_script_live(
    console: Client,
) -> None:
    template = make_template(html=f"{RAW}<p>Helo</p>")

    console.post(f"{TEMPLATES}{template.pk}/edit/", typed(source=f"{RAW}<p>Hello</p>"))

    assert template.versions.get(number=2).html == "<p>Hi</p><p>Hello</p>"


def test_a_page_that_was_opened_while_html_was_kept_does_not_keep_it_again_unseen(
    console: Client,
) -> None:
    template = make_template(html=RAW)
    EmailTemplate.objects.update(is_raw=True)
    path = f"{TEMPLATES}{template.pk}/edit/"
    opened = console.get(path).content.decode()
    EmailTemplate.objects.update(is_raw=False)  # by somebody who may change its snippets now

    refused = console.post(path, typed(is_raw="on", was_raw="on"))
    is_raw = EmailTemplate.objects.get().is_raw
    shown = refused.content.decode()
    console.post(path, typed(is_raw="on"))

    assert ['name="was_raw" value="on"' in page for page in (opened, shown)] == [True, False]
    assert "Since you opened this page" in text(refused)
    assert (refused.status_code, is_raw) == (422, False)
    assert EmailTemplate.objects.get().is_raw


def test_who_may_not_write_raw_html_is_asked_before_a_raw_template_is_sanitised() -> None:
    template = make_template(html=RAW)
    EmailTemplate.objects.update(is_raw=True)
    writer = staff("templates_app.view_emailtemplate", "templates_app.change_emailtemplate")
    path, change = f"{TEMPLATES}{template.pk}/edit/", typed(source=f"{RAW}<p>Hello</p>")

    before = text(writer.get(path))
    refused = writer.post(path, change)
    unchanged = EmailTemplate.objects.get()
    versions = template.versions.count()
    in_vain = writer.post(path, change | {"sanitise": "on", "subject": ""})
    saved = writer.post(path, change | {"sanitise": "on"})

    assert "you are asked before your change is saved" in before
    assert (KEEP in before, "Leave out what mail may not have" in before) == (False, False)
    assert (refused.status_code, in_vain.status_code, saved.status_code) == (422, 422, 302)
    assert list(refused.context["editing"].form.errors) == ["sanitise"]
    assert 'name="sanitise"' in refused.content.decode()
    assert (unchanged.source, unchanged.is_raw, versions) == (RAW, True, 1)
    assert EmailTemplate.objects.filter(is_raw=False).exists()
    assert template.versions.get(number=2).html == "<p>Hi</p><p>Hello</p>"


def test_a_frozen_version_is_shown_and_nobody_changes_it(console: Client) -> None:
    version = freeze(make_template())
    path = f"/admin/templates_app/templateversion/{version.pk}/"

    page = console.get(f"{path}change/").content.decode()
    opened = console.get(f"{path}open/")
    answers = [
        console.post(f"{path}change/", {"subject": "Other"}),
        console.post(f"{path}delete/", {"post": "yes"}),
        console.post("/admin/templates_app/templateversion/add/", {"subject": "Other"}),
    ]

    assert opened["Location"] == f"{TEMPLATES}{version.template_id}/versions/1/preview/"
    assert 'name="_save"' not in page
    assert [answer.status_code for answer in answers] == [403, 403, 403]
