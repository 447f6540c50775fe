"""The file of a template: what is written is read again, and what was tampered with is refused."""

import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app.bundle import MANIFEST, BadBundle, Bundle, pack, unpack
from templates_app.compiling import Piece
from templates_app.drafts import Draft, Written
from templates_app.models import Kind

BUNDLE = Bundle(
    name="../../etc/passwd",
    draft=Draft(
        Kind.MARKDOWN,
        (
            Written("News", "Hello\r\n{{ x }}", text="Plain", preheader="First", language="en"),
            Written("Neues", "Grüße \U0001f426", language="de"),
        ),
        layout="Letter ✉",
        link_parameters="utm_source=a&utm_medium=b",
        is_raw=True,
    ),
    snippets={"footer": Piece(Kind.HTML, "<p>"), "a": Piece(Kind.TEXT, "")},
    layouts={"Letter ✉": Piece(Kind.MJML, "{{ content }}")},
    files={"Logos/a.png": b"\x89PNG", "../up.png": b""},
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def test_what_was_packed_is_read_again_and_gives_the_same_bytes() -> None:
    data = pack(BUNDLE)

    read = unpack(BytesIO(data))

    assert read == BUNDLE
    assert pack(read) == data


@given(name=texts, source=texts, snippet=texts, content=st.binary())
def test_any_text_and_any_bytes_come_back_as_they_were(
    name: str, source: str, snippet: str, content: bytes
) -> None:
    draft = Draft(Kind.HTML, (Written(name, source, text=source, preheader=name),))
    bundle = Bundle(name, draft, {name: Piece(Kind.HTML, snippet)}, {}, {name: content})

    assert unpack(BytesIO(pack(bundle))) == bundle


def test_a_source_that_packs_well_is_no_bomb() -> None:
    draft = Draft(Kind.HTML, (Written("s", "x" * 1_000_000),))
    bundle = Bundle("n", draft, {}, {}, {"a.csv": b"x" * 5_000_000})

    assert unpack(BytesIO(pack(bundle))) == bundle


def test_the_names_in_a_bundle_are_no_paths() -> None:
    with zipfile.ZipFile(BytesIO(pack(BUNDLE))) as archive:
        names = archive.namelist()

    assert names == [
        "manifest.json",
        "source.md",
        "text.txt",
        "languages/1/source.md",
        "snippets/1.txt",
        "snippets/2.html",
        "layouts/1.mjml",
        "media/1",
        "media/2",
    ]


@given(st.binary())
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(BadBundle):
        unpack(BytesIO(data))


@given(st.data())
def test_a_bundle_with_a_few_other_bytes_is_the_same_or_refused(data: Any) -> None:
    whole = bytearray(pack(BUNDLE))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))

    try:
        read = unpack(BytesIO(bytes(whole)))
    except BadBundle:
        return
    assert read.files == BUNDLE.files
    assert read.snippets.keys() == BUNDLE.snippets.keys()


# What is tampered with


def zipped(members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> BytesIO:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    file.seek(0)
    return file


def tampered(change: Callable[[dict[str, Any], dict[str, bytes]], None]) -> BytesIO:
    with zipfile.ZipFile(BytesIO(pack(BUNDLE))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members[MANIFEST])
    change(manifest, members)
    return zipped({**members, MANIFEST: json.dumps(manifest).encode()})


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (["format"], "other", "not that of a template"),
        (["version"], 2, "version 2 of the format; this installation reads version 1"),
        (["version"], None, "version None of the format"),
        (["name"], None, "name is missing"),
        (["name"], "a\0b", "a character in it that is none"),
        (["name"], "\ud800", "a character in it that is none"),
        (["raw"], "yes", "raw is neither true nor false"),
        (["kind"], "exe", "kind of the template is none of mjml"),
        (["languages"], [], "no text in any language"),
        (["languages"], "en", "no list of objects"),
        (["languages", 0, "subject"], 5, "subject is missing, or no text"),
        (["languages", 0, "source"], "source.md", "names no file"),
        (["languages", 0, "source", "file"], "manifest.json", "is named twice"),
        (["languages", 0, "source", "file"], "../../etc/passwd", "is not in the file"),
        (["languages", 0, "source", "sha256"], "0" * 64, "was changed since it was exported"),
        (["snippets", 0, "kind"], "exe", "kind of 'a' is none of"),
        (["snippets", 0, "name"], "footer", "'footer' is there twice"),
        (["media", 0, "path"], ["a"], "path is missing, or no text"),
        (["media"], [], "media/1 is in it, and its manifest does not name it"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(
    where: list[Any], value: object, said: str
) -> None:
    def change(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        inner: Any = manifest
        for key in where[:-1]:
            inner = inner[key]
        inner[where[-1]] = value

    with pytest.raises(BadBundle, match=said):
        unpack(tampered(change))


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"[]", b"{", b"\xff", b'{"format": "godwit-template"}']
)
def test_a_manifest_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(BadBundle):
        unpack(zipped({MANIFEST: content}))


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../b", "a\\b", ".hidden", "dir/"])
def test_a_member_that_could_be_a_path_out_of_here_is_refused(name: str) -> None:
    with pytest.raises(BadBundle, match="is no name that a file in it may have"):
        unpack(zipped({MANIFEST: b"{}", name: b""}))


def test_a_source_that_is_not_utf_8_is_refused() -> None:
    def change(manifest: dict[str, Any], members: dict[str, bytes]) -> None:
        members["source.md"] = b"\xff"
        manifest["languages"][0]["source"]["sha256"] = sha256(b"\xff").hexdigest()

    with pytest.raises(BadBundle, match=r"source\.md is not UTF-8"):
        unpack(tampered(change))


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    nothing = b"\0" * 50_000_000
    with pytest.raises(BadBundle, match="it may be a bomb"):
        unpack(zipped({MANIFEST: b"{}", "a": nothing}))
    with pytest.raises(BadBundle, match="more than 500 files"):
        unpack(zipped({str(number): b"" for number in range(501)}))
    with pytest.raises(BadBundle, match="more than 500 files"):
        unpack(BytesIO(b"PK\x01\x02" * 5_000))
    with pytest.raises(BadBundle, match="more than 64 MB"):
        unpack(BytesIO(bytes(64_000_001)))


def test_a_member_that_is_longer_than_it_says_is_refused() -> None:
    data = pack(BUNDLE)
    at = data.index(b"PK\x01\x02") + 24  # its size in the directory (APPNOTE 4.3.12)
    short = data[:at] + (5).to_bytes(4, "little") + data[at + 4 :]

    with pytest.raises(BadBundle):
        unpack(BytesIO(short))


def test_a_source_of_more_than_a_megabyte_is_refused() -> None:
    written = Written("s", "x" * 1_000_001)
    bundle = Bundle("n", Draft(Kind.HTML, (written,)), {}, {}, {})

    with pytest.raises(BadBundle, match=r"source\.html (has more than 1 MB|is packed)"):
        unpack(BytesIO(pack(bundle)))
