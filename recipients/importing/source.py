"""Rows of cells from a CSV file (RFC 4180), or from the first sheet of an XLSX."""

import csv
import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from io import TextIOWrapper
from typing import IO, Any, TypeAlias
from xml.etree import ElementTree

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from recipients.importing.layout import BadFile, Layout
from recipients.translatable import Translatable

LONGEST_CELL = 10_000  # characters
# A quotation mark that is never closed swallows what follows: so much of it, and not a gigabyte.
LONGEST_SWALLOWED = 1024 * 1024
_UNPACKED = 4 * 1024**3  # bytes; of an XLSX, whose parts are unpacked by a library
_HELD = 256 * 1024**2  # of these, what it has in memory at once: all but the sheets
_SHEET_ROWS = 1_048_576  # the library makes up those that a row's number says are missing
# What a library raises that takes a file for a good one: broken XML, compression, encryption.
_BROKEN = (
    zipfile.BadZipFile, InvalidFileException, ElementTree.ParseError, zlib.error, EOFError, OSError,
    RuntimeError, LookupError, ValueError, TypeError, AttributeError,
)  # fmt: skip
# Their decoders cannot keep bytes that are no characters (surrogateescape); they replace them.
REPLACING = frozenset({"utf-16", "cp932", "euc-jp", "gb18030", "big5", "cp949"})


Line: TypeAlias = tuple[int, int, list[str], str]
"""Where a row begins and ends, its cells, and why they cannot be had, where they cannot."""


@contextmanager
def open_rows(file: IO[bytes], layout: Layout) -> Iterator[Iterator[Line]]:
    """Read the rows of a file, the header left out; blank ones are passed over.

    :raises BadFile: where it is not what the layout says, possibly in its midst.
    """
    file.seek(0)
    try:
        if layout.is_xlsx:
            yield _without_header(_sheet(file), layout)
        else:
            unpacked: Any = gzip.GzipFile(fileobj=file) if layout.is_gzip else file
            errors = "replace" if layout.encoding in REPLACING else "surrogateescape"
            text = TextIOWrapper(unpacked, _codec(layout), errors=errors, newline="")
            yield _without_header(_lines(text, layout), layout)
            text.detach()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadFile(
            Translatable("it is no whole gzip file: %(reason)s", {"reason": str(error)})
        ) from None
    except UnicodeError as error:
        raise BadFile(
            Translatable(
                "it is not %(encoding)s (%(reason)s)",
                {"encoding": layout.encoding, "reason": str(error)},
            )
        ) from None


def _codec(layout: Layout) -> str:
    return "utf-8-sig" if layout.encoding == "utf-8" else layout.encoding


def _without_header(lines: Iterator[Line], layout: Layout) -> Iterator[Line]:
    if layout.has_header:
        next(lines, None)
    return lines


def _lines(text: TextIOWrapper, layout: Layout) -> Iterator[Line]:
    csv.field_size_limit(LONGEST_SWALLOWED)
    reader = csv.reader(text, delimiter=layout.delimiter)
    line = 1  # where the row begins; a quoted cell may go on for several lines
    while True:
        try:
            for cells in reader:
                last = reader.line_num
                if cells:
                    yield line, last, cells, ""
                line = last + 1
            return
        except csv.Error:
            last = reader.line_num
            yield line, last, [], f"has a cell of more than {LONGEST_CELL} characters"
            line = last + 1


def _sheet(file: IO[bytes]) -> Iterator[Line]:
    try:
        with zipfile.ZipFile(file) as archive:
            _refuse_large(archive)
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what the file says of its size may be wrong
        width = 0
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
            if number > _SHEET_ROWS:
                raise BadFile(Translatable("it has more rows than Excel has; save it as CSV UTF-8"))
            cells = [_text(value) for value in row]
            while cells and not cells[-1]:  # a sheet ends where its longest row does, or earlier
                cells.pop()
            if cells:
                width = width or len(cells)
                yield number, number, cells + [""] * (width - len(cells)), ""
    except _BROKEN as error:
        raise BadFile(
            Translatable(
                "it is no Excel file that can be read (%(reason)s); save it as CSV",
                {"reason": str(error)},
            )
        ) from None


def _refuse_large(archive: zipfile.ZipFile) -> None:
    """Refuse what the library would unpack without end; of sheets it holds a row at a time."""
    sizes = {member.filename: member.file_size for member in archive.infolist()}
    held = [size for name, size in sizes.items() if not name.startswith("xl/worksheets/")]
    if sum(sizes.values()) > _UNPACKED or sum(held) > _HELD:
        raise BadFile(Translatable("it is too large unpacked; save it as CSV UTF-8"))


def _text(value: Any) -> str:
    """Write a cell as a person would type it into a CSV file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
