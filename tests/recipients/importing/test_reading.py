import gzip
import io
import json
from collections.abc import Mapping
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipients.importing.detect import detect
from recipients.importing.layout import BadFile, Layout
from recipients.importing.reading import Rejected, RowReader
from recipients.importing.source import open_rows
from recipients.models import FieldKind
from recipients.values import Kind, tidy
from tests.recipients.importing.test_detect import sheet

TYPED = {
    "age": Kind(FieldKind.NUMBER),
    "born": Kind(FieldKind.DATE),
    "vip": Kind(FieldKind.BOOLEAN),
    "tier": Kind(FieldKind.CHOICE, ("Gold", "Silver")),
}
SECRET = "s" * 32


def read(
    data: bytes | str | io.BytesIO,
    *,
    layout: Layout | None = None,
    kinds: Mapping[str, Kind] = TYPED,
) -> list[str | Rejected]:
    file = io.BytesIO(data.encode()) if isinstance(data, str) else data
    file = io.BytesIO(file) if isinstance(file, bytes) else file
    chosen = layout or detect(file).layout
    found = {name: Kind(FieldKind.TEXT) for name in chosen.fields} | {
        name: kind for name, kind in kinds.items() if name in chosen.fields
    }
    reader = RowReader(chosen, found, secret=SECRET)
    with open_rows(file, chosen) as lines:
        return [reader.read(line) for line in lines]


def columns(row: str | Rejected) -> list[str]:
    """Return the columns as PostgreSQL reads them."""
    assert isinstance(row, str), row
    return [cell.replace("\\\\", "\\") for cell in row.removesuffix("\n").split("\t")]


def fields(row: str | Rejected) -> dict[str, object]:
    found: dict[str, object] = json.loads(columns(row)[6])
    return found


def test_a_row_is_an_address_its_digest_and_its_fields() -> None:
    [row] = read('Email,First name,city\nAda@Example.ORG,Ada,"Zürich, ""CH"""\n')

    line, key, address, domain, smtputf8, subject, values, filled, language, zone = columns(row)
    assert (line, key, address, domain) == (
        "2",
        "ada@example.org",
        "Ada@example.org",
        "example.org",
    )
    assert json.loads(values) == {"first_name": "Ada", "city": 'Zürich, "CH"'}
    assert (smtputf8, filled, language, zone) == ("f", r"\N", "", "")
    assert len(bytes.fromhex(subject.removeprefix(r"\x"))) == 32


def test_a_text_is_stored_in_the_form_in_which_it_is_asked_for() -> None:
    [row] = read("email,city,street\na@example.org,Ha\u0300\u00a0Nội,'=Ha\u0306\u0303\n")

    assert fields(row) == {"city": "Hà Nội", "street": "=H\u1eb5"}


def test_language_and_time_zone_are_no_custom_fields() -> None:
    [row] = read("email,language,time_zone\na@example.org,pt-BR,Asia/Ho_Chi_Minh\n")

    assert columns(row)[6:] == ["{}", r"\N", "pt-BR", "Asia/Ho_Chi_Minh"]


def test_blank_texts_are_stored_and_overwrite_nothing() -> None:
    [row] = read("email,name,age\na@example.org, ,\n")

    assert columns(row)[6:8] == ['{"name": ""}', "{}"]


def test_values_are_read_by_the_kind_of_their_field() -> None:
    [row] = read("email,age,born,vip,tier\na@example.org,41,1985-02-28,yes,gold\n")

    assert fields(row) == {"age": 41, "born": "1985-02-28", "vip": True, "tier": "Gold"}


def test_a_sheets_cells_are_read_as_they_are_shown() -> None:
    rows = sheet(
        ["email", "age", "born", "vip", "tier"],
        ["a@example.org", 41.0, datetime(1985, 2, 28), True, "Silver"],  # noqa: DTZ001
        [None, None, None, None, None],
        ["b@example.org", 1.5, None, False, None],
    )

    first, second = read(rows)

    assert fields(first) == {"age": 41, "born": "1985-02-28", "vip": True, "tier": "Silver"}
    assert fields(second) == {"age": 1.5, "vip": False}
    assert columns(second)[0] == "4"


def test_each_bad_row_is_named_with_its_number_and_its_reason() -> None:
    lines = (
        b"email,name\n"
        b"good@example.org,Good\n"
        b"\n"
        b"no-address,X\n"
        b"short@example.org\n"
        b'"quoted@example.org","two\nlines"\n'
        b"long@example.org,a,b\n"
        b"latin@example.org,Ren\xe9\n"
        b"nul@example.org,a\0b\n"
        b"postmaster@example.org,P\n"
        b"last@example.org,Last\n"
    )

    found = read(lines, layout=Layout(("email", "name")))

    assert [columns(row)[0] for row in found if isinstance(row, str)] == ["2", "6", "12"]
    assert [str(row) for row in found if isinstance(row, Rejected)] == [
        "line 4: 'no-address': there is no @; write it as name@example.org",
        "line 5: has 1 columns, the header has 2",
        "line 8: has 3 columns, the header has 2",
        "line 9: is not UTF-8",
        "line 10: contains a NUL character",
        "line 11: 'postmaster@example.org' belongs to no person and is never mailed",
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a@example.org,old,,,", "age: 'old' is no number like 12 or -3.5"),
        ("a@example.org,,28.2.1985,,", "born: '28.2.1985' is no date like 2026-12-04"),
        ("a@example.org,,,maybe,", "vip: 'maybe' is neither yes nor no"),
        ("a@example.org,,,,Bronze", "tier: 'Bronze' is none of Gold, Silver"),
    ],
)
def test_a_value_that_is_none_of_its_field_is_a_bad_row(row: str, reason: str) -> None:
    [found] = read(f"email,age,born,vip,tier\n{row}\n")

    assert isinstance(found, Rejected)
    assert found.reason == reason
    assert found.raw == row


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("a@example.org,english!,", "language: 'english!' is no language like en or pt-BR"),
        ("a@example.org,,Mars/Base", "time zone: 'Mars/Base' is no time zone like Europe/Berlin"),
    ],
)
def test_a_language_or_time_zone_that_is_none_is_a_bad_row(cells: str, reason: str) -> None:
    [found] = read(f"email,language,time_zone\n{cells}\n")

    assert isinstance(found, Rejected)
    assert found.reason == reason


def test_a_quotation_mark_that_is_never_closed_costs_a_part_of_the_file_and_no_memory() -> None:
    rest = "".join(f"r{n}@example.org,x\n" for n in range(100_000))

    first, *others = read(f'email,name\na@example.org,"open\n{rest}')

    assert isinstance(first, Rejected)
    assert str(first).startswith("lines 2 to ")
    assert str(first).endswith("a cell of more than 10000 characters; is a quotation mark open?")
    assert columns(others[-1])[1] == "r99999@example.org"


def test_a_cell_of_a_megabyte_is_a_bad_row() -> None:
    row, after = read(f"email,name\na@example.org,{'x' * 1_000_000}\nb@example.org,y\n")

    assert isinstance(row, Rejected)
    assert row.reason == "has a cell of more than 10000 characters"
    assert columns(after)[1] == "b@example.org"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('"a@example.org,x', "has 1 columns, the header has 2"),
        ('wrong,"x', "'wrong': there is no @; write it as name@example.org"),
    ],
)
def test_a_row_that_swallows_others_says_which(row: str, reason: str) -> None:
    [found] = read(
        f"email,name\n{row}\nb@example.org,y\nc@example.org,z\n", layout=Layout(("email", "name"))
    )

    assert str(found) == f"lines 2 to 4: {reason}; is a quotation mark open?"


@pytest.mark.parametrize("encoding", ["utf-16", "cp1251", "koi8-r", "gb18030"])
def test_a_file_is_read_in_the_encoding_that_was_chosen(encoding: str) -> None:
    data = "email,name\na@example.org,Анна\n".encode(encoding)

    [row] = read(data, layout=Layout(("email", "name"), encoding=encoding))

    assert fields(row) == {"name": "Анна"}


def test_bytes_that_are_no_characters_of_the_encoding_are_a_bad_row() -> None:
    data = "email,name\na@example.org,佐藤\n".encode("cp932") + b"b@example.org,\x81\xad!\n"

    good, bad = read(data, layout=Layout(("email", "name"), encoding="cp932"))

    assert fields(good) == {"name": "佐藤"}
    assert isinstance(bad, Rejected)
    assert bad.reason == "is not CP932"


def test_what_an_export_guarded_is_read_as_it_was() -> None:
    [row] = read("email,name\n'=cmd@example.org,'=1+1\n")

    assert columns(row)[1] == "=cmd@example.org"
    assert fields(row) == {"name": "=1+1"}


def test_a_column_that_is_left_out_is_not_read() -> None:
    [row] = read("x,email,y\n1,a@example.org,2\n", layout=Layout(("", "email", "note")))

    assert fields(row) == {"note": "2"}


def test_a_compressed_file_that_ends_too_early_is_refused() -> None:
    data = gzip.compress("".join(f"r{n}@example.org\n" for n in range(50_000)).encode())

    with pytest.raises(BadFile, match="no whole gzip file"):
        read(data[:-20], layout=Layout(("email",), is_gzip=True))


def test_a_header_alone_has_no_rows() -> None:
    assert read("email,name\n") == []


@given(st.binary(max_size=500), st.sampled_from(["utf-8", "utf-16", "cp1252", "cp932"]))
def test_no_content_breaks_the_reader(data: bytes, encoding: str) -> None:
    layout = Layout(("email", "name"), encoding=encoding, has_header=False)
    try:
        rows = read(data, layout=layout)
    except BadFile:
        return

    for row in rows:
        text = row if isinstance(row, str) else f"{row}{row.raw}"
        assert "\0" not in text.encode().decode()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50))
def test_any_text_reaches_the_table_as_fields_store_it(text: str) -> None:
    layout = Layout(("email", "name"), has_header=False)
    quoted = '"' + text.replace('"', '""') + '"'

    [row] = read(f"a@example.org,{quoted}\n", layout=layout)

    stripped = tidy(text.strip())
    assert fields(row)["name"] in {stripped, stripped.removeprefix("'")}
    assert row.count("\t") == 9  # type: ignore[union-attr]
    assert row.count("\n") == 1  # type: ignore[union-attr]
