from base64 import b64encode
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.db import IntegrityError
from django.utils import timezone
from PIL import Image
from pytest_django import Settings

from campaigns import screenshots
from templates_app.media import library
from templates_app.models import EmailTemplate, Screenshot, TemplateVersion
from templates_app.services import freeze, save_template
from tests.console import staff, superuser, text
from tests.factories import make_template, stored_in

pytestmark = pytest.mark.django_db


def png(colour: str = "green") -> BytesIO:
    out = BytesIO()
    Image.new("RGB", (800, 240), colour).save(out, "PNG")
    return BytesIO(out.getvalue())


@pytest.fixture
def version() -> TemplateVersion:
    source = "<p>Dear {{ first_name }}, {{ '2026-02-01' | date('long') }}</p>"
    template = EmailTemplate(name="News", kind="html", subject="News", source=source, language="de")
    return save_template(template, known=())


@pytest.fixture
def page_seen(settings: Settings, tmp_path: Path) -> Path:
    """Return where the page is put that the browser gets, one that gives a green picture."""
    (tmp_path / "green.png").write_bytes(png().getvalue())
    browser = tmp_path / "browser"
    browser.write_text(
        "#!/bin/sh\n"
        'for each; do case "$each" in --screenshot=*) out="${each#--screenshot=}";; esac; done\n'
        f'cat "${{each#file://}}" >> {tmp_path}/page\ncat {tmp_path}/green.png > "$out"\n'
    )
    browser.chmod(0o755)
    settings.CHROMIUM = str(browser)
    return tmp_path / "page"


def test_pictures_are_taken_of_each_view_with_values_that_are_invented(
    version: TemplateVersion, page_seen: Path
) -> None:
    screenshots.ask(version, now=timezone.now())

    screenshots.take(version.pk)

    taken = version.screenshots.order_by("pk")
    assert [(each.view, each.is_waiting, each.problem) for each in taken] == [
        ("desktop", False, ""),
        ("mobile", False, ""),
        ("dark", False, ""),
    ]
    assert [Image.open(BytesIO(bytes(each.png or b""))).width for each in taken] == [800, 375, 800]
    assert "Dear Ada, 1. Februar 2026" in page_seen.read_text()


def test_images_of_the_library_are_put_into_the_page(page_seen: Path) -> None:
    library.upload(png("blue"), name="sea.png", folder="", by="ada")
    template = make_template(html='<img src="media:sea.png" alt="sea"><img src="https://e.org/x">')
    version = freeze(template)
    screenshots.ask(version, now=timezone.now())

    screenshots.take(version.pk)

    page = page_seen.read_text()
    assert b64encode(b"\x89PNG\r\n\x1a\n").decode()[:10] in page
    assert "/m/" not in page


def test_an_image_that_the_storage_has_damaged_is_said_in_place_of_the_picture(
    page_seen: Path, disk: Path
) -> None:
    library.upload(png("blue"), name="sea.png", folder="", by="ada")
    version = freeze(make_template(html='<img src="media:sea.png" alt="sea">'))
    for path in stored_in(disk):
        path.write_bytes(b"other")
    screenshots.ask(version, now=timezone.now())

    screenshots.take(version.pk)

    said = set(version.screenshots.values_list("problem", "is_waiting"))
    assert said == {
        ("the storage has other bytes than were stored; upload the same file again", False)
    }


def test_without_a_browser_the_page_says_how_to_get_one(
    version: TemplateVersion, settings: Settings
) -> None:
    settings.CHROMIUM = "/no/where"
    screenshots.ask(version, now=timezone.now())

    screenshots.take(version.pk)

    path = f"/templates/{version.template_id}/versions/1/preview/"
    assert "/no/where is not installed where the worker runs; install" in text(
        superuser().get(path)
    )


def test_pictures_are_asked_for_and_shown_at_the_console(
    version: TemplateVersion, page_seen: Path
) -> None:
    console = superuser()
    path = f"/templates/{version.template_id}/versions/1/"

    asked = console.post(f"{path}pictures/", follow=True)
    screenshots.take(version.pk)
    shown = console.get(f"{path}preview/").content.decode()
    first = version.screenshots.order_by("pk")[0]
    image = console.get(f"{path}pictures/{first.pk}/")

    assert '<meta http-equiv="refresh" content="3">' in asked.content.decode()
    assert "refresh" not in shown
    assert f"{path}pictures/{first.pk}/" in shown
    assert (image["Content-Type"], image["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert image.content.startswith(b"\x89PNG")


def test_pictures_that_nobody_takes_are_not_waited_for_without_end(
    version: TemplateVersion,
) -> None:
    path = f"/templates/{version.template_id}/versions/1/preview/"
    screenshots.ask(version, now=timezone.now() - timedelta(minutes=16))

    page = superuser().get(path)

    assert "See that a worker runs, and take them again." in text(page)
    assert 'http-equiv="refresh"' not in page.content.decode()


def test_who_may_only_look_asks_for_no_pictures(version: TemplateVersion) -> None:
    path = f"/templates/{version.template_id}/versions/1/pictures/"

    answer = staff("templates_app.view_emailtemplate").post(path)

    assert answer.status_code == 403
    assert not Screenshot.objects.exists()


def test_a_template_without_html_has_no_pictures() -> None:
    version = freeze(EmailTemplate.objects.get(pk=make_template(html="<p>Hi</p>").pk))
    TemplateVersion.objects.update(html="")
    version.refresh_from_db()

    screenshots.ask(version, now=timezone.now())

    assert not Screenshot.objects.exists()


@pytest.mark.parametrize(
    ("view", "constraint"),
    [("desktop", "screenshot_view_unique"), ("round", "screenshot_view_known")],
)
def test_constraints_of_screenshots(view: str, constraint: str, version: TemplateVersion) -> None:
    """The database refuses two pictures of one view, and views that nobody knows."""
    screenshots.ask(version, now=timezone.now())

    with pytest.raises(IntegrityError, match=constraint):
        Screenshot.objects.create(
            version=version, language="de", view=view, asked_at=timezone.now()
        )
