import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS
from babel.messages.pofile import write_po
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.forms import DurationField
from django.utils.translation import override

from config.web import messages
from recipients.translatable import Translatable

LANGUAGES = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
PLACEHOLDER = re.compile(r"%\((\w+)\)|\{(\w*)\}")

TEMPLATE = b"""<h1 class="X">{% translate 'A/B test, "X"' %} XXX</h1>
{% blocktranslate count n=rows|length trimmed %}
  {{ n }} row
{% plural %}
  {{ n }} rows
{% endblocktranslate %}
{{ title|default:_("No title") }} {% translate "Open" context "a door" %}
"""


def forms(said: Any) -> list[str]:
    """Return what is said of one, and of many; of a message without a number, the one."""
    return [said] if isinstance(said, str) else list(said)


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.LOCALE_PATHS = [tmp_path]
    return tmp_path / "vi" / "LC_MESSAGES"


def test_every_message_of_a_template_is_found() -> None:
    found = messages.extract_template(BytesIO(TEMPLATE), DEFAULT_KEYWORDS, [], {})

    assert [(line, message) for line, _, message, _ in found] == [
        (1, 'A/B test, "X"'),
        (2, ("%(n)s row", "%(n)s rows", None)),  # the last is the number
        (7, "No title"),
        (7, ("a door", "Open")),
    ]


def test_what_is_translated_stays_and_what_is_new_is_named(folder: Path) -> None:
    call_command("update_translations")
    known = messages.catalogue_of("vi")
    next(message for message in known if message.id == "Campaigns").string = "Chiến dịch"
    known.add("said nowhere any more", string="không còn nữa")
    with (folder / "django.po").open("wb") as file:
        write_po(file, known)

    updated = messages.update("vi")

    said = {message.id: message.string for message in updated}
    assert said["Campaigns"] == "Chiến dịch"
    assert "said nowhere any more" not in said
    assert set(messages.not_translated(updated)) == {
        str(message.id) for message in messages.sought("vi") if message.id
    } - {"Campaigns"}


def test_what_is_compiled_twice_is_the_same(folder: Path) -> None:
    messages.update("vi")
    first = [path.read_bytes() for path in sorted(folder.iterdir())]

    messages.update("vi")

    assert [path.read_bytes() for path in sorted(folder.iterdir())] == first


def test_a_stored_sentence_is_read_in_the_language_of_its_reader() -> None:
    stored = Translatable("%(name)s is not a language.", {"name": "tlh"}).stored

    with override("en"):
        english = str(Translatable.of(stored))

    assert english == "tlh is not a language."


def test_a_stored_sentence_may_have_another_one_in_it_and_numbers_of_the_reader() -> None:
    why = Translatable("%(name)s is away.", {"name": "the relay"})
    sentence = Translatable("%(count)s wait: %(why)s", {"count": 1234, "why": why})

    read = Translatable.of(json.loads(json.dumps(sentence.stored)))

    with override("en"):
        assert str(read) == str(sentence) == "1,234 wait: the relay is away."
    with override("vi"):
        assert str(read) == "1.234 wait: the relay is away."


def test_of_packages_is_sought_what_they_have_not_translated_themselves() -> None:
    in_vietnamese, in_german = (
        {message.id for message in messages.sought(language)} for language in ("vi", "de")
    )

    assert {"Forgot your password?", "Reset filters", "Campaigns"} <= in_vietnamese
    assert "Save and continue editing" not in in_vietnamese  # Django has it
    assert "Forgot your password?" not in in_german


def test_what_django_refuses_in_newer_words_is_said_in_vietnamese() -> None:
    with pytest.raises(ValidationError) as refusal:
        DurationField().clean("whenever")

    with override("vi"):
        assert refusal.value.messages == ["Hãy nhập khoảng thời gian hợp lệ."]


def test_no_message_is_said_with_a_number_and_without_one() -> None:
    """Python 3.11.2 would find it with a number alone, and leave the other one in English."""
    said = [
        (message, context)
        for app in messages.APPS
        for _file, _line, message, _comments, context in messages.extracted(
            settings.BASE_DIR / app, app
        )
    ]

    with_a_number = {(forms(text)[0], context) for text, context in said if len(forms(text)) > 1}
    without = {(text, context) for text, context in said if len(forms(text)) == 1}

    assert with_a_number & without == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_message_is_translated_and_none_that_is_gone(language: str) -> None:
    sought = {(message.id, message.context) for message in messages.sought(language)}
    catalogue = messages.catalogue_of(language)

    assert {(message.id, message.context) for message in catalogue} == sought
    assert messages.not_translated(catalogue) == []
    assert not catalogue.obsolete


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_says_what_its_message_says_it_about(language: str) -> None:
    catalogue = messages.catalogue_of(language)

    refused = [str(error) for message in catalogue for error in message.check(catalogue)]
    other = [
        message.id
        for message in catalogue
        for form in forms(message.string)
        if form
        if set(PLACEHOLDER.findall(forms(message.id)[-1])) != set(PLACEHOLDER.findall(form))
    ]

    assert (refused, other) == ([], [])


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_people_wrote(language: str) -> None:
    folder = Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES"

    read = (folder / "django.mo").read_bytes()

    assert read == messages.compiled(messages.catalogue_of(language))
