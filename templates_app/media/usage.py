"""Who uses a file of the library."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.db.models import Model, Q, QuerySet
from django.utils.html import escape

from templates_app.models import EmailTemplate, Layout, MediaBlob, MediaFile, Snippet
from templates_app.models import TemplateVariant as Variant

_MARKS = re.compile(r"/m/([0-9a-f]{32})/")


@dataclass(frozen=True, slots=True)
class Use:
    """Something that names a file: what it is called, and the row whose page shows it."""

    label: str
    row: Model


# Apps above this one add what they know.
askers: list[Callable[[MediaFile], Iterable[Use]]] = []


def used_by(file: MediaFile) -> list[Use]:
    """Return all that needs the file by its name, or will send it."""
    return [*named_by(file), *(use for asker in askers for use in asker(file))]


def named_by(file: MediaFile) -> list[Use]:
    """Return the templates, variants, snippets and layouts that say `media:` and its path."""
    spellings = _spellings(file)
    return [
        *_uses("template", EmailTemplate.objects.all(), spellings, "source", "text"),
        *(
            Use(f"template {variant}", variant.template)
            for variant in _found(
                Variant.objects.select_related("template"), spellings, "source", "text"
            )
        ),
        *_uses("snippet", Snippet.objects.all(), spellings, "source"),
        *_uses("layout", Layout.objects.all(), spellings, "source"),
    ]


def mark_of(blob: MediaBlob) -> str:
    """Return what stands in compiled contents that show or link these bytes."""
    return f"/m/{blob.token}/"


def blobs_in(content: str) -> list[MediaBlob]:
    """Return the bytes that a compiled content shows or links."""
    tokens = set(_MARKS.findall(content))
    return list(MediaBlob.objects.filter(token__in=tokens)) if tokens else []


def _spellings(file: MediaFile) -> frozenset[str]:
    """Return the ways in which sources may name it: `media:`, or its address of now."""
    path = file.path
    by_name = {f"media:{spelt}" for spelt in (path, quote(path), escape(path))}
    return frozenset({*by_name, mark_of(file.blob)})


def _uses(
    what: str, rows: "QuerySet[Any]", spellings: Iterable[str], *columns: str
) -> Iterable[Use]:
    return [Use(f"{what} {row}", row) for row in _found(rows, spellings, *columns)]


def _found(rows: "QuerySet[Any]", spellings: Iterable[str], *columns: str) -> list[Any]:
    """Return the rows with one of the spellings, but not as the beginning of a longer name."""
    anywhere = Q()
    for column in columns:
        for spelling in spellings:
            anywhere |= Q(**{f"{column}__icontains": spelling})
    alone = re.compile("|".join(map(_whole, spellings)), re.IGNORECASE)
    found = rows.filter(anywhere).order_by("pk")
    return [row for row in found if any(alone.search(getattr(row, name)) for name in columns)]


def _whole(spelling: str) -> str:
    end = "" if spelling.endswith("/") else r"(?![\w%-]|\.\w)"
    return re.escape(spelling) + end
