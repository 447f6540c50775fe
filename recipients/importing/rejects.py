"""The rows that an import could not take, for a person to mend and import again."""

import csv
from collections.abc import Iterator
from io import StringIO

from recipients.formulas import guarded, unguarded
from recipients.importing import staging
from recipients.importing.layout import REJECTED, Layout
from recipients.importing.source import LONGEST_SWALLOWED
from recipients.models import Import


def lines(importing: Import) -> Iterator[str]:
    """Return a CSV file line by line: where each row stands, what is wrong with it, its cells.

    Mended, it can be imported as it is: the first two columns have names that are left out.
    """
    csv.field_size_limit(LONGEST_SWALLOWED)
    columns = Layout.from_dict(importing.layout).columns
    yield _line([*REJECTED, *columns])
    for row in staging.rejected(importing.pk):
        cells = next(csv.reader([row.raw]), [])
        yield _line([str(row.line), str(row), *cells])


def _line(cells: list[str]) -> str:
    output = StringIO()
    # Cells of an export are guarded already.
    csv.writer(output).writerow([guarded(unguarded(cell)) for cell in cells])
    return output.getvalue()
