"""Tables as files, CSV and XLSX, sent while they are written: the largest takes no more memory."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from django.http import Http404, StreamingHttpResponse

from campaigns.views.reports.xlsx import workbook
from recipients.export_files import text_of

FORMATS = {"csv": "CSV", "xlsx": "Excel"}
_CHUNK = 64 * 1024  # characters that are sent together
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

Rows = Iterable[Sequence[Any]]


def file_of(form: str, name: str, head: Sequence[str], rows: Rows) -> StreamingHttpResponse:
    """Return a table as a file to keep; a spreadsheet runs nothing of it.

    :param name: of the file, without its ending.
    :raises Http404: there is no such format.
    """
    if form not in FORMATS:
        raise Http404(f"no format {form!r}")
    written: Iterator[str] | Iterator[bytes] = (_csv if form == "csv" else workbook)(head, rows)
    return StreamingHttpResponse(
        written,
        content_type=_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'},
    )


def _csv(head: Sequence[str], rows: Rows) -> Iterator[str]:
    lines = io.StringIO()
    writer = csv.writer(lines, quoting=csv.QUOTE_ALL)
    for row in chain([head], rows):
        writer.writerow([text_of(value) for value in row])
        if lines.tell() >= _CHUNK:
            yield lines.getvalue()
            lines.seek(0)
            lines.truncate()
    yield lines.getvalue()
