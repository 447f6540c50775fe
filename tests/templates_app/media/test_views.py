"""What the public gets at /m/…: images to look at, linked files to save, and nothing else."""

import hashlib
import io
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from templates_app.media import library, resolve
from templates_app.models import MediaBlob, MediaFile, ScanState
from tests.factories import make_file
from tests.s3_server import S3Server
from tests.templates_app.media.files import PDF, make_image

pytestmark = pytest.mark.django_db


def get(client: Client, path: str = "logo.png", **headers: str) -> Any:
    return client.get(resolve(path).removeprefix("http://localhost:8000"), headers=headers)


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


@pytest.mark.parametrize("where", ["disk", "s3"])
def test_an_image_is_shown_and_kept_for_ever(
    client: Client, request: pytest.FixtureRequest, where: str
) -> None:
    request.getfixturevalue(where)
    file = make_file("Logos/logo.png", make_image())

    answer = get(client, "Logos/logo.png")

    data = body(answer)
    assert answer.status_code == 200
    assert hashlib.sha256(data).hexdigest() == file.blob.digest
    del answer["X-Request-ID"]
    assert {name: answer[name] for name in answer.headers} == {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Disposition": 'inline; filename="logo.png"',
        "Content-Length": str(len(data)),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Content-Type": "image/png",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": f'"{file.blob.digest}"',
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex",
    }
    assert not answer.cookies


def test_the_address_begins_with_that_of_the_site_and_holds_no_folder(
    disk: Any, settings: Settings
) -> None:
    settings.SITE_URL = "https://news.example.org"
    file = make_file("Secret plans/Über uns.png", make_image())

    assert resolve("Secret plans/Über uns.png") == (
        f"https://news.example.org/m/{file.blob.token}/%C3%9Cber%20uns.png"
    )


def test_a_head_gets_the_same_headers(client: Client, disk: Any) -> None:
    make_file("logo.png", make_image())
    url = resolve("logo.png")

    asked, shown = client.head(url), client.get(url)

    assert asked.status_code == 200
    del asked["X-Request-ID"], shown["X-Request-ID"]
    assert asked.headers == shown.headers
    assert body(asked) == b""


@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
def test_nothing_else_may_be_asked(client: Client, disk: Any, method: str) -> None:
    make_file("logo.png", make_image())

    assert getattr(client, method)(resolve("logo.png")).status_code == 405


def test_a_file_that_a_template_links_to_is_saved_and_never_shown(
    client: Client, disk: Any
) -> None:
    make_file("Plan.pdf", PDF)

    answer = get(client, "Plan.pdf")

    assert answer["Content-Disposition"] == 'attachment; filename="Plan.pdf"'
    assert body(answer) == PDF


def test_a_file_that_no_template_links_to_is_for_staff_alone(client: Client, disk: Any) -> None:
    file = make_file("Plan.pdf", PDF)

    assert client.get(library.address(file.blob, "Plan.pdf")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/m/{token}/logo.html",
        "/m/{token}/logo.jpg",
        "/m/{token}/logo",
        "/m/{token}/",
        "/m/{token}",
        "/m/{TOKEN}/logo.png",
        "/m/0123456789abcdef0123456789abcdef/logo.png",
        "/m/..%2f..%2fetc/passwd.png",
        "/m/{key}/logo.png",
        "/media/{key}",
        "/{key}",
    ],
)
def test_what_is_not_there_is_not_found(client: Client, disk: Any, path: str) -> None:
    blob = make_file("logo.png", make_image()).blob
    names = {"token": blob.token, "TOKEN": blob.token.upper() + "A", "key": blob.key}

    assert client.get(path.format(**names)).status_code == 404


def test_what_is_infected_is_not_found(client: Client, disk: Any) -> None:
    make_file("logo.png", make_image())
    url = resolve("logo.png")
    MediaBlob.objects.update(scan=ScanState.INFECTED)

    assert client.get(url).status_code == 404


def test_the_old_bytes_keep_their_address(client: Client, disk: Any) -> None:
    file = make_file("logo.png", make_image())
    url = resolve("logo.png")
    before = body(client.get(url))

    library.replace(file, io.BytesIO(make_image(size=(9, 9))))

    assert resolve("logo.png") != url
    assert body(client.get(url)) == before


def test_bytes_that_are_gone_are_not_found(client: Client, s3: S3Server) -> None:
    make_file("logo.png", make_image())
    url = resolve("logo.png")
    s3.empty()

    assert client.get(url).status_code == 404
    assert MediaFile.objects.exists()


def test_a_storage_that_is_away_is_asked_again_later(client: Client, s3: S3Server) -> None:
    make_file("logo.png", make_image())
    s3.is_down = True
    try:
        answer = client.get(resolve("logo.png"))
    finally:
        s3.is_down = False

    assert answer.status_code == 503
    assert (answer["Retry-After"], answer["Cache-Control"]) == ("60", "no-store")
