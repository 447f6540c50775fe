"""Pages of what may have millions of rows: by a key, never by counting or skipping rows."""

import json
from typing import Annotated, Any, Generic, TypeVar

from django.core.signing import BadSignature, Signer
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from ninja import Schema
from pydantic import Field

from recipients.api.refusals import Fault, invalid

Shown = TypeVar("Shown")
Row = TypeVar("Row", bound=Model)

# What a primary key can be; PostgreSQL refuses to compare it with more.
Key = Annotated[int, Field(ge=1, le=2**63 - 1)]

_signer = Signer(salt="api.cursor")


Cursor = Annotated[
    str, Field(max_length=500, description="`next` of the page before; empty: the first page.")
]
Next = Annotated[
    str | None, Field(description="The cursor of the next page; null: this is the last.")
]


class Paging(Schema):
    limit: Annotated[int, Field(ge=1, le=200, description="How many at most.")] = 50
    cursor: Cursor = ""


class Page(Schema, Generic[Shown]):
    items: list[Shown]
    next: Next


def page_of(
    request: HttpRequest, rows: "QuerySet[Row]", asked: Paging, *, key: str = "pk"
) -> dict[str, Any]:
    """Return one page of rows, the newest first; one index scan, and nothing is counted.

    :param key: the unique column that they are in order of.
    :raises Problem: the cursor is of something else, or nobody's.
    """
    if asked.cursor:
        rows = rows.filter(**{f"{key}__lt": read_cursor(request, asked.cursor)})
    found = list(rows.order_by(f"-{key}")[: asked.limit + 1])
    shown = found[: asked.limit]
    more = len(found) > asked.limit
    return {
        "items": shown,
        "next": write_cursor(request, getattr(shown[-1], key)) if more else None,
    }


def write_cursor(request: HttpRequest, last: Any) -> str:
    """Return where the page after this row begins, of what this request asks for."""
    return _signer.sign_object([_asked(request), last], serializer=_Compact)


def read_cursor(request: HttpRequest, cursor: str) -> Any:
    """Return the last row of the page before.

    :raises Problem: the cursor is of something else, or nobody's.
    """
    try:
        asked, last = _signer.unsign_object(cursor, serializer=_Compact)
    except (BadSignature, ValueError):
        raise invalid([Fault("/cursor", "This is no cursor of ours.")]) from None
    if asked != _asked(request):
        raise invalid([Fault("/cursor", "This cursor belongs to another question.")])
    return last


def _asked(request: HttpRequest) -> list[Any]:
    """Return what a cursor belongs to: the same path, with the same filters."""
    filters = request.GET.copy()
    for name in ("cursor", "limit"):
        filters.pop(name, None)
    return [request.path, sorted([name, *values] for name, values in filters.lists())]


class _Compact:
    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":"), default=str).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)
