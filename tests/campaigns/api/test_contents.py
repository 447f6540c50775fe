"""Templates and media, as programs ask for them."""

import hashlib
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from templates_app.models import EmailTemplate, MediaFile
from tests.api import ALL, problem, program
from tests.factories import make_campaign, make_template

pytestmark = pytest.mark.django_db

PDF = b"%PDF-1.7\n%%EOF\n"
NEWS = {"name": "News", "kind": "html", "subject": "Hello", "source": "<p>Hello</p>"}


def test_a_template_is_written_changed_and_deleted() -> None:
    crm = program()
    german = {"language": "de", "subject": "Hallo", "source": "<p>Hallo</p>"}

    made = crm.post("/templates", {**NEWS, "variants": [german]})
    path = f"/templates/{made.json()['id']}"
    changed = crm.patch(path, {"subject": "Good morning"}).json()
    versions = crm.get(f"{path}/versions").json()["items"]

    assert (made.status_code, made.json()["version"]) == (201, 1)
    assert (changed["subject"], changed["version"]) == ("Good morning", 2)
    assert [each["subject"] for each in changed["variants"]] == ["Hallo"]
    assert [(each["number"], each["subject"]) for each in versions] == [
        (2, "Good morning"),
        (1, "Hello"),
    ]
    assert crm.get("/templates").json()["items"][0]["name"] == "News"
    assert crm.delete(path).status_code == 204


def test_what_cannot_be_sent_is_named_with_its_place() -> None:
    answer = program().post("/templates", {**NEWS, "source": "<p>\n{{ first_name"})

    [error] = problem(answer)["errors"]
    assert error["pointer"] == "/source"
    assert "line" in error["detail"].lower()
    assert not EmailTemplate.objects.exists()


def test_html_as_written_is_for_who_may_write_it() -> None:
    raw = "templates_app.write_raw_html"

    refused = program().post("/templates", {**NEWS, "is_raw": True})
    allowed = program(*ALL, raw, scopes=[*ALL, raw]).post("/templates", {**NEWS, "is_raw": True})

    assert problem(refused)["errors"][0]["pointer"] == "/is_raw"
    assert allowed.json()["is_raw"]


def test_a_template_that_is_used_stays() -> None:
    template = make_template()
    make_campaign(template=template)

    assert problem(program().delete(f"/templates/{template.pk}"))["status"] == 409


def test_a_file_is_uploaded_once_described_fetched_and_deleted(disk: Path) -> None:
    crm = program()

    def upload() -> SimpleUploadedFile:
        return SimpleUploadedFile("Plan.pdf", PDF, content_type="application/pdf")

    made = crm.upload("/media", {"file": upload(), "folder": "2026"}, idempotency_key="a-1")
    again = crm.upload("/media", {"file": upload(), "folder": "2026"}, idempotency_key="a-1")
    path = f"/media/{made.json()['id']}"
    moved = crm.patch(path, {"folder": "Plans", "alt": "The plan"}).json()
    content = crm.get(f"{path}/content")

    assert (made.status_code, again.content) == (201, made.content)
    assert made.json()["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert (moved["path"], moved["alt"]) == ("Plans/Plan.pdf", "The plan")
    assert b"".join(content.streaming_content) == PDF
    assert crm.get("/media?folder=Plans").json()["items"][0]["id"] == moved["id"]
    assert crm.delete(path).status_code == 204
    assert not MediaFile.objects.exists()


def test_a_file_that_may_not_be_mailed_is_refused(disk: Path) -> None:
    program_file = SimpleUploadedFile("run.exe", b"MZ", content_type="application/pdf")

    answer = program().upload("/media", {"file": program_file})

    assert problem(answer)["errors"][0]["pointer"] == "/file"
