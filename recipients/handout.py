"""What is known of a person, as a file for them: JSON, or CSV for who prefers a spreadsheet."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _

from recipients.formulas import guarded


class HandoutFormat(models.TextChoices):
    JSON = "json", _("JSON, for programs")
    CSV = "csv", _("CSV, for spreadsheets")


CONTENT_TYPES: Mapping[HandoutFormat, str] = {
    HandoutFormat.JSON: "application/json",
    HandoutFormat.CSV: "text/csv; charset=utf-8",
}


def written(known: Mapping[str, Any], form: HandoutFormat) -> str:
    """Return what `privacy.known` returned as the text of a file."""
    if form == HandoutFormat.JSON:
        return json.dumps(known, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2) + "\n"
    return _as_csv(known)


def _as_csv(known: Mapping[str, Any]) -> str:
    """Write one line for each value: what it belongs to, the how manyth of these, name, value."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(("about", "number", "name", "value"))
    for about, part in known.items():
        for number, name, value in _values(part):
            writer.writerow((about, number, guarded(name), guarded(_text(value))))
    return file.getvalue()


def _values(part: Any) -> Iterator[tuple[int, str, Any]]:
    for number, entry in enumerate(part if isinstance(part, list) else [part], start=1):
        named = entry if isinstance(entry, Mapping) else {"": entry}
        for name, value in named.items():
            yield number, str(name), value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False).strip('"')
