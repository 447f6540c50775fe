"""Look at a file of recipients and say how it is to be read; a person has the last word."""

import codecs
import csv
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import IO, Any

import chardet

from recipients.addresses import BadAddress, parse_address
from recipients.importing.layout import (
    ADDRESS,
    DELIMITERS,
    ENCODINGS,
    LEAVE_OUT,
    MOST_COLUMNS,
    REJECTED,
    BadFile,
    Layout,
    field_name,
    too_many_columns,
)
from recipients.importing.source import open_rows
from recipients.translatable import Translatable

_SAMPLE = 1024 * 1024  # bytes
_SAMPLE_ROWS = 100
_SHOWN = 6  # rows, a header included

_MOST_USED = "cp1252"
_NO_CLUE = 0.025  # a few accents fit many encodings
# What is read as well by one that more people have heard of.
_NEARLY = {"koi8-u": "koi8-r", "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}

# What people call the column of addresses, in a header that does not say `email`.
_ADDRESS_NAMES = (
    "email", "e_mail", "email_address", "e_mail_address", "emailaddress", "mail", "address",
    "correo", "courriel",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preview:
    """A layout as it was found, and the file's first rows as they are read by it."""

    layout: Layout
    rows: list[list[str]]


def detect(file: IO[bytes]) -> Preview:
    """Look at the beginning of a file and say how it is to be read.

    :raises BadFile: it is empty, or neither CSV nor XLSX.
    """
    file.seek(0)
    magic = file.read(4)
    if magic == b"\xd0\xcf\x11\xe0":
        raise BadFile(Translatable("it is an old Excel file; save it as .xlsx, or as CSV UTF-8"))
    if magic == b"PK\x03\x04":
        return preview(file, Layout((), is_xlsx=True))
    is_gzip = magic[:2] == b"\x1f\x8b"
    sample = _sample(file, is_gzip=is_gzip)
    encoding = _encoding(sample)
    text = sample.decode(encoding, errors="replace").removeprefix("\ufeff")
    return preview(file, Layout((), encoding=encoding, delimiter=_delimiter(text), is_gzip=is_gzip))


def preview(file: IO[bytes], layout: Layout) -> Preview:
    """Read the first rows by a layout; name its columns where that does not.

    :raises BadFile: there is not one row, or there are more columns than a file may have.
    """
    with open_rows(file, replace(layout, has_header=False)) as lines:
        rows = [cells for _, _, cells, _ in islice(lines, _SAMPLE_ROWS)]
    if not rows:
        raise BadFile(Translatable("it is empty"))
    if len(rows[0]) > MOST_COLUMNS:
        raise too_many_columns()
    if not layout.columns:
        has_header = not any(_is_address(cell) for cell in rows[0])
        columns = _from_header(rows[0]) if has_header else _from_content(rows)
        layout = replace(layout, has_header=has_header, columns=columns)
    return Preview(layout, rows[:_SHOWN])


def _sample(file: IO[bytes], *, is_gzip: bool) -> bytes:
    file.seek(0)
    unpacked: Any = gzip.GzipFile(fileobj=file) if is_gzip else file
    try:
        sample: bytes = unpacked.read(_SAMPLE)
    except (OSError, EOFError, zlib.error) as error:
        raise BadFile(
            Translatable("it is no whole gzip file: %(reason)s", {"reason": str(error)})
        ) from None
    if not sample.strip():
        raise BadFile(Translatable("it is empty"))
    return sample


def _encoding(sample: bytes) -> str:
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return _guess(sample)
    if b"\0" in sample[:1000]:
        raise BadFile(
            Translatable("it is neither CSV nor Excel: there are NUL characters at its beginning")
        )
    return "utf-8"


def _guess(sample: bytes) -> str:
    """Guess among encodings of one or two bytes; people are shown what it makes of the file."""
    found = chardet.detect(sample)
    if not found["encoding"] or found["confidence"] < _NO_CLUE:
        return _MOST_USED
    name = codecs.lookup(str(found["encoding"])).name
    return _NEARLY.get(name) or next(
        (known for known in ENCODINGS if codecs.lookup(known).name == name), _MOST_USED
    )


def _delimiter(text: str) -> str:
    """Return what parts the sampled rows into the same number of cells, more than one each."""
    lines = text.splitlines(keepends=True)[:_SAMPLE_ROWS]
    widths = {each: _widths(lines, each) for each in DELIMITERS}
    steady = {each: counts[0] for each, counts in widths.items() if len(set(counts)) == 1}
    if steady and max(steady.values()) > 1:
        return max(steady, key=lambda each: steady[each])
    # Rows with a wrong number of cells are bad rows, by what the header is parted by.
    first = {each: counts[0] for each, counts in widths.items() if counts}
    return max(first, key=lambda each: first[each], default=",")


def _widths(lines: Sequence[str], delimiter: str) -> list[int]:
    csv.field_size_limit(_SAMPLE)
    try:
        rows = [cells for cells in csv.reader(lines, delimiter=delimiter) if cells]
    except csv.Error:
        return []
    # The last row may be cut off by the end of the sample.
    return [len(cells) for cells in (rows[:-1] or rows)]


def _from_header(header: Sequence[str]) -> tuple[str, ...]:
    """Name the columns by the header; Layout.check says which of the names cannot be had."""
    names = [field_name(name) for name in header]
    names = [LEAVE_OUT if name in REJECTED else name for name in names]
    if ADDRESS not in names:
        synonym = next((name for name in _ADDRESS_NAMES if name in names), None)
        names = [ADDRESS if name == synonym else name for name in names]
    return tuple(names)


def _from_content(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Find the column of addresses in a file without a header; the others are left out."""
    width = len(rows[0])
    hits = [sum(_is_address(row[at]) for row in rows if at < len(row)) for at in range(width)]
    best = hits.index(max(hits))
    return tuple(ADDRESS if at == best else LEAVE_OUT for at in range(width))


def _is_address(cell: str) -> bool:
    try:
        parse_address(cell)
    except BadAddress:
        return False
    return True
