"""The types of files that the library takes, told by what is in them."""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

import filetype
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from templates_app.media import archives
from templates_app.media.archives import BLOCKED, DOCX, PPTX, XLSX, ZIP, extension_of
from templates_app.media.refused import Refused

_TEXT = "text/plain"
_HEAD = 8_192
_PIECE = 65_536
_WHATEVER = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00")  # a whole one, none in it, of parts
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_MARKUP = re.compile(r"\s*<(!doctype|html|head|body|script|svg|\?xml|iframe)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileType:
    """A type, the content type that we give it, and what else browsers call it."""

    label: str | Promise
    content_type: str
    found: str  # what its bytes look like
    also: frozenset[str] = frozenset()

    @property
    def is_image(self) -> bool:
        return self.content_type.startswith("image/")

    @property
    def header(self) -> str:
        """The value of Content-Type."""
        is_text = self.content_type.startswith("text/")
        return f"{self.content_type}; charset=utf-8" if is_text else self.content_type


def _type(label: str | Promise, content_type: str, *also: str, found: str = "") -> FileType:
    return FileType(label, content_type, found or content_type, frozenset(also))


_EXCEL = "application/vnd.ms-excel"  # what Windows calls CSV
_ZIPPED = ("application/x-zip-compressed", "application/x-zip")

TYPES: Mapping[str, FileType] = {
    "pdf": _type("PDF", "application/pdf", "application/x-pdf"),
    "png": _type("PNG", "image/png", "image/x-png"),
    "jpg": _type("JPEG", "image/jpeg", "image/jpg", "image/pjpeg"),
    "gif": _type("GIF", "image/gif"),
    "webp": _type("WebP", "image/webp"),
    "ics": _type(gettext_lazy("calendar"), "text/calendar", _TEXT, "application/ics", found=_TEXT),
    "csv": _type("CSV", "text/csv", _TEXT, _EXCEL, "application/csv", found=_TEXT),
    "txt": _type(gettext_lazy("text"), _TEXT),
    "docx": _type("DOCX", DOCX, ZIP, *_ZIPPED),
    "xlsx": _type("XLSX", XLSX, ZIP, *_ZIPPED),
    "pptx": _type("PPTX", PPTX, ZIP, *_ZIPPED),
    "zip": _type("ZIP", ZIP, *_ZIPPED),
}
_BY_EXTENSION = {**TYPES, "jpeg": TYPES["jpg"]}
_BY_CONTENT_TYPE = {kind.content_type: kind for kind in TYPES.values()}


def type_of_name(name: str) -> FileType | None:
    return _BY_EXTENSION.get(extension_of(name))


def type_called(content_type: str) -> FileType:
    """Return the type with one of our own content types."""
    return _BY_CONTENT_TYPE[content_type]


def recognise(file: IO[bytes], *, name: str, declared: str = "") -> FileType:
    """Return the file's type if its name, its bytes and what the browser says of it agree.

    :raises Refused: they do not, or it is a type that the library does not take.
    """
    kind = _named(name)
    if declared.partition(";")[0].strip().lower() not in _WHATEVER | kind.also | {
        kind.content_type
    }:
        raise Refused(
            _("%(name)s is called %(label)s, but was sent as %(declared)s")
            % {"name": name, "label": kind.label, "declared": declared[:80]}
        )
    try:
        found = _found(file)
    except Refused as refusal:
        raise Refused(f"{name}: {refusal}") from None
    if found != kind.found:
        what = _BY_CONTENT_TYPE[found].label if found in _BY_CONTENT_TYPE else _("something else")
        raise Refused(
            _("%(name)s is called %(label)s, but its content is %(what)s")
            % {"name": name, "label": kind.label, "what": what}
        )
    if kind is TYPES["ics"] and not _begins(file, b"BEGIN:VCALENDAR"):
        raise Refused(
            _("%(name)s is no calendar file; one begins with BEGIN:VCALENDAR") % {"name": name}
        )
    return kind


def _named(name: str) -> FileType:
    kind = type_of_name(name)
    if kind:
        return kind
    extension = extension_of(name)
    if extension in BLOCKED:
        raise Refused(
            _("%(name)s: mail providers refuse .%(extension)s files, whatever is in them")
            % {"name": name, "extension": extension}
        )
    raise Refused(
        _("%(name)s: the library takes %(types)s; save it as one of them")
        % {"name": name, "types": ", ".join(TYPES)}
    )


def _found(file: IO[bytes]) -> str:
    file.seek(0)
    head = file.read(_HEAD)
    guessed = str(filetype.guess_mime(head) or "")
    if head.startswith(_ZIPS) or guessed == ZIP:
        return archives.examine(file)
    if guessed in _BY_CONTENT_TYPE:
        return guessed
    # Whatever its first two letters look like: filetype takes "BMW" for a picture.
    return _TEXT if _is_text(file) else guessed


def _is_text(file: IO[bytes]) -> bool:
    """Whether all of it is UTF-8 without control characters.

    :raises Refused: it is a page or a drawing, which browsers and readers run.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    file.seek(0)
    is_first = True
    while piece := file.read(_PIECE):
        try:
            text = decoder.decode(piece)
        except UnicodeDecodeError:
            return False
        if _CONTROLS.search(text):
            return False
        if is_first and _MARKUP.match(text):
            raise Refused(_("this is HTML, SVG or XML, which can hold scripts; save it as PDF"))
        is_first = False
    return not decoder.getstate()[0]


def _begins(file: IO[bytes], start: bytes) -> bool:
    file.seek(0)
    return file.read(_HEAD).removeprefix(codecs.BOM_UTF8).lstrip().startswith(start)
