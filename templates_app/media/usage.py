"""Who uses a file of the library."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import unquote

from django.db.models import Model, Q
from django.utils.translation import gettext as _

from templates_app.models import EmailTemplate, Layout, MediaBlob, MediaFile, Snippet
from templates_app.models import TemplateVariant as Variant

_NAME = re.compile("media:", re.IGNORECASE)
_UNENCODED = re.compile(r"[A-Za-z0-9]+")  # a name has its extension at least
_GOES_ON = re.compile(r"[\w-]|\.\w")
_LONGEST_ENCODED = 12  # characters of one that is percent-encoded or written as an entity
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
    """Return the templates, variants, snippets and layouts that say `media:` and its path.

    Or its address of now.
    """
    variants = Variant.objects.select_related("template")
    return [
        *(
            Use(_("template %(name)s") % {"name": row}, row)
            for row in _naming(file, EmailTemplate.objects, "text")
        ),
        *(
            Use(_("template %(name)s") % {"name": row}, row.template)
            for row in _naming(file, variants, "text")
        ),
        *(
            Use(_("snippet %(name)s") % {"name": row}, row)
            for row in _naming(file, Snippet.objects)
        ),
        *(Use(_("layout %(name)s") % {"name": row}, row) for row in _naming(file, Layout.objects)),
    ]


def named_how_often(files: Sequence[MediaFile]) -> Counter[int]:
    """Count for each file, by its id, the templates, snippets and layouts that name it.

    All sources are read once, however many files are asked about.
    """
    names_some = Q(source__icontains="media:") | Q(source__contains="/m/")
    in_text = Q(text__icontains="media:") | Q(text__contains="/m/")
    counts: Counter[int] = Counter()
    for text in [
        *_texts(EmailTemplate.objects.filter(names_some | in_text), "source", "text"),
        *_texts(Variant.objects.filter(names_some | in_text), "source", "text"),
        *_texts(Snippet.objects.filter(names_some), "source"),
        *_texts(Layout.objects.filter(names_some), "source"),
    ]:
        counts.update(each.pk for each in files if _names(text, each.path, mark_of(each.blob)))
    return counts


def _texts(rows: Any, *columns: str) -> list[str]:
    return ["\n".join(values) for values in rows.values_list(*columns)]


def mark_of(blob: MediaBlob) -> str:
    """Return what stands in compiled contents that show or link these bytes."""
    return f"/m/{blob.token}/"


def blobs_in(content: str) -> list[MediaBlob]:
    """Return the bytes that a compiled content shows or links."""
    tokens = set(_MARKS.findall(content))
    return list(MediaBlob.objects.filter(token__in=tokens)) if tokens else []


def _naming(file: MediaFile, rows: Any, *more: str) -> list[Any]:
    """Return the rows whose source, or one of the other columns, names the file."""
    columns, mark = ("source", *more), mark_of(file.blob)
    # What is never encoded, of all spellings of the name: the others are not looked through.
    fragment = max(_UNENCODED.findall(file.name), key=len)
    may_name = Q()
    for column in columns:
        by_name = Q(**{f"{column}__icontains": "media:"}) & Q(**{f"{column}__icontains": fragment})
        may_name |= by_name | Q(**{f"{column}__contains": mark})
    return [
        row
        for row in rows.filter(may_name).order_by("pk")
        if any(_names(getattr(row, name), file.path, mark) for name in columns)
    ]


def _names(source: str, path: str, mark: str) -> bool:
    """Whether a source says the path, in whatever encoding, and not as a part of a longer one."""
    if mark in source:
        return True
    longest = _LONGEST_ENCODED * len(path)
    for found in _NAME.finditer(source):
        said = unquote(unescape(source[found.end() : found.end() + longest])).lstrip()
        if said[: len(path)].lower() == path.lower() and not _GOES_ON.match(said[len(path) :]):
            return True
    return False
