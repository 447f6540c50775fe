"""How a file of recipients is to be read."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from recipients.models.fields import FieldKind
from recipients.translatable import Translatable
from recipients.values import Kind

ADDRESS = "email"
LANGUAGE, TIME_ZONE = "language", "time_zone"
LEAVE_OUT = ""
# Columns of recipients; every other name is a custom field's.
STANDARD = (ADDRESS, LANGUAGE, TIME_ZONE)
# Names that mean something else in a template (templates_app.rendering says what).
RESERVED = frozenset(
    {
        "unsubscribe_url", "preferences_url", "view_url", "campaign_name", "list_name",
        "sender_name", "sender_address", "true", "false", "none",
    }
)  # fmt: skip
# What the first columns of a file of rejected rows say: where a row stood, and what was wrong.
REJECTED = ("rejected_line", "rejected_because")
DELIMITERS = (",", ";", "\t", "|")
ENCODINGS = (
    "utf-8", "utf-16", "cp1252", "iso8859-15", "cp1250", "iso8859-2", "cp1251", "koi8-r", "cp1253",
    "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "mac-roman", "cp932", "euc-jp", "gb18030",
    "big5", "cp949",
)  # fmt: skip
MOST_COLUMNS = 500


class BadFile(Exception):
    """The file as a whole cannot be imported; nothing of it was. The text says what to do."""

    def __init__(self, why: Translatable) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is to be read."""

    columns: tuple[str, ...]
    """What each column is: one of STANDARD, the name of a field, or LEAVE_OUT."""
    encoding: str = "utf-8"
    """One of ENCODINGS; a byte order mark is left out. Of an XLSX it says nothing."""
    delimiter: str = ","
    has_header: bool = True
    is_xlsx: bool = False
    is_gzip: bool = False
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """What each field takes; of all fields once an import is started."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        kinds = {
            name: Kind(FieldKind(kind["kind"]), tuple(kind["choices"]))
            for name, kind in values["kinds"].items()
        }
        return cls(**{**values, "columns": tuple(values["columns"]), "kinds": kinds})

    @property
    def fields(self) -> list[str]:
        """The custom fields that the file has, in its order."""
        return [name for name in self.columns if name not in STANDARD and name != LEAVE_OUT]

    def check(self) -> Self:
        """Return this, if a file can be imported so.

        :raises BadFile: no column or two are of addresses, a name twice or not ours to give.
        """
        if ADDRESS not in self.columns:
            raise BadFile(
                Translatable(
                    "no column is the address; name one of them %(name)s", {"name": repr(ADDRESS)}
                )
            )
        if len(self.columns) > MOST_COLUMNS:
            raise too_many_columns()
        named = [name for name in self.columns if name != LEAVE_OUT]
        for position, name in enumerate(self.columns, start=1):
            if named.count(name) > 1:
                raise BadFile(
                    Translatable(
                        "there are two columns %(name)s; name them differently",
                        {"name": repr(name)},
                    )
                )
            if name in RESERVED:
                raise BadFile(
                    Translatable(
                        "column %(name)s has a name of Godwit's own; give it another one",
                        {"name": repr(name)},
                    )
                )
            if name and not (name.isidentifier() and name == field_name(name)):
                raise BadFile(
                    Translatable(
                        "column %(position)s is named %(name)s; a name begins with a letter",
                        {"position": str(position), "name": repr(name)},
                    )
                )
        return self


def too_many_columns() -> BadFile:
    return BadFile(
        Translatable(
            "it has more than %(most)s columns; delete those that are not needed from the file",
            {"most": MOST_COLUMNS},
        )
    )


def field_name(column: str) -> str:
    """Turn `First name` into `first_name`, as templates write it."""
    return re.sub(r"\W+", "_", column.strip().lower()).strip("_")[:100]
