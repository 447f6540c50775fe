"""Upload, replace, move, delete: by their bytes on a disk and in a bucket."""

import io
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from templates_app.media import library, lookup, resolve, storing
from templates_app.media.refused import Refused
from templates_app.media.usage import used_by
from templates_app.models import Kind, Layout, MediaBlob, MediaFile, ScanState, Snippet
from tests.factories import make_template
from tests.live import wait_until
from tests.s3_server import BUCKET, S3Server
from tests.templates_app.media.files import CSV, PDF, make_image
from tests.threads import in_a_connection_of_its_own, waiting_for_locks

pytestmark = pytest.mark.django_db


def upload(data: bytes = PDF, path: str = "Plan.pdf") -> MediaFile:
    folder, _, name = path.rpartition("/")
    return library.upload(io.BytesIO(data), name=name, folder=folder, by="ada")


def stored(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_a_file_is_stored_privately_and_comes_back_as_it_was(disk: Path) -> None:
    file = upload(path="2026/Plan.pdf")

    [path] = stored(disk)
    assert storing.read(file.blob) == PDF
    assert (file.path, file.uploaded_by, file.blob.size) == ("2026/Plan.pdf", "ada", len(PDF))
    assert path.stat().st_mode & 0o077 == 0
    assert "Plan" not in path.name


def test_the_library_lies_below_the_state_directory_and_apart_from_what_is_served(
    settings: Any,
) -> None:
    place = Path(storing.storage().path("x"))

    assert place.is_relative_to(settings.STATE_DIR)
    assert not settings.MEDIA_URL or settings.MEDIA_URL == "/"


def test_the_same_bytes_are_stored_once(disk: Path) -> None:
    first, second = upload(path="a.pdf"), upload(path="b.pdf")

    assert first.blob == second.blob
    assert len(stored(disk)) == 1


def test_an_image_has_its_pixels_noted(disk: Path) -> None:
    blob = upload(make_image(), "a.png").blob

    assert (blob.content_type, blob.width, blob.height) == ("image/png", 40, 20)
    assert blob.is_image


def test_a_bucket_keeps_files_privately(s3: S3Server) -> None:
    file = upload()

    [key] = s3.keys()
    grants = s3.client.get_object_acl(Bucket=BUCKET, Key=key)["Grants"]
    assert key == f"a/b/{file.blob.key}"
    assert [grant["Grantee"]["Type"] for grant in grants] == ["CanonicalUser"]
    assert storing.read(file.blob) == PDF
    assert "Signature=" in storing.storage().url(file.blob.key)


def test_a_bucket_never_overwrites_and_forgets_what_is_removed(s3: S3Server) -> None:
    storage = storing.storage()
    names = [storage.save("name", io.BytesIO(data)) for data in (b"1", b"2")]

    assert len(set(names)) == len(s3.keys()) == 2
    for name in names:
        storing.remove(name)
    assert s3.keys() == []


def test_a_file_that_is_not_in_the_bucket_is_one_that_is_not_there(s3: S3Server) -> None:
    file = upload()
    storing.remove(file.blob.key)

    with pytest.raises(FileNotFoundError):
        storing.read(file.blob)


def test_a_store_that_refuses_is_named_and_nothing_is_half_saved(s3: S3Server) -> None:
    s3.client.delete_bucket(Bucket=BUCKET)
    try:
        with pytest.raises(Refused, match="the storage does not take it"):
            upload()
    finally:
        where = {"LocationConstraint": "eu-central-1"}
        s3.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)

    assert not MediaBlob.objects.exists()


def test_bytes_that_changed_on_the_disk_are_not_sent(disk: Path) -> None:
    file = upload()
    stored(disk)[0].write_bytes(b"other")

    with pytest.raises(storing.Damaged):
        storing.read(file.blob)


def test_a_file_may_be_as_large_as_the_limit(disk: Path, settings: Any) -> None:
    settings.MEDIA_FILE_MB = 1

    assert upload(b"a" * 1_000_000, "a.txt").blob.size == 1_000_000
    with pytest.raises(Refused, match="more than 1 MB"):
        upload(b"a" * 1_000_001, "b.txt")
    assert len(stored(disk)) == 1


def test_a_name_is_taken_once_whatever_its_case(disk: Path) -> None:
    upload(path="Docs/Plan.pdf")

    with pytest.raises(Refused, match=r"there is a file plan\.pdf in Docs already"):
        upload(path="Docs/plan.pdf")
    with pytest.raises(IntegrityError, match="media_file_name_unique"), transaction.atomic():
        MediaFile.objects.create(folder="Docs", name="PLAN.pdf", blob=MediaBlob.objects.get())
    assert upload(path="Plan.pdf")
    upload(path="Docs/Maß.pdf")
    with pytest.raises(Refused, match=r"there is a file Maẞ\.pdf in Docs already"):
        upload(path="Docs/Maẞ.pdf")


def test_what_was_stored_in_vain_is_removed(disk: Path) -> None:
    file = upload()
    MediaFile.objects.all().delete()

    with pytest.raises(Refused, match="was deleted meanwhile"):
        library.replace(file, io.BytesIO(PDF + b"%%2"))

    assert len(stored(disk)) == MediaBlob.objects.count() == 1
    with pytest.raises(Refused, match="was deleted meanwhile"):
        library.delete(file)
    with pytest.raises(Refused, match="was deleted meanwhile"):
        library.move(file, folder="Docs", name="a.pdf")


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"token": "other"}, "media_blob_digest_unique"),
        ({"digest": "other"}, "media_blob_token_unique"),
        ({"digest": "other", "token": "other", "scan": "maybe"}, "media_blob_scan_known"),
    ],
)
def test_a_blob_that_cannot_be_is_none(changes: dict[str, str], constraint: str) -> None:
    values = {"digest": "d", "token": "t", "key": "k", "size": 1, "scan": ScanState.OFF}
    MediaBlob.objects.create(**values, content_type="text/plain")

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        MediaBlob.objects.create(**{**values, **changes}, content_type="text/plain")


@pytest.mark.django_db(transaction=True)
def test_two_uploads_of_the_same_bytes_at_once_make_one_blob(disk: Path) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def one(number: int) -> None:
        try:
            start.wait()
            upload(path=f"{number}.pdf")
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert MediaBlob.objects.count() == 1
    assert len(stored(disk)) == 1
    assert MediaFile.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_a_name_that_is_given_twice_at_once_is_refused_once(disk: Path) -> None:
    said: list[str] = []
    start = threading.Barrier(4)

    def one(number: int) -> None:
        try:
            start.wait()
            upload(PDF + b"%d" % number)
        except BaseException as error:  # noqa: BLE001 - told below
            said.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    already = "there is a file Plan.pdf at the top already; replace it, or choose another name"
    assert said == [already] * 3
    assert MediaFile.objects.count() == MediaBlob.objects.count() == len(stored(disk)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_file_that_a_template_begins_to_use_meanwhile_is_not_deleted(disk: Path) -> None:
    file = upload(make_image(), "logo.png")

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            make_template("T", html='<img src="media:logo.png" alt="Us">')
            deleting = threads.submit(in_a_connection_of_its_own, lambda: library.delete(file))
            wait_until(lambda: waiting_for_locks() or deleting.done(), "the deletion waits")
        with pytest.raises(Refused, match=r"logo\.png is used by template T"):
            deleting.result()


# --- replace, move, delete, find ---------------------------------------------------------------


def test_a_replaced_file_leads_to_other_bytes_and_the_old_ones_stay(disk: Path) -> None:
    file = upload()
    before, address = file.blob, resolve("Plan.pdf")

    library.replace(file, io.BytesIO(PDF + b"%%2"), by="bob")

    file.refresh_from_db()
    assert storing.read(file.blob) == PDF + b"%%2"
    assert storing.read(before) == PDF
    assert resolve("Plan.pdf") != address
    assert file.uploaded_by == "bob"


def test_a_file_is_replaced_by_one_of_its_type(disk: Path) -> None:
    file = upload(make_image("PNG"), "logo.png")

    with pytest.raises(Refused, match=r"logo.png is called PNG, but its content is JPEG"):
        library.replace(file, io.BytesIO(make_image("JPEG")))


def test_a_file_moves_and_keeps_its_bytes(disk: Path) -> None:
    file = upload()

    moved = library.move(file, folder="/Docs/2026/", name="The plan.pdf")

    assert (moved.path, moved.blob) == ("Docs/2026/The plan.pdf", file.blob)
    assert library.folders() == ["Docs/2026"]


def test_a_file_does_not_move_onto_another_one_or_into_another_type(disk: Path) -> None:
    file, _ = upload(path="a.pdf"), upload(path="b.pdf")

    with pytest.raises(Refused, match="already"):
        library.move(file, folder="", name="B.pdf")
    with pytest.raises(Refused, match="keep the extension"):
        library.move(file, folder="", name="a.zip")


@pytest.mark.parametrize(
    "spelt",
    [
        "media:Docs/A plan (ü).pdf",
        "media: Docs/a%20plan%20(%C3%BC).PDF",
        "MEDIA:Docs/A&#32;plan (&uuml;).pdf",
        "media:Docs%2FA%20plan%20%28%c3%bc%29.pdf",
    ],
)
def test_who_names_a_file_keeps_it_from_being_deleted_or_renamed(disk: Path, spelt: str) -> None:
    file = upload(path="Docs/A plan (ü).pdf")
    html = f"<a href='{spelt}'>Plan</a> <a href='{{{{ unsubscribe_url }}}}'>Leave</a>"
    template = make_template(html=html)
    template.variants.create(language="de", subject="s", source=html)
    Snippet.objects.create(name="footer", kind=Kind.HTML, source=html)
    Layout.objects.create(name="Plain", kind=Kind.HTML, source=html)
    everybody = "template Newsletter, template Newsletter (de), snippet footer, layout Plain"

    with pytest.raises(Refused, match=re.escape(f"is used by {everybody};")) as deleted:
        library.delete(file)
    with pytest.raises(Refused, match="is used by"):
        library.move(file, folder="", name="b.pdf")

    assert "take it out there first" in str(deleted.value)
    assert MediaFile.objects.get() == file


def test_the_public_address_in_a_template_is_a_use_as_well(disk: Path) -> None:
    file = upload(make_image(), "logo.png")
    make_template(html=f"<img src='{resolve('logo.png')}'> {{{{ unsubscribe_url }}}}")

    assert [use.label for use in used_by(file)] == ["template Newsletter"]


def test_the_beginning_of_another_name_is_no_use(disk: Path) -> None:
    file = upload(CSV, "a.csv")
    make_template(html="media:a.csv.zip media:a.csv-2 media:b/a.csv a.csv {{ unsubscribe_url }}")

    library.delete(file)

    assert not MediaFile.objects.exists()


def test_a_path_is_found_in_any_case_of_its_name_and_percent_encoded(disk: Path) -> None:
    file = upload(path="Docs/Über uns.pdf")

    for path in ("Docs/Über uns.pdf", "Docs/über%20uns.PDF", "Docs/%C3%9Cber uns.pdf"):
        assert library.find(path) == file


def test_a_path_that_is_not_there_says_so(disk: Path) -> None:
    with pytest.raises(Refused, match=r"there is no file 'Docs/no.pdf' in the media library"):
        resolve("Docs/no.pdf")
    assert lookup("Docs/no.pdf") is None
    assert lookup("a\0b.pdf") is None
    upload(path="a.pdf")
    assert lookup("/a.pdf") is None
