"""A template with all that it uses as one file: a ZIP of sources that people can read.

`manifest.json` says what there is and in which member, with its SHA-256; every other member is a
source or a file of the media library. Names of templates, snippets and files are values in the
manifest. Members are looked up and never written to a disk: no name becomes a path. The same
template gives the same bytes. Written by whoever made the file, all of it is checked.
"""

import json
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from io import BytesIO
from typing import IO, Any, TypeVar

from django.utils.translation import gettext as _

from templates_app.compiling.library import Piece
from templates_app.drafts import Draft, Written
from templates_app.models import Kind

FORMAT, VERSION = "godwit-template", 1
MANIFEST = "manifest.json"
_FILES = "media/"
MOST_BYTES = 64_000_000  # of the file, and of all that is in it
_MOST_MEMBERS = 500
_LONGEST_SOURCE = 1_000_000  # bytes
_MOST_RATIO = 100  # unpacked to packed; a bomb has 1,000
_SMALL = 1_000_000  # bytes unpacked, below which no ratio is a bomb: as much as a source may have
_ENCRYPTED = 0x1
_DIRECTORY_ENTRY = b"PK\x01\x02"  # before each member of a ZIP's directory (APPNOTE 4.3.12)
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the same each time; ZIP knows none before
_FILE_MODE = 0o100644 << 16
_ENDING = {Kind.MJML: "mjml", Kind.HTML: "html", Kind.MARKDOWN: "md", Kind.TEXT: "txt"}
_MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")


_Value = TypeVar("_Value")


class BadBundle(ValueError):
    """The file is no template that was exported, or was changed since; the text says where."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A template, the snippets and layouts that it uses by their names, and files by their paths.

    Where its HTML is kept exactly as written, it says so; whether it stays so is for whoever
    imports it.
    """

    name: str
    draft: Draft
    snippets: dict[str, Piece]
    layouts: dict[str, Piece]
    files: dict[str, bytes]


# --- out ------------------------------------------------------------------------------------------


def pack(bundle: Bundle) -> bytes:
    """Return the bundle as a file."""
    members: dict[str, bytes] = {}

    def stored(name: str, content: str | bytes) -> dict[str, str]:
        members[name] = content.encode() if isinstance(content, str) else content
        return {"file": name, "sha256": sha256(members[name]).hexdigest()}

    draft = bundle.draft
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "name": bundle.name,
        "kind": draft.kind.value,
        "layout": draft.layout,
        "link_parameters": draft.link_parameters,
        "raw": draft.is_raw,
        "languages": [
            _language(number, written, draft.kind, stored)
            for number, written in enumerate(draft.written)
        ],
        "snippets": _pieces("snippets", bundle.snippets, stored),
        "layouts": _pieces("layouts", bundle.layouts, stored),
        "media": [
            {"path": path, **stored(f"{_FILES}{number}", content)}
            for number, (path, content) in enumerate(sorted(bundle.files.items()), start=1)
        ],
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    return _zipped({MANIFEST: text.encode(), **members})


def _language(
    number: int, written: Written, kind: Kind, stored: Callable[[str, str], dict[str, str]]
) -> dict[str, Any]:
    folder = f"languages/{number}/" if number else ""
    said: dict[str, Any] = {
        "language": written.language,
        "subject": written.subject,
        "preheader": written.preheader,
        "source": stored(f"{folder}source.{_ENDING[kind]}", written.source),
    }
    return said | ({"text": stored(f"{folder}text.txt", written.text)} if written.text else {})


def _pieces(
    folder: str, pieces: dict[str, Piece], stored: Callable[[str, str], dict[str, str]]
) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "kind": piece.kind.value,
            "source": stored(f"{folder}/{number}.{_ENDING[piece.kind]}", piece.source),
        }
        for number, (name, piece) in enumerate(sorted(pieces.items()), start=1)
    ]


def _zipped(members: dict[str, bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=_FIRST_DAY)
            # Images are packed already.
            is_file = name.startswith(_FILES)
            entry.compress_type = zipfile.ZIP_STORED if is_file else zipfile.ZIP_DEFLATED
            entry.external_attr, entry.create_system = _FILE_MODE, 3
            archive.writestr(entry, content)
    return file.getvalue()


# --- in -------------------------------------------------------------------------------------------


def unpack(file: IO[bytes]) -> Bundle:
    """Read what `pack` wrote.

    :raises BadBundle: it is something else, too large, incomplete, or changed.
    """
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise BadBundle(
            _("it has more than %(megabytes)s MB") % {"megabytes": MOST_BYTES // 1_000_000}
        )
    members = _members(data)
    if MANIFEST not in members:
        raise BadBundle(
            _("there is no %(manifest)s in it; choose a file that was exported here")
            % {"manifest": MANIFEST}
        )
    return _Reading(members).bundle()


def _members(data: bytes) -> dict[str, bytes]:
    if data.count(_DIRECTORY_ENTRY) > 2 * _MOST_MEMBERS:  # before a row is made of each
        raise BadBundle(_("there are more than %(most)s files in it") % {"most": _MOST_MEMBERS})
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            return {entry.filename: _content(archive, entry) for entry in entries}
    except BadBundle:
        raise
    except Exception as error:
        # zipfile raises whatever it stumbles over: BadZipFile, zlib.error, struct.error …
        raise BadBundle(_("it is a damaged ZIP file, or none")) from error


def _check_entries(entries: Sequence[zipfile.ZipInfo]) -> None:
    if len(entries) > _MOST_MEMBERS:
        raise BadBundle(_("there are more than %(most)s files in it") % {"most": _MOST_MEMBERS})
    if len({entry.filename for entry in entries}) < len(entries):
        raise BadBundle(_("two files in it have the same name"))
    for entry in entries:
        if not _MEMBER.fullmatch(entry.filename):
            raise BadBundle(
                _("%(name)r is no name that a file in it may have") % {"name": entry.filename[:80]}
            )
        if entry.flag_bits & _ENCRYPTED:
            raise BadBundle(_("%(name)s has a password") % {"name": entry.filename})
        if entry.file_size > max(_SMALL, _MOST_RATIO * entry.compress_size):
            raise BadBundle(
                _("%(name)s is packed as no source is; it may be a bomb") % {"name": entry.filename}
            )
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise BadBundle(
            _("unpacked it has more than %(megabytes)s MB") % {"megabytes": MOST_BYTES // 1_000_000}
        )


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return what a member holds, and read no more of it than it says it has."""
    with archive.open(entry) as content:
        data = content.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        raise BadBundle(_("%(name)s has another size than is said") % {"name": entry.filename})
    return data


class _Reading:
    """A manifest that is read: each value has its type, and each member is named once."""

    def __init__(self, members: dict[str, bytes]) -> None:
        self._members = members
        self._named = {MANIFEST}

    def bundle(self) -> Bundle:
        manifest = self._manifest()
        kind = _kind(manifest, _("the template"))
        languages = _objects(manifest, "languages")
        if not languages:
            raise BadBundle(_("manifest: there is no text in any language"))
        bundle = Bundle(
            name=_text(manifest, "name"),
            draft=Draft(
                kind=kind,
                written=tuple(self._written(each) for each in languages),
                layout=_text(manifest, "layout"),
                link_parameters=_text(manifest, "link_parameters"),
                is_raw=_flag(manifest, "raw"),
            ),
            snippets=_once(self._piece(each) for each in _objects(manifest, "snippets")),
            layouts=_once(self._piece(each) for each in _objects(manifest, "layouts")),
            files=_once(
                (_text(each, "path"), self._taken(each)) for each in _objects(manifest, "media")
            ),
        )
        if extra := sorted(set(self._members) - self._named):
            raise BadBundle(
                _("%(name)s is in it, and its manifest does not name it") % {"name": extra[0]}
            )
        return bundle

    def _manifest(self) -> dict[str, Any]:
        self._check_length(MANIFEST)
        try:
            manifest = json.loads(self._members[MANIFEST])
        except (ValueError, RecursionError):
            raise BadBundle(_("its manifest is not JSON")) from None
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise BadBundle(_("its manifest is not that of a template"))
        if manifest.get("version") != VERSION:
            raise BadBundle(
                _(
                    "it has version %(found)s of the format; this installation reads version "
                    "%(known)s"
                )
                % {"found": str(manifest.get("version"))[:20], "known": VERSION}
            )
        return manifest

    def _written(self, said: dict[str, Any]) -> Written:
        return Written(
            subject=_text(said, "subject"),
            source=self._source(said, "source"),
            text=self._source(said, "text") if "text" in said else "",
            preheader=_text(said, "preheader"),
            language=_text(said, "language"),
        )

    def _piece(self, said: dict[str, Any]) -> tuple[str, Piece]:
        name = _text(said, "name")
        return name, Piece(_kind(said, repr(name[:80])), self._source(said, "source"))

    def _source(self, said: dict[str, Any], key: str) -> str:
        found = said.get(key)
        if not isinstance(found, dict):
            raise BadBundle(_("manifest: %(key)s is missing, or names no file") % {"key": key})
        data = self._taken(found, is_source=True)
        try:
            return _plain(data.decode(), _text(found, "file"))
        except UnicodeDecodeError:
            raise BadBundle(_("%(name)s is not UTF-8") % {"name": _text(found, "file")}) from None

    def _taken(self, said: dict[str, Any], *, is_source: bool = False) -> bytes:
        name = _text(said, "file")
        if name not in self._members or name in self._named:
            raise BadBundle(
                _("manifest: %(name)r is not in the file, or is named twice") % {"name": name[:80]}
            )
        self._named.add(name)
        if is_source:
            self._check_length(name)
        if sha256(self._members[name]).hexdigest() != _text(said, "sha256"):
            raise BadBundle(
                _("%(name)s was changed since it was exported; its SHA-256 is another")
                % {"name": name}
            )
        return self._members[name]

    def _check_length(self, name: str) -> None:
        if len(self._members[name]) > _LONGEST_SOURCE:
            raise BadBundle(
                _("%(name)s has more than %(megabytes)s MB")
                % {"name": name, "megabytes": _LONGEST_SOURCE // 1_000_000}
            )


def _text(said: dict[str, Any], key: str) -> str:
    value = said.get(key)
    if not isinstance(value, str):
        raise BadBundle(_("manifest: %(key)s is missing, or no text") % {"key": key})
    return _plain(value, f"manifest: {key}")


def _flag(said: dict[str, Any], key: str) -> bool:
    value = said.get(key, False)
    if not isinstance(value, bool):
        raise BadBundle(_("manifest: %(key)s is neither true nor false") % {"key": key})
    return value


def _plain(value: str, place: str) -> str:
    """Return a text that a database takes."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise BadBundle(_("%(place)s has a character in it that is none") % {"place": place})
    return value


def _kind(said: dict[str, Any], whose: str) -> Kind:
    kind = _text(said, "kind")
    if kind not in Kind.values:
        raise BadBundle(
            _("manifest: the kind of %(whose)s is none of %(kinds)s")
            % {"whose": whose, "kinds": ", ".join(Kind.values)}
        )
    return Kind(kind)


def _objects(said: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = said.get(key)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadBundle(_("manifest: %(key)s is missing, or no list of objects") % {"key": key})
    return found


def _once(pairs: Iterator[tuple[str, _Value]]) -> dict[str, _Value]:
    known: dict[str, _Value] = {}
    for name, value in pairs:
        if name in known:
            raise BadBundle(_("manifest: %(name)r is there twice") % {"name": name[:80]})
        known[name] = value
    return known


# --- other names ----------------------------------------------------------------------------------


def rewritten(bundle: Bundle, change: Callable[[str], str]) -> Bundle:
    """Return the bundle with all of its sources changed."""
    draft = bundle.draft
    written = tuple(
        replace(
            each,
            source=change(each.source),
            text=change(each.text),
            preheader=change(each.preheader),
        )
        for each in draft.written
    )

    def pieces(before: dict[str, Piece]) -> dict[str, Piece]:
        return {name: Piece(each.kind, change(each.source)) for name, each in before.items()}

    return replace(
        bundle,
        draft=replace(draft, written=written, link_parameters=change(draft.link_parameters)),
        snippets=pieces(bundle.snippets),
        layouts=pieces(bundle.layouts),
    )
