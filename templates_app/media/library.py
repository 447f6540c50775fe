"""What people do with the library: upload, replace, move and delete files; and find their bytes."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO
from urllib.parse import unquote

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext as _

from templates_app.locks import changing_pieces
from templates_app.media import images, scanning, storing
from templates_app.media.names import clean_folder, clean_name
from templates_app.media.refused import Refused
from templates_app.media.scanning import Verdict
from templates_app.media.types import FileType, recognise, type_of_name
from templates_app.media.usage import named_by, used_by
from templates_app.models import MediaBlob, MediaFile, ScanState

_PIECE = 65_536
_MEGABYTE = 1_000_000
_TOKEN_BYTES = 16
_NAMED = 5  # of what uses a file, so many are named


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that were looked at and lie in the storage, for a name that they are to get."""

    digest: str
    key: str
    """In the storage; empty where the library had these bytes."""
    lost: str
    """Under which the storage does not have them any more, although the library says so."""
    size: int
    kind: FileType
    pixels: images.Size | None
    verdict: Verdict


def upload(
    file: IO[bytes], *, name: str, folder: str = "", declared: str = "", by: str = ""
) -> MediaFile:
    """Take a file into the library; its bytes are stored once, however often they come.

    :param declared: the content type that the browser says it has.
    :param by: the account that uploads it.
    :raises Refused: the file is none that may be mailed, or the name is taken.
    """
    name, folder = clean_name(name), clean_folder(folder)
    _check_free(folder, name)
    with stored(file, name=name, declared=declared) as content:
        return create(content, folder=folder, name=name, by=by)


def replace(
    media_file: MediaFile, file: IO[bytes], *, declared: str = "", by: str = ""
) -> MediaFile:
    """Let the name lead to other bytes of its type; what is frozen or scheduled keeps the old ones.

    :raises Refused: the file is none that may be mailed, or of another type than the name says.
    """
    with stored(file, name=media_file.name, declared=declared) as content:
        return point(media_file, content, by=by)


@contextmanager
def stored(file: IO[bytes], *, name: str, declared: str = "") -> Iterator[Stored]:
    """Look at a file, and store its bytes unless they are; at the end, what got no name is removed.

    Storages are slow at times: call it outside of a transaction.

    :raises Refused: the file is none that may be mailed, or the storage does not take it.
    """
    content = _stored(file, name=name, declared=declared)
    try:
        yield content
    finally:
        if content.key and not MediaBlob.objects.filter(key=content.key).exists():
            storing.remove_if_possible(content.key)


@transaction.atomic
def create(content: Stored, *, folder: str, name: str, by: str) -> MediaFile:
    """Give bytes a name that is clean.

    :raises Refused: it is taken.
    """
    blob = _locked(content)
    _check_free(folder, name)
    try:
        with transaction.atomic():
            return MediaFile.objects.create(folder=folder, name=name, blob=blob, uploaded_by=by)
    except IntegrityError:  # it came twice at once
        _check_free(folder, name)
        raise


@transaction.atomic
def keep(content: Stored) -> MediaBlob:
    """Keep bytes that get no name: whoever attaches them says so in the same transaction.

    :raises Refused: they were being deleted at this moment.
    """
    return _locked(content)


@transaction.atomic
def point(media_file: MediaFile, content: Stored, *, by: str) -> MediaFile:
    """Let a name lead to other bytes, which are of its type.

    :raises Refused: the file was deleted meanwhile.
    """
    blob = _locked(content)
    held = _held(media_file)
    _note_named(held.blob_id)
    held.blob, held.uploaded_by = blob, by
    held.save(update_fields=["blob", "uploaded_by", "updated_at"])
    return held


def describe(media_file: MediaFile, *, alt: str) -> None:
    """Say in words what an image shows; what names it already keeps its own words."""
    MediaFile.objects.filter(pk=media_file.pk).update(alt=alt.strip())


@transaction.atomic
def move(media_file: MediaFile, *, folder: str, name: str) -> MediaFile:
    """Give a file another name or folder.

    :raises Refused: the name is taken, is of another type, or a template says the present one.
    """
    name, folder = clean_name(name), clean_folder(folder)
    changing_pieces()
    locked = _held(media_file)
    if (folder, name) == (locked.folder, locked.name):
        return locked
    if type_of_name(name) is not type_of_name(locked.name):
        raise Refused(
            _("%(name)s: keep the extension that %(other)s has")
            % {"name": name, "other": locked.name}
        )
    _check_free(folder, name, but=locked.pk)
    if users := [use.label for use in named_by(locked)]:
        raise Refused(
            _("%(name)s is used by %(users)s; change it there first")
            % {"name": locked, "users": _listed(users)}
        )
    locked.folder, locked.name = folder, name
    try:
        with transaction.atomic():
            locked.save(update_fields=["folder", "name", "updated_at"])
    except IntegrityError:
        _check_free(folder, name)
        raise
    return locked


@transaction.atomic
def delete(media_file: MediaFile) -> None:
    """Delete a file; its bytes go when nothing names them any more.

    :raises Refused: something uses it; the text names what.
    """
    # Who begins to use it meanwhile has to wait for these locks, and finds that it is gone.
    changing_pieces()
    found = _held(media_file)
    if users := [use.label for use in used_by(found)]:
        raise Refused(
            _("%(name)s is used by %(users)s; take it out there first")
            % {"name": found, "users": _listed(users)}
        )
    _note_named(found.blob_id)
    found.delete()


def find(path: str) -> MediaFile:
    """Return the file with this path, such as `Logos/logo.png`, in whatever case its name is.

    :raises Refused: there is none.
    """
    for spelt in dict.fromkeys((path, unquote(path))):
        if "\0" in spelt or spelt.startswith("/"):  # PostgreSQL takes none; no folder begins so
            continue
        folder, _slash, name = spelt.strip().rpartition("/")
        files = MediaFile.objects.select_related("blob")
        if found := files.at(folder, name).first():
            return found
    raise Refused(
        _("there is no file %(path)r in the media library; upload it, or correct the path")
        % {"path": path}
    )


def resolve(path: str) -> str:
    """Return the public address of the bytes that the file has now, for a content that is frozen.

    :raises Refused: there is no such file, or the scanner found malware in it.
    """
    file = find(path)
    blob = file.blob
    if blob.scan == ScanState.INFECTED:
        raise Refused(f"{path}: {scanning.doubts([blob])}")
    if not (blob.is_image or blob.is_linked):
        MediaBlob.objects.filter(pk=blob.pk).update(is_linked=True)
    return settings.SITE_URL + address(blob, file.name)


def lookup(path: str) -> str | None:
    """Return what `resolve` does, None where there is no such file.

    :raises Refused: the scanner found malware in it.
    """
    try:
        find(path)
    except Refused:
        return None
    return resolve(path)


def address(blob: MediaBlob, name: str) -> str:
    """Return the path at which the public finds these bytes."""
    return reverse("templates_app:media", args=[blob.token, name])


def folders() -> list[str]:
    return list(MediaFile.objects.order_by("folder").values_list("folder", flat=True).distinct())


# --- what comes ---------------------------------------------------------------------------------


def _stored(file: IO[bytes], *, name: str, declared: str) -> Stored:
    with TemporaryFile() as came, TemporaryFile() as rewritten:
        _copy(file, came, name)
        kind = recognise(came, name=name, declared=declared)
        # As it came: what a scanner knows may be what is left out.
        verdict = scanning.scan(came)
        if verdict.state == ScanState.INFECTED:
            raise Refused(
                _("%(name)s: the scanner found %(found)s in it; nothing was stored")
                % {"name": name, "found": verdict.said}
            )
        kept, pixels = came, None
        if kind.is_image:
            kept, pixels = rewritten, _rewrite(came, rewritten, name, kind)
        digest, size = _measured(kept)
        known = MediaBlob.objects.filter(digest=digest).first()
        lost = known.key if known and not _is_whole(known) else ""
        key = "" if known and not lost else _store(kept, digest)
        return Stored(digest, key, lost, size, kind, pixels, verdict)


def _copy(source: IO[bytes], target: IO[bytes], name: str) -> None:
    most, size = settings.MEDIA_FILE_MB * _MEGABYTE, 0
    while piece := source.read(_PIECE):
        size += len(piece)
        if size > most:
            raise Refused(
                _("%(name)s has more than %(megabytes)s MB; make it smaller")
                % {"name": name, "megabytes": settings.MEDIA_FILE_MB}
            )
        target.write(piece)


def _rewrite(came: IO[bytes], target: IO[bytes], name: str, kind: FileType) -> images.Size:
    try:
        return images.rewrite(came, target, content_type=kind.content_type)
    except Refused as refusal:
        raise Refused(f"{name}: {refusal}") from None


def _measured(file: IO[bytes]) -> tuple[str, int]:
    digest, size = sha256(), 0
    file.seek(0)
    while piece := file.read(_PIECE):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


# --- what is kept -------------------------------------------------------------------------------


def _store(file: IO[bytes], digest: str) -> str:
    try:
        return storing.store(file, digest=digest)
    except OSError as error:
        raise Refused(
            _(
                "the storage does not take it: %(error)s; see whether it runs, has room, and "
                "MEDIA_STORAGE is right"
            )
            % {"error": error}
        ) from None


def _is_whole(blob: MediaBlob) -> bool:
    """Whether the storage has what the library says."""
    try:
        storing.read(blob)
    except (FileNotFoundError, storing.Damaged):
        return False
    except OSError as error:
        raise Refused(storing.in_words(error)) from None
    return True


def _locked(content: Stored) -> MediaBlob:
    """Return the row, locked: retention must not delete it before a file has it."""
    known = MediaBlob.objects.select_for_update().filter(digest=content.digest)
    if not known.exists():
        if not content.key:
            raise Refused(_("it was being deleted from the library at this moment; try again"))
        MediaBlob.objects.bulk_create([_row(content)], ignore_conflicts=True)
    blob = known.get()
    if content.lost and blob.key == content.lost:
        blob.key = content.key
        blob.save(update_fields=["key"])
    if scanning.says_more(content.verdict, blob):
        blob.scan, blob.scan_said = content.verdict
        blob.save(update_fields=["scan", "scan_said"])
    return blob


def _row(content: Stored) -> MediaBlob:
    pixels = content.pixels
    return MediaBlob(
        digest=content.digest,
        key=content.key,
        token=secrets.token_hex(_TOKEN_BYTES),
        size=content.size,
        content_type=content.kind.content_type,
        width=pixels.width if pixels else None,
        height=pixels.height if pixels else None,
        scan=content.verdict.state,
        scan_said=content.verdict.said,
    )


def _held(media_file: MediaFile) -> MediaFile:
    """Return the file as it is now, locked."""
    files = MediaFile.objects.select_for_update(of=("self",)).select_related("blob")
    held = files.filter(pk=media_file.pk).first()
    if held is None:
        raise Refused(_("%(name)s was deleted meanwhile") % {"name": media_file})
    return held


def _note_named(blob_id: int) -> None:
    """Note that bytes had a name until now: retention counts from here."""
    MediaBlob.objects.filter(pk=blob_id).update(named_at=Now())


def _check_free(folder: str, name: str, *, but: int = 0) -> None:
    taken = MediaFile.objects.at(folder, name).exclude(pk=but)
    if taken.exists():
        text = _("there is a file %(name)s at the top already; replace it, or choose another name")
        if folder:
            text = _(
                "there is a file %(name)s in %(folder)s already; replace it, or choose another name"
            )
        raise Refused(text % {"name": name, "folder": folder})


def _listed(users: list[str]) -> str:
    more = len(users) - _NAMED
    named = ", ".join(users[:_NAMED])
    if more > 0:
        return _("%(names)s and %(count)s more") % {"names": named, "count": more}
    return named
