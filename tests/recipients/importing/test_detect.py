import csv
import gzip
import io
import zipfile
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from recipients.importing.detect import detect, preview
from recipients.importing.layout import ENCODINGS, RESERVED, STANDARD, BadFile, Layout
from templates_app.rendering import RESERVED_NAMES

CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy. Dvořák, Škoda, Čapek, Nový, Šťastný"
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. Иванов, Кузнецов, Попова"
GERMAN = "Falsches Üben von Xylophonmusik quält jeden größeren Zwerg. Müller, Jäger, Groß, Schön"
GREEK = "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Παπαδόπουλος, Νικολάου, Γεωργίου, Δημητρίου"
JAPANESE = "いろはにほへとちりぬるをわかよたれそつねならむ。佐藤、鈴木、高橋、田中、渡辺"
CHINESE = "天地玄黃宇宙洪荒。日月盈昃辰宿列張。王偉、李娜、張敏、劉洋、陳靜"
KOREAN = "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. 김민수, 이서연"


def sheet(*rows: list[Any]) -> io.BytesIO:
    book = Workbook(write_only=True)
    page = book.create_sheet()
    for row in rows:
        page.append(row)
    file = io.BytesIO()
    book.save(file)
    return file


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"email,name\na@example.org,Ada\n", "utf-8"),
        ("email,name\na@example.org,Zoë\n".encode(), "utf-8"),
        ("\ufeffemail,name\na@example.org,Zoë\n".encode(), "utf-8"),
        ("email,name\na@example.org,Zoë\n".encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + "email,name\na@example.org,Zo\u00eb\n".encode("utf-16-be"), "utf-16"),
        (f"email,name\na@example.org,{GERMAN}\n".encode("cp1252"), "cp1252"),
        (f"email,name\na@example.org,{CZECH}\n".encode("cp1250"), "cp1250"),
        (f"email,name\na@example.org,{RUSSIAN}\n".encode("cp1251"), "cp1251"),
        (f"email,name\na@example.org,{RUSSIAN}\n".encode("koi8-r"), "koi8-r"),
        ("email,name\na@example.org,Иванов\n".encode("koi8-r"), "koi8-r"),
        ("email,name\na@example.org,Zoë\n".encode("cp1252"), "cp1252"),
        (f"email,name\na@example.org,{GREEK}\n".encode("cp1253"), "cp1253"),
        (f"email,name\na@example.org,{JAPANESE}\n".encode("cp932"), "cp932"),
        (f"email,name\na@example.org,{JAPANESE}\n".encode("euc-jp"), "euc-jp"),
        (f"email,name\na@example.org,{CHINESE}\n".encode("big5"), "big5"),
        (f"email,name\na@example.org,{KOREAN}\n".encode("cp949"), "cp949"),
    ],
)
def test_the_encoding_is_found(data: bytes, encoding: str) -> None:
    found = detect(io.BytesIO(data))

    assert found.layout.encoding == encoding
    assert found.layout.columns == ("email", "name")
    assert found.rows[0] == ["email", "name"]


def test_a_wrong_guess_is_seen_and_can_be_changed() -> None:
    file = io.BytesIO("email,name\na@example.org,José\n".encode("mac-roman"))
    found = detect(file)

    chosen = preview(file, replace(found.layout, encoding="mac-roman"))

    assert found.rows[1] != ["a@example.org", "José"]
    assert chosen.rows[1] == ["a@example.org", "José"]
    assert "mac-roman" in ENCODINGS


@pytest.mark.parametrize(
    ("text", "delimiter", "columns"),
    [
        ("email,name\na@example.org,x\n", ",", ("email", "name")),
        ("email;name\na@example.org;x, y\n", ";", ("email", "name")),
        ("email\tname\na@example.org\tx\n", "\t", ("email", "name")),
        ("email|name\na@example.org|x\n", "|", ("email", "name")),
        ("email\na@example.org\nmamma@example.org\n", ",", ("email",)),
        ('email,name\na@example.org,"x;y;z;w"\nb@example.org,"p;q;r;s"\n', ",", ("email", "name")),
        ('"email","name"\r\n"a@example.org","x,y\r\nz"\r\n', ",", ("email", "name")),
        ("email,name\nshort@example.org\n", ",", ("email", "name")),
        ("email;name", ";", ("email", "name")),
    ],
)
def test_the_delimiter_is_what_parts_all_rows_alike(
    text: str, delimiter: str, columns: tuple[str, ...]
) -> None:
    found = detect(io.BytesIO(text.encode())).layout

    assert (found.delimiter, found.columns, found.has_header) == (delimiter, columns, True)


def test_a_file_without_a_header_says_by_its_content_where_the_addresses_are() -> None:
    found = detect(io.BytesIO(b"Ada,ada@example.org\nBob,bob@example.org\n"))

    assert not found.layout.has_header
    assert found.layout.columns == ("", "email")
    assert len(found.rows) == 2


@pytest.mark.parametrize("name", ["E-Mail", "e-mail address", "Mail", "Email Address", "EMAIL"])
def test_the_column_of_addresses_has_many_names(name: str) -> None:
    found = detect(io.BytesIO(f"First name,{name}\nAda,ada@example.org\n".encode())).layout

    assert found.columns == ("first_name", "email")


def test_compressed_files_and_sheets_are_read_as_they_are() -> None:
    text = b"email,name\na@example.org,Ada\n"

    compressed = detect(io.BytesIO(gzip.compress(text)))
    excel = detect(sheet(["Email", "Name"], ["a@example.org", "Ada"]))

    assert compressed.layout.is_gzip
    assert excel.layout.is_xlsx
    assert compressed.rows[1] == excel.rows[1] == ["a@example.org", "Ada"]
    assert compressed.layout.columns == excel.layout.columns == ("email", "name")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b" \n\n", "it is empty"),
        (b"\xd0\xcf\x11\xe0rest", "old Excel file"),
        (b"PK\x03\x04\xff\x00", "no Excel file that can be read"),
        (gzip.compress(b"email\na@example.org\n" * 100, mtime=0)[:40], "no whole gzip file"),
        (b"\x1f\x8bnonsense", "no whole gzip file"),
        (b"\x00\x01\x02", "neither CSV nor Excel"),
    ],
)
def test_what_is_no_table_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadFile, match=reason):
        detect(io.BytesIO(data))


SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("part", "before", "after", "reason"),
    [
        (SHEET, b"</worksheet>", b"", "no Excel file that can be read"),
        ("xl/workbook.xml", b"</workbook>", b"", "no Excel file that can be read"),
        ("xl/styles.xml", b"</styleSheet>", b"", "no Excel file that can be read"),
        ("[Content_Types].xml", b"<Override", b"<Other", "no Excel file that can be read"),
        (SHEET, b'<row r="1"', b'<row r="99999999999"', "more rows than Excel has"),
    ],
)
def test_a_workbook_that_is_broken_inside_is_refused(
    part: str, before: bytes, after: bytes, reason: str
) -> None:
    good, broken = sheet(["email"]), io.BytesIO()
    with zipfile.ZipFile(good) as parts, zipfile.ZipFile(broken, "w") as changed:
        for name in parts.namelist():
            content = parts.read(name)
            changed.writestr(name, content.replace(before, after) if name == part else content)

    with pytest.raises(BadFile, match=reason):
        detect(broken)


def test_a_workbook_that_would_fill_the_memory_is_refused() -> None:
    bomb = sheet(["email"])
    with (
        zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as parts,
        parts.open("xl/sharedStrings.xml", "w") as strings,
    ):
        for _ in range(257):
            strings.write(bytes(1024**2))

    with pytest.raises(BadFile, match="too large unpacked"):
        detect(bomb)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (("name",), "no column is the address"),
        (("email", "email"), "two columns 'email'"),
        (("email", "name", "name"), "two columns 'name'"),
        (("email", "2nd"), "a name begins with a letter"),
        (("email", "first name"), "a name begins with a letter"),
        (("email", "unsubscribe_url"), "a name of Godwit's own"),
        (("email", *(f"c{n}" for n in range(500))), "more than 500 columns"),
    ],
)
def test_a_layout_by_which_nothing_can_be_imported_says_why(
    columns: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(BadFile, match=reason):
        Layout(columns).check()


def test_a_layout_is_stored_as_it_is() -> None:
    layout = Layout(("email", ""), encoding="cp1250", delimiter=";", is_gzip=True)

    assert Layout.from_dict(layout.as_dict()) == layout


def test_no_column_takes_a_name_that_templates_read_otherwise() -> None:
    assert RESERVED.union(STANDARD) >= RESERVED_NAMES


@given(st.binary(max_size=300))
def test_no_content_breaks_the_look_at_a_file(data: bytes) -> None:
    try:
        found = detect(io.BytesIO(data))
    except BadFile:
        return

    assert found.rows


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=2),
        min_size=1,
    )
)
def test_what_a_program_wrote_is_read_as_it_was_meant(rows: list[list[str]]) -> None:
    width = len(rows[0])
    rows = [["email", *(f"c{n}" for n in range(1, width))], *(row[:width] for row in rows)]
    rows = [row + ["x"] * (width - len(row)) for row in rows]
    output = io.StringIO()
    csv.writer(output, quoting=csv.QUOTE_ALL).writerows(rows)

    found = preview(io.BytesIO(output.getvalue().encode()), Layout(tuple(rows[0]), delimiter=","))

    assert found.rows == rows[:6]
