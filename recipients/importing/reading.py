"""From a row of cells to a row of the staging table, or to what is wrong with it."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from json import dumps
from json.encoder import encode_basestring

from recipients.addresses import BadAddress, parse_address
from recipients.digests import Digester
from recipients.formulas import unguarded
from recipients.importing.layout import ADDRESS, LANGUAGE, TIME_ZONE, Layout
from recipients.importing.source import LONGEST_CELL, REPLACING, Line
from recipients.models.fields import FieldKind
from recipients.validators import time_zones
from recipients.values import BadValue, Kind, tidy

# Nobody is meant by these (RFC 2142 5); a message to them makes enemies.
NEVER_MAILED = frozenset({"abuse", "postmaster", "noreply", "no-reply", "mailer-daemon"})
_LANGUAGE_TAG = re.compile(r"(?=.{2,35}$)[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)


# What a decoder makes of bytes that are no characters of its encoding.
_UNDECODED = re.compile("[\ud800-\udfff]")
_REPLACED = re.compile("\ufffd")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is not imported, why, and what it says."""

    line: int
    last: int
    """Where the row ends: further down, where a quotation mark was left open."""
    reason: str
    raw: str
    """Its cells, as CSV."""

    def __str__(self) -> str:
        if self.last == self.line:
            return f"line {self.line}: {self.reason}"
        return f"lines {self.line} to {self.last}: {self.reason}; is a quotation mark open?"


class _BadRow(ValueError):
    """Why a row is not imported."""


class RowReader:
    """Turns rows of a layout into lines of PostgreSQL's COPY.

    Columns of a line: line, key, address, domain, needs_smtputf8, subject, fields, filled,
    language, time_zone. `filled` are the fields that are not blank, NULL where all are. An import
    spends most of its time here: a row takes some 5 µs.
    """

    def __init__(self, layout: Layout, kinds: Mapping[str, Kind], *, secret: str) -> None:
        self._width = len(layout.columns)
        self._encoding = layout.encoding.upper()
        self._undecoded = _REPLACED if layout.encoding in REPLACING else _UNDECODED
        self._address = layout.columns.index(ADDRESS)
        self._language = _position(layout, LANGUAGE)
        self._time_zone = _position(layout, TIME_ZONE)
        self._fields = [
            (at, f"{encode_basestring(name)}: ", _writer(name, kinds[name]))
            for at, name in enumerate(layout.columns)
            if name in kinds
        ]
        self._digest = Digester(secret).digest

    def read(self, line: Line) -> str | Rejected:
        """Return the line for COPY, or why there is none."""
        first, last, cells, problem = line
        try:
            if problem := problem or self._problem(cells):
                raise _BadRow(problem)
            return self._line(first, cells)
        except (BadAddress, BadValue, _BadRow) as error:
            raw = StringIO()
            csv.writer(raw).writerow([_storable(cell) for cell in cells])
            return Rejected(first, last, str(error), raw.getvalue().rstrip("\r\n"))

    def _problem(self, cells: Sequence[str]) -> str:
        """Return what is wrong with the cells, whatever they mean; or nothing."""
        if len(cells) != self._width:
            return f"has {len(cells)} columns, the header has {self._width}"
        text = "".join(cells)
        if "\0" in text:
            return "contains a NUL character"
        if not text.isascii() and self._undecoded.search(text):
            return f"is not {self._encoding}"
        if len(text) > LONGEST_CELL and max(map(len, cells)) > LONGEST_CELL:
            return f"has a cell of more than {LONGEST_CELL} characters"
        return ""

    def _line(self, line: int, cells: Sequence[str]) -> str:
        try:
            address, key, domain, needs_smtputf8 = parse_address(unguarded(cells[self._address]))
        except BadAddress as error:
            raise _BadRow(f"{_storable(cells[self._address])!r}: {error}") from None
        if key.partition("@")[0] in NEVER_MAILED:
            raise _BadRow(f"{key!r} belongs to no person and is never mailed")
        fields, filled = self._values(cells)
        language = "" if self._language is None else _language(cells[self._language].strip())
        zone = "" if self._time_zone is None else _time_zone(cells[self._time_zone].strip())
        subject = self._digest(key).hex()
        return (
            f"{line}\t{key}\t{address}\t{domain}\t{'t' if needs_smtputf8 else 'f'}"
            f"\t\\\\x{subject}\t{fields}\t{filled}\t{language}\t{zone}\n"
        )

    def _values(self, cells: Sequence[str]) -> tuple[str, str]:
        """Return the fields as JSON, and those that are not blank, both escaped for COPY."""
        values, blanks = [], []
        for at, name, write in self._fields:
            cell = cells[at].strip()
            if cell:
                if not cell.isascii():
                    cell = tidy(cell)
                values.append(name + write(unguarded(cell) if cell[0] == "'" else cell))
            elif write is encode_basestring:
                blanks.append(f'{name}""')  # read by templates, where no value is an error
        filled = f"{{{', '.join(values)}}}".replace("\\", "\\\\")
        if not blanks:
            return filled, "\\N"
        return f"{{{', '.join(values + blanks)}}}".replace("\\", "\\\\"), filled


def _position(layout: Layout, name: str) -> int | None:
    return layout.columns.index(name) if name in layout.columns else None


def _writer(name: str, kind: Kind) -> Callable[[str], str]:
    """Return what writes a cell of a field as JSON."""
    if kind.kind == FieldKind.TEXT:
        return encode_basestring

    def write(cell: str) -> str:
        try:
            return dumps(kind.read(cell), ensure_ascii=False)
        except BadValue as error:
            raise BadValue(f"{name}: {error}") from None

    return write


def _language(text: str) -> str:
    if text and not _LANGUAGE_TAG.fullmatch(text):
        raise _BadRow(f"language: {_storable(text)[:50]!r} is no language like en or pt-BR")
    return text


def _time_zone(text: str) -> str:
    if text and text not in time_zones():
        raise _BadRow(f"time zone: {_storable(text)[:50]!r} is no time zone like Europe/Berlin")
    return text


def _storable(text: str) -> str:
    """Return a text that can be shown and stored, whatever bytes it was read from."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
