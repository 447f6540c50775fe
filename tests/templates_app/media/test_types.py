"""Which files the library takes: extension, declared type and bytes agree, and nothing hides."""

import io
import zipfile

import pytest

from templates_app.media.archives import BLOCKED, DOCX, MOST_MEMBERS
from templates_app.media.refused import Refused
from templates_app.media.types import TYPES, recognise
from tests.templates_app.media.files import CSV, ICS, PDF, make_image, make_office, make_zip

SAMPLES = {
    "pdf": PDF,
    "png": make_image("PNG"),
    "jpg": make_image("JPEG"),
    "gif": make_image("GIF"),
    "webp": make_image("WEBP"),
    "ics": ICS,
    "csv": CSV,
    "txt": b"Hello",
    "docx": make_office("word/document.xml"),
    "xlsx": make_office("xl/workbook.xml"),
    "pptx": make_office("ppt/presentation.xml"),
    "zip": make_zip({"a.txt": b"a"}),
}


def named_by_texts(value: object) -> str:
    """Name a case by its texts, not by its bytes."""
    return value if isinstance(value, str) else "bytes"


def ask(data: bytes, name: str, declared: str = "") -> str:
    return recognise(io.BytesIO(data), name=name, declared=declared).content_type


@pytest.mark.parametrize("extension", TYPES)
def test_each_type_is_known_by_its_bytes_whatever_the_case_of_its_name(extension: str) -> None:
    kind = TYPES[extension]

    found = ask(SAMPLES[extension], f"A.{extension.upper()}", kind.content_type)

    assert found == kind.content_type


@pytest.mark.parametrize("named", TYPES)
@pytest.mark.parametrize("extension", TYPES)
def test_a_name_that_says_something_else_than_the_bytes_is_refused(
    named: str, extension: str
) -> None:
    if TYPES[named].found == TYPES[extension].found and named != "ics":
        assert ask(SAMPLES[extension], f"a.{named}")
    elif named == extension:
        assert ask(SAMPLES[extension], f"a.{named}") == "text/calendar"
    else:
        with pytest.raises(Refused, match=f"a.{named}"):
            ask(SAMPLES[extension], f"a.{named}")


@pytest.mark.parametrize(
    ("name", "data", "declared", "said"),
    [
        ("a.pdf", PDF, "image/png", "was sent as image/png"),
        ("a.svg", b"<svg/>", "", "the library takes pdf"),
        ("a.html", b"<p>", "", "the library takes pdf"),
        ("a.txt", b" <!DOCTYPE html><p>", "", "HTML"),
        ("a.csv", b"\xef\xbb\xbf<svg onload=x>", "", "SVG"),
        ("a.exe", b"MZ\0", "", r"refuse \.exe files"),
        ("invoice.pdf.js", b"x", "", r"refuse \.js files"),
        ("a.txt", b"MZ\0\x01", "", "something else"),
        ("a.csv", "Köln".encode("cp1252"), "", "something else"),
        ("a.txt", b"broken \xc3", "", "something else"),
        ("a.pdf", b"", "", "text"),
        ("a.png", b"GIF89a", "", "GIF"),
    ],
    ids=named_by_texts,
)
def test_what_is_no_file_for_a_mail_is_refused(
    name: str, data: bytes, declared: str, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        ask(data, name, declared)


@pytest.mark.parametrize("data", [b"BMW;1\n", b"PKW;1\n", "\ufeffa;b\n".encode(), b""])
def test_a_text_is_a_text_whatever_its_first_letters_look_like(data: bytes) -> None:
    assert ask(data, "a.csv", "application/vnd.ms-excel") == "text/csv"


# --- archives ---------------------------------------------------------------------------------


def encrypted() -> bytes:
    data = bytearray(make_zip({"a.txt": b"secret"}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    return bytes(data)


@pytest.mark.parametrize("extension", sorted(BLOCKED))
def test_what_mail_providers_refuse_is_refused_within_an_archive(extension: str) -> None:
    with pytest.raises(Refused, match="mail providers refuse"):
        ask(make_zip({"ok.txt": b"ok", f"deep/er/A.{extension.upper()}": b"x"}), "a.zip")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (make_zip({"readme.txt": b"MZ\x90\0" + bytes(60)}), "is a program"),
        (make_zip({"../../a.txt": b"x"}), "would leave the folder"),
        (make_zip({"/etc/a.txt": b"x"}), "would leave the folder"),
        (make_zip({"a.exe. ": b"x"}), "mail providers refuse"),
        (make_zip({"inner.zip": SAMPLES["zip"]}), "archive in an archive"),
        (make_zip({"inner.dat": SAMPLES["zip"]}), "archive in an archive"),
        (make_zip({"zeros.txt": bytes(60_000_000)}), "far larger"),
        (make_zip({f"{n}.txt": b"" for n in range(MOST_MEMBERS + 1)}), "1,001 files"),
        (encrypted(), "password"),
        (b"PK\x03\x04 not really", "damaged"),
        (make_zip({"Budget.xlsm": b"x"}), "macros"),
    ],
    ids=named_by_texts,
)
def test_an_archive_that_hides_something_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said):
        ask(data, "a.zip")


def test_a_bomb_of_archives_is_refused_without_being_unpacked() -> None:
    layer = make_zip({"0.dll": bytes(1_000)})
    for _ in range(3):
        layer = make_zip({f"lib {n}.zip": layer for n in range(16)})

    with pytest.raises(Refused, match="archive in an archive"):
        ask(layer, "42.zip")


def test_an_archive_may_have_as_many_files_as_the_limit() -> None:
    members = {f"{n}.txt": b"" for n in range(MOST_MEMBERS)}

    assert ask(make_zip(members), "a.zip") == "application/zip"


def test_a_document_with_macros_is_refused() -> None:
    data = make_office("word/document.xml", **{"word/vbaProject.bin": b"\xd0\xcf"})

    with pytest.raises(Refused, match="macros"):
        ask(data, "a.docx")


def test_a_document_may_lie_within_an_archive() -> None:
    assert ask(make_zip({"a.docx": SAMPLES["docx"]}), "a.zip") == "application/zip"
    assert ask(SAMPLES["docx"], "a.docx", "application/x-zip-compressed") == DOCX


def test_a_member_that_cannot_be_unpacked_is_refused() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.txt", b"hello " * 2_000 + b"end")
    data = target.getvalue().replace(b"end", b"END")

    with pytest.raises(Refused, match="damaged"):
        ask(data, "a.zip")
