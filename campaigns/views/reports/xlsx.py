"""Workbooks that are sent while they are written (ECMA-376: part 1, 18.3, and part 2).

What openpyxl writes is a file that is whole before its first byte can be sent.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

_CHUNK = 64 * 1024  # bytes that are sent together
_SHEET = 1_000_000  # rows; a sheet has 1,048,576 at most
_LONGEST = 32_767  # characters of a cell

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_RELS_TYPE = "application/vnd.openxmlformats-package.relationships+xml"
_BOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"


class _Pipe(io.RawIOBase):
    """A file that cannot be gone back in: what is written is taken out of it and sent."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def __len__(self) -> int:
        return len(self._written)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def workbook(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield the parts of a workbook that has these rows, each sheet below its head."""
    pipe, left, sheets = _Pipe(), iter(rows), 0
    first = next(left, None)
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as book:
        while first is not None or not sheets:
            sheets += 1
            with book.open(f"xl/worksheets/sheet{sheets}.xml", "w", force_zip64=True) as sheet:
                sheet.write(f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
                sheet.write(_row(head))
                written = 0
                while first is not None and written < _SHEET:
                    sheet.write(_row(first))
                    first, written = next(left, None), written + 1
                    if len(pipe) >= _CHUNK:
                        yield pipe.take()
                sheet.write(b"</sheetData></worksheet>")
        for name, text in _frame(sheets):
            book.writestr(name, f"{_XML}{text}")
    yield pipe.take()


def _row(values: Sequence[Any]) -> bytes:
    return f"<row>{''.join(map(_cell, values))}</row>".encode()


def _cell(value: Any) -> str:
    """Return a cell; a text is never one that is calculated."""
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{value:d}</v></c>'
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    text = escape(ILLEGAL_CHARACTERS_RE.sub("", str(value))[:_LONGEST], quote=False)
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _frame(sheets: int) -> Iterator[tuple[str, str]]:
    """Yield what makes a workbook of so many sheets."""
    numbers = range(1, sheets + 1)
    names = "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="s{n}"/>' for n in numbers)
    yield (
        "xl/workbook.xml",
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{names}</sheets></workbook>',
    )
    leads = "".join(
        f'<Relationship Id="s{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    yield "xl/_rels/workbook.xml.rels", _relationships(leads)
    lead = f'<Relationship Id="b" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    yield "_rels/.rels", _relationships(lead)
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_SHEET_TYPE}"/>'
        for n in numbers
    )
    rels = f'<Default Extension="rels" ContentType="{_RELS_TYPE}"/>'
    book = f'<Override PartName="/xl/workbook.xml" ContentType="{_BOOK_TYPE}"/>'
    yield (
        "[Content_Types].xml",
        f'<Types xmlns="{_PACKAGE}/content-types">{rels}{book}{types}</Types>',
    )


def _relationships(inner: str) -> str:
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'
