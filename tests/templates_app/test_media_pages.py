"""The pages of the media library, as staff use them."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from templates_app.media import library, storing
from templates_app.models import Kind, MediaBlob, MediaFile, ScanState, Snippet
from tests.factories import make_campaign, make_file, make_template
from tests.templates_app.media.files import CSV, PDF, make_image

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("disk")]

FILES = "/media/"


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def given(name: str, data: bytes, content_type: str = "") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type)


def upload(console: Client, *files: SimpleUploadedFile, folder: str = "") -> Any:
    return console.post(f"{FILES}upload/", {"uploads": files, "folder": folder}, follow=True)


def page(file: MediaFile) -> str:
    return f"{FILES}{file.pk}/"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_a_file_is_uploaded_and_its_page_shown(console: Client) -> None:
    answer = upload(console, given("Logo.png", make_image(), "image/png"), folder=" Logos / 2026 ")

    file = MediaFile.objects.get()
    assert (file.path, file.uploaded_by) == ("Logos/2026/Logo.png", "boss")
    assert answer.redirect_chain == [(page(file), 302)]
    said = text(answer)
    assert "media:Logos/2026/Logo.png" in said
    assert f'<img src="/m/{file.blob.token}/Logo.png" alt="" width="40" height="20"' in said
    assert "Nothing uses it." in said


def test_several_files_come_at_once_and_each_is_judged_for_itself(console: Client) -> None:
    [field] = re.findall(r'<input type="file"[^>]*>', text(console.get(f"{FILES}upload/")))
    assert " multiple" in field
    assert 'accept=".pdf,.png,' in field

    answer = upload(
        console, given("a.pdf", PDF), given("b.exe", b"MZ"), given("c.csv", CSV, "text/csv")
    )

    assert answer.status_code == 422
    assert "b.exe: mail providers refuse .exe files, whatever is in them." in text(answer)
    assert "In the library: a.pdf, c.csv." in text(answer)
    assert MediaFile.objects.count() == 2


def test_what_a_browser_says_of_a_file_has_to_agree(console: Client) -> None:
    answer = upload(console, given("a.pdf", PDF, "image/png"))

    assert answer.status_code == 422
    assert "a.pdf is called PDF, but was sent as image/png." in text(answer)


def test_an_upload_without_a_file_asks_for_one(console: Client) -> None:
    answer = console.post(f"{FILES}upload/", {"folder": "Logos"})

    assert answer.status_code == 422
    assert "This field is required." in text(answer)


def test_the_list_shows_folders_types_and_states(console: Client) -> None:
    make_file("Docs/Plan.pdf", PDF)
    make_file("logo.png", make_image(size=(480, 240)))
    MediaBlob.objects.filter(content_type="application/pdf").update(
        scan=ScanState.INFECTED, scan_said="<Worm>"
    )

    everything = text(console.get(FILES))
    docs, top = (text(console.get(f"{FILES}?folder={name}")) for name in ("Docs", "/"))

    assert "infected: &lt;Worm&gt;" in everything
    assert 'width="176" height="88"' in everything
    assert "480 by 240 pixels" in everything
    assert ("Plan.pdf" in docs, "logo.png" in docs) == (True, False)
    assert ("Plan.pdf" in top, "logo.png" in top) == (False, True)


def test_the_beginning_of_a_text_is_shown_and_nothing_of_it_runs(console: Client) -> None:
    file = make_file("a.csv", b"a;<script>alert(1)</script>\n" * 200)

    said = text(console.get(page(file)))

    assert "a;&lt;script&gt;" in said
    assert "<script>alert" not in said
    assert said.count("&lt;script&gt;") < 100


def test_a_file_is_downloaded_as_it_is(console: Client) -> None:
    file = make_file("Docs/Über uns.pdf", PDF)

    answer: Any = console.get(f"{FILES}{file.pk}/download/")

    assert b"".join(answer.streaming_content) == PDF
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''%C3%9Cber%20uns.pdf"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer["Cache-Control"]


def test_a_file_that_the_storage_has_lost_says_so_and_comes_back_by_a_replacement(
    console: Client,
) -> None:
    file = make_file("a.pdf", PDF)
    storing.remove(file.blob.key)

    answer = console.get(f"{FILES}{file.pk}/download/", follow=True)
    console.post(page(file), {"verb": "replace", "file": given("a.pdf", PDF)})

    assert "a.pdf cannot be downloaded: the storage has lost it; upload the same file" in text(
        answer
    )
    answer = console.get(f"{FILES}{file.pk}/download/")
    assert b"".join(answer.streaming_content) == PDF  # type: ignore[attr-defined]


def test_malware_is_handed_out_to_nobody(console: Client) -> None:
    file = make_file("a.pdf", PDF)
    MediaBlob.objects.update(scan=ScanState.INFECTED)

    assert console.get(f"{FILES}{file.pk}/download/").status_code == 403


@pytest.mark.parametrize("folder", ["%00", "nowhere"])
def test_a_folder_that_is_not_there_is_empty(console: Client, folder: str) -> None:
    make_file("a.pdf", PDF)

    answer = console.get(f"{FILES}?folder={folder}")

    assert answer.status_code == 200
    assert "a.pdf" not in text(answer)


def test_a_file_is_replaced(console: Client) -> None:
    file = make_file("a.pdf", PDF)

    refused = console.post(page(file), {"verb": "replace", "file": given("b.png", make_image())})
    console.post(page(file), {"verb": "replace", "file": given("b.pdf", PDF + b"%%2")})

    assert refused.status_code == 422
    assert "a.pdf is called PDF, but its content is PNG." in text(refused)
    file.refresh_from_db()
    assert storing.read(file.blob) == PDF + b"%%2"


def test_a_file_is_moved_unless_a_template_says_its_name(console: Client) -> None:
    file = make_file("a.pdf", PDF)
    console.post(page(file), {"verb": "move", "name": "b.pdf", "folder": "Docs"})
    file.refresh_from_db()
    assert file.path == "Docs/b.pdf"
    make_template(html="media:Docs/b.pdf {{ unsubscribe_url }}")

    refused = console.post(page(file), {"verb": "move", "name": "c.pdf", "folder": ""})

    assert refused.status_code == 422
    assert "Docs/b.pdf is used by template Newsletter; change it there first." in text(refused)


def test_a_file_in_use_says_by_whom_and_stays(console: Client) -> None:
    file = make_file("a.pdf", PDF)
    template = make_template(html="media:a.pdf {{ unsubscribe_url }}")
    campaign = make_campaign(template=template, attachments=[file])
    Snippet.objects.create(name="footer", kind=Kind.HTML, source="media:a.pdf")

    shown, asked = console.get(page(file)), console.get(f"{FILES}{file.pk}/delete/")
    refused = console.post(f"{FILES}{file.pk}/delete/")

    for answer in (shown, asked):
        assert f"/templates/{template.pk}/" in text(answer)
        assert f"/campaigns/{campaign.pk}/" in text(answer)
        assert "snippet footer" in text(answer)
    assert "Delete it" not in text(asked)
    assert refused.status_code == 422
    assert "a.pdf is used by template Newsletter, snippet footer, campaign Spring;" in text(refused)
    assert MediaFile.objects.exists()


def test_a_file_that_nothing_uses_is_deleted(console: Client) -> None:
    file = make_file("a.pdf", PDF)
    assert "Delete it" in text(console.get(f"{FILES}{file.pk}/delete/"))

    answer = console.post(f"{FILES}{file.pk}/delete/", follow=True)

    assert "Deleted: a.pdf." in text(answer)
    assert not MediaFile.objects.exists()


@pytest.mark.parametrize(
    ("may", "answers"),
    [
        ([], [403, 403, 403, 403, 403, 403]),
        (["view"], [200, 200, 200, 403, 403, 403]),
        (["view", "add"], [200, 200, 200, 200, 403, 403]),
        (["view", "change"], [200, 200, 200, 403, 302, 403]),
        (["view", "delete"], [200, 200, 200, 403, 403, 200]),
    ],
)
def test_each_page_asks_for_its_permission(
    client: Client, may: list[str], answers: list[int]
) -> None:
    user = User.objects.create_user("staff", is_staff=True)
    names = [f"{verb}_mediafile" for verb in may]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)
    file = make_file("a.pdf", PDF)
    move = {"verb": "move", "name": "a.pdf", "folder": "Docs"}

    given_answers = [
        client.get(FILES),
        client.get(page(file)),
        client.get(f"{FILES}{file.pk}/download/"),
        client.get(f"{FILES}upload/"),
        client.post(page(file), move),
        client.get(f"{FILES}{file.pk}/delete/"),
    ]

    assert [answer.status_code for answer in given_answers] == answers


def test_who_is_not_staff_sees_nothing(client: Client) -> None:
    file = make_file("a.pdf", PDF)

    for url in (FILES, page(file), f"{FILES}{file.pk}/download/", f"{FILES}{file.pk}/delete/"):
        assert client.get(url)["Location"].startswith("/account/login/")
    assert library.find("a.pdf") == file


def test_a_file_that_is_not_there_is_not_found(console: Client) -> None:
    for url in (f"{FILES}9/", f"{FILES}9/download/", f"{FILES}9/delete/"):
        assert console.get(url).status_code == 404


def test_an_image_is_described_in_words(console: Client) -> None:
    file = make_file("logo.png", make_image())

    console.post(page(file), {"verb": "describe", "alt": " A godwit "})

    assert MediaFile.objects.get().alt == "A godwit"
    assert "“A godwit”" in text(console.get(FILES))


def test_the_library_says_how_many_name_a_file_and_asks_no_more_for_many(
    console: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_file("a.pdf", PDF)
    make_template(html="media:a.pdf {{ unsubscribe_url }}")
    Snippet.objects.create(name="footer", kind=Kind.HTML, source="media:a.pdf")
    for number in range(5):
        make_file(f"other-{number}.pdf", PDF + str(number).encode())

    with django_assert_num_queries(9):
        said = text(console.get(FILES))

    assert said.count("named in 2 templates and snippets") == 1
    assert said.count("named in 0 templates and snippets") == 5


def test_a_refusal_is_read_in_the_language_of_who_is_refused(console: Client) -> None:
    console.defaults["HTTP_ACCEPT_LANGUAGE"] = "vi"

    answer = upload(console, given("b.exe", b"MZ"))

    assert "B.exe" not in text(answer)
    assert "b.exe: nhà cung cấp thư từ chối tệp .exe, dù bên trong có gì." in text(answer)
