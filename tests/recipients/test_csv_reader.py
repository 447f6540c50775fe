import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipients.csv_reader import RESERVED, BadFile, BadLine, RecipientReader, Row
from templates_app.rendering import RESERVED_NAMES


def read(text: str) -> RecipientReader:
    return RecipientReader(io.StringIO(text, newline=""))


def read_bytes(data: bytes) -> RecipientReader:
    stream = io.BytesIO(data)
    return RecipientReader(
        io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    )


def test_a_row_is_an_address_and_its_fields() -> None:
    reader = read('Email,First name,city\nAda@Example.ORG,Ada,"Zürich, CH"\n')

    [row] = reader

    assert isinstance(row, Row)
    assert row.line == 2
    assert row.address.addr_spec == "Ada@example.org"
    assert row.fields == {"first_name": "Ada", "city": "Zürich, CH"}
    assert reader.fields == ["first_name", "city"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_in_the_header(delimiter: str) -> None:
    [row] = read(f"email{delimiter}name\na@example.org{delimiter}Ada\n")

    assert isinstance(row, Row)
    assert row.fields == {"name": "Ada"}


def test_each_bad_line_is_named_with_its_number_and_its_reason() -> None:
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
        b"last@example.org,Last\n"
    )

    found = list(read_bytes(lines))

    assert [line.line for line in found] == [2, 4, 5, 6, 8, 9, 10, 11]
    assert [str(line) for line in found if isinstance(line, BadLine)] == [
        "line 4: 'no-address': there is no @; write it as name@example.org",
        "line 5: has 1 columns, the header has 2",
        "line 8: has 3 columns, the header has 2",
        "line 9: is not UTF-8",
        "line 10: contains a NUL character",
    ]


def test_a_quotation_mark_that_is_never_closed_is_a_bad_line() -> None:
    rest = "".join(f"r{n}@example.org,x\n" for n in range(1_000))

    [line] = read(f'email,name\na@example.org,"open\n{rest}')

    assert isinstance(line, BadLine)
    assert str(line).startswith("lines 2 to 1002: has a cell of more than 10000 characters; is a q")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('"a@example.org,x', "has 1 columns, the header has 2"),
        ('a@example.org,"x', None),
        ('wrong,"x', "'wrong': there is no @; write it as name@example.org"),
    ],
)
def test_a_row_that_swallows_others_says_which(row: str, reason: str | None) -> None:
    lines = list(read(f"email,name\n{row}\nb@example.org,y\nc@example.org,z\n"))

    if reason:
        assert list(map(str, lines)) == [f"lines 2 to 4: {reason}; is a quotation mark open?"]
    else:
        assert len(lines) == 1  # a name of three lines is a name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "one of them 'email'"),
        ("a@example.org\nb@example.org\n", "one of them 'email'"),
        ("email,\na@example.org,x\n", "column 2 is named ''"),
        ("email,2nd\n", "column 2 is named '2nd'"),
        ("email,name,Name\n", "two columns 'name'"),
        ("email,unsubscribe_url\n", "a name of Godwit's own"),
    ],
)
def test_a_file_whose_columns_cannot_be_told_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadFile, match=reason):
        read(text)


@pytest.mark.parametrize(
    "data", ["email,náme\n".encode("latin-1"), "email\n".encode("utf-16"), b"PK\x03\x04\xff\x00"]
)
def test_a_file_that_is_not_utf_8_is_refused(data: bytes) -> None:
    with pytest.raises(BadFile, match=r"save it as CSV UTF-8|one of them"):
        read_bytes(data)


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    [row] = read_bytes("\ufeffemail\na@example.org\n".encode())

    assert isinstance(row, Row)


def test_no_column_takes_a_name_that_templates_read_otherwise() -> None:
    assert RESERVED_NAMES - {"email"} <= RESERVED


@given(st.binary(max_size=500))
def test_no_content_breaks_the_reader(data: bytes) -> None:
    for line in read_bytes(b"email,name\n" + data):
        assert isinstance(line, Row | BadLine)
