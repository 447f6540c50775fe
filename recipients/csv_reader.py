"""Read recipients from CSV (RFC 4180): each line is a row to import, or says what is wrong."""

import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from recipients.addresses import Address, BadAddress, parse_address

ADDRESS_COLUMN = "email"
# Names that mean something else in a template (templates_app.rendering says what).
RESERVED = frozenset(
    {"unsubscribe_url", "campaign_name", "list_name", "sender_name", "true", "false", "none"}
)
LONGEST_CELL = 10_000  # characters


class BadFile(Exception):
    """The file as a whole cannot be imported; nothing of it was."""


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    address: Address
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class BadLine:
    line: int
    reason: str
    last: int
    """Where the row ends: further down, where a quotation mark was left open."""

    def __str__(self) -> str:
        if self.last == self.line:
            return f"line {self.line}: {self.reason}"
        return f"lines {self.line} to {self.last}: {self.reason}; is a quotation mark open?"


class RecipientReader:
    """The rows of a CSV file whose first line names the columns.

    The file is to be opened as UTF-8 with `errors="surrogateescape"` and `newline=""`: a line that
    is not UTF-8 is then a bad line, not the end of the import.

    :raises BadFile: the header is missing, has no `email` column, or a name twice.
    """

    def __init__(self, file: TextIO) -> None:
        csv.field_size_limit(sys.maxsize)  # a cell that is too long is a bad line, not an exception
        header = _decodable(file.readline())
        self._reader = csv.reader(file, delimiter=_delimiter(header))
        self._columns = _columns(header)
        self._address_at = self._columns.index(ADDRESS_COLUMN)

    @property
    def fields(self) -> list[str]:
        """The custom fields that the file has, in its order."""
        return [column for column in self._columns if column != ADDRESS_COLUMN]

    def __iter__(self) -> Iterator[Row | BadLine]:
        line = 2  # where the row begins; a quoted cell may go on for several lines
        for cells in self._reader:
            last = self._reader.line_num + 1
            if cells:
                yield self._row(line, cells, last=last)
            line = last + 1

    def _row(self, line: int, cells: list[str], *, last: int) -> Row | BadLine:
        if problem := self._problem(cells):
            return BadLine(line, problem, last)
        try:
            address = parse_address(cells[self._address_at])
        except BadAddress as error:
            return BadLine(line, f"{cells[self._address_at]!r}: {error}", last)
        fields = {
            name: cell.strip()
            for name, cell in zip(self._columns, cells, strict=True)
            if name != ADDRESS_COLUMN
        }
        return Row(line, address, fields)

    def _problem(self, cells: list[str]) -> str | None:
        if len(cells) != len(self._columns):
            return f"has {len(cells)} columns, the header has {len(self._columns)}"
        text = "".join(cells)
        if "\0" in text:
            return "contains a NUL character"
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            return "is not UTF-8"
        if max(map(len, cells)) > LONGEST_CELL:
            return f"has a cell of more than {LONGEST_CELL} characters"
        return None


def _decodable(header: str) -> str:
    try:
        header.encode()
    except UnicodeEncodeError:
        raise BadFile("the file is not UTF-8; save it as CSV UTF-8") from None
    if "\0" in header:
        raise BadFile("the file is not text; save it as CSV UTF-8")
    return header


def _delimiter(header: str) -> str:
    # Spreadsheets write semicolons where the comma is the decimal point.
    return max(",;\t", key=header.count)


def _columns(header: str) -> list[str]:
    names = next(csv.reader([header], delimiter=_delimiter(header)), [])
    columns = [_field_name(name) for name in names]
    if ADDRESS_COLUMN not in columns:
        raise BadFile(f"the first line must name the columns, one of them {ADDRESS_COLUMN!r}")
    for position, (name, column) in enumerate(zip(names, columns, strict=True), start=1):
        if not column or column[0].isdigit():
            raise BadFile(f"column {position} is named {name!r}; a name begins with a letter")
        if column in RESERVED:
            raise BadFile(f"column {name!r} has a name of Godwit's own; give it another one")
    if len(set(columns)) < len(columns):
        twice = next(column for column in columns if columns.count(column) > 1)
        raise BadFile(f"there are two columns {twice!r}; name them differently")
    return columns


def _field_name(column: str) -> str:
    """Turn `First name` into `first_name`, as templates write it."""
    return re.sub(r"\W+", "_", column.strip().lower()).strip("_")[:100]
