"""Pages of lists that may have millions of rows: by a key, never by counting or skipping rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

SIZE = 50
OLDER, NEWER = "older", "newer"
_LONGEST = 18  # digits of a bigint that are surely one

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class KeyPage(Generic[Row]):
    """Some rows, the newest first; `_key_pages.html` links to those before and after."""

    rows: list[Row]
    newer: int | None
    """The key that newer rows come after; None at the start."""
    older: int | None
    """The key that older rows come before; None at the end."""


def key_page(rows: "QuerySet[Row]", asked: Mapping[str, str], *, size: int = SIZE) -> KeyPage[Row]:
    """Return one page of rows by their primary key, descending; two index scans at most.

    :param asked: the query string: `older` or `newer` than a key, the newest page without them.
    """
    newer_than = key_of(asked.get(NEWER, ""))
    if newer_than is not None:
        found = list(rows.filter(pk__gt=newer_than).order_by("pk")[: size + 1])
        shown = found[:size][::-1]
        if len(shown) == size or not rows.filter(pk__lte=newer_than).exists():
            return _page(shown, has_newer=len(found) > size, has_older=True)
    older_than = key_of(asked.get(OLDER, "")) if newer_than is None else None
    some = rows.filter(pk__lt=older_than) if older_than is not None else rows
    found = list(some.order_by("-pk")[: size + 1])
    return _page(found[:size], has_newer=older_than is not None, has_older=len(found) > size)


def _page(shown: list[Row], *, has_newer: bool, has_older: bool) -> KeyPage[Row]:
    return KeyPage(
        shown,
        newer=shown[0].pk if shown and has_newer else None,
        older=shown[-1].pk if shown and has_older else None,
    )


def key_of(text: str) -> int | None:
    """Return the number that a text writes down; None where a bigint may have no room for it."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= _LONGEST else None
