"""Rows of recipients as CSV, lines of JSON or XLSX, written one after the other."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import TextIOWrapper
from typing import IO, Any, TextIO, TypeAlias

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from recipients.formulas import guarded
from recipients.models import ExportFormat
from recipients.values import in_digits

COLUMNS = ("email", "state", "suppressed", "language", "time_zone", "tags", "created_at")
SHEET = 1_000_000  # rows; a sheet has 1,048,576 at most

Row: TypeAlias = tuple[Any, ...]
"""As COLUMNS say, and the fields as JSON."""
Write: TypeAlias = Callable[[Row], object]


@contextmanager
def rows_into(file: IO[bytes], form: ExportFormat, *, names: Sequence[str]) -> Iterator[Write]:
    """Write rows to a file, with a column for each of these fields; the file stays open."""
    if form == ExportFormat.XLSX:
        book = Workbook(write_only=True)
        yield _xlsx(book, names)
        book.save(file)
        return
    text = TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        yield _csv(text, names) if form == ExportFormat.CSV else _jsonl(text)
    finally:
        text.detach()


def _csv(file: TextIO, names: Sequence[str]) -> Write:
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow([*COLUMNS, *map(guarded, names)])

    def write(row: Row) -> None:
        writer.writerow([text_of(value) for value in _values(row, names)])

    return write


def _jsonl(file: TextIO) -> Write:
    def write(row: Row) -> None:
        standard = dict(zip(COLUMNS, map(_plain, row[:-1]), strict=True))
        line = {**standard, "fields": json.loads(row[-1])}
        file.write(json.dumps(line, ensure_ascii=False) + "\n")

    return write


def _xlsx(book: Any, names: Sequence[str]) -> Write:
    """Cells have types: a text is none that is calculated, whatever it begins with."""
    sheet = _sheet(book, names)
    left = SHEET

    def write(row: Row) -> None:
        nonlocal sheet, left
        if not left:
            sheet, left = _sheet(book, names), SHEET
        sheet.append([_typed(sheet, value) for value in _values(row, names)])
        left -= 1

    return write


def _sheet(book: Any, names: Sequence[str]) -> Any:
    sheet = book.create_sheet()
    sheet.append([_typed(sheet, name) for name in (*COLUMNS, *names)])
    return sheet


def _values(row: Row, names: Sequence[str]) -> list[Any]:
    fields = json.loads(row[-1])
    return [*map(_plain, row[:-1]), *(fields.get(name) for name in names)]


def _typed(sheet: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
    cell.data_type = "s"
    return cell


def text_of(value: object) -> str:
    """Return a cell's text, as CSV has it; numbers are no formulas, whatever they begin with."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return in_digits(value)
    return guarded(value) if isinstance(value, str) else str(value)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
