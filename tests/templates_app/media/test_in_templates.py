"""From an upload to what a reader sees: `media:` in each kind of source."""

import io
import re
from typing import Any

import pytest
from django.test import Client

from templates_app.media import library
from templates_app.media.usage import used_by
from templates_app.models import Kind, MediaFile
from templates_app.services import Refused, create_template, freeze
from tests.factories import make_file
from tests.templates_app.media.files import PDF, make_image

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("disk")]

LEAVE = "{{ unsubscribe_url }}"
SOURCES = {
    Kind.MJML: '<mjml><mj-body><mj-section><mj-column><mj-image src="media:Logos/The shore.png" />'
    f'<mj-text><a href="{LEAVE}">Leave</a></mj-text></mj-column></mj-section></mj-body></mjml>',
    Kind.HTML: f"<img src='media:Logos/The shore.png' alt=''><a href='{LEAVE}'>Leave</a>",
    Kind.MARKDOWN: f"![The shore](<media:Logos/The shore.png>)\n\n[Leave]({LEAVE})",
}


def shown(html: str) -> list[str]:
    return re.findall(r"http://localhost:8000(/m/[0-9a-f]{32}/[^\"')]+)", html)


@pytest.mark.parametrize("kind", SOURCES)
def test_an_image_is_shown_by_what_was_frozen_also_when_it_is_replaced(
    client: Client, kind: Kind
) -> None:
    file = make_file("Logos/The shore.png", make_image())
    template = create_template("T", kind=kind, subject="S", source=SOURCES[kind], known=())
    version = freeze(template)
    [address] = shown(version.html)
    before: Any = client.get(address)
    data = b"".join(before.streaming_content)

    library.replace(file, io.BytesIO(make_image(size=(9, 9))))

    after: Any = client.get(address)
    [other] = shown(freeze(template).html)
    assert before.status_code == 200
    assert b"".join(after.streaming_content) == data
    assert other != address
    assert [use.label for use in used_by(MediaFile.objects.get())] == ["template T"]


def test_a_file_that_a_template_links_to_is_public_once_it_does(client: Client) -> None:
    file = make_file("Plan.pdf", PDF)
    address = library.address(file.blob, "Plan.pdf")
    assert client.get(address).status_code == 404

    source = f"<a href='media:Plan.pdf'>Plan</a> <a href='{LEAVE}'>Leave</a>"
    create_template("T", kind=Kind.HTML, subject="S", source=source, known=())

    assert client.get(address).status_code == 200


def test_a_file_that_is_not_there_is_said_with_its_line() -> None:
    source = f"<p>\n<img src='media:Logos/no.png' alt=''><a href='{LEAVE}'>Leave</a>"

    with pytest.raises(
        Refused, match=r"there is no file 'Logos/no\.png' in the media library"
    ) as no:
        create_template("T", kind=Kind.HTML, subject="S", source=source, known=())

    assert no.value.problems[0].line == 2
