"""An import from its file to its end: what people do with it, and the steps of the work.

A step takes some seconds at most, may be repeated, and may be cut off: what is committed is not
done again. Steps of one import may run at the same time.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import IO

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from recipients import locks
from recipients.importing import checking, forgetting, merging, staging
from recipients.importing.detect import detect
from recipients.importing.kinds import changed, to_check_again, to_undo, with_kinds
from recipients.importing.layout import BadFile, Layout
from recipients.importing.reading import Rejected, RowReader
from recipients.importing.source import open_rows
from recipients.models import (
    Field,
    FieldKind,
    Import,
    ImportSlice,
    ImportStatus,
    MailingList,
    MergePolicy,
    Tag,
)
from recipients.models.imports import UPLOADS
from recipients.translatable import Translatable

CHUNK = 50_000  # rows that are read in one transaction
_BYTES = 1024 * 1024
_UNDER_WAY = (ImportStatus.CHECKING, ImportStatus.IMPORTING)
_WAITING = (ImportStatus.MAPPING, ImportStatus.CHECKED, ImportStatus.STOPPED)


class Refused(Exception):
    """What was asked for cannot be done with this import; the text says why."""


@transaction.atomic
def begin(
    file: IO[bytes],
    *,
    name: str,
    mailing_list: MailingList | None = None,
    layout: Layout | None = None,
    policy: MergePolicy = MergePolicy.OVERWRITE,
    declaration: str = "",
    by: User | None = None,
) -> Import:
    """Keep a file, and say how it would be read; nothing of it is imported.

    :raises BadFile: it cannot be read at all.
    """
    found = layout or detect(file).layout
    digest, size = fingerprint(file)
    importing = Import(
        file_name=name[:255],
        sha256=digest,
        size=size,
        mailing_list=mailing_list,
        layout=found.as_dict(),
        policy=policy,
        declaration=declaration,
        created_by=by,
    )
    file.seek(0)
    importing.file.save(name, File(file), save=False)
    importing.save()
    return importing


@transaction.atomic
def start(
    importing: Import,
    *,
    layout: Layout,
    mailing_list: MailingList | None,
    tags: Iterable[Tag] = (),
    now: datetime,
) -> None:
    """Have the file read by a layout, and say what would happen; nothing does yet.

    May be repeated until `go`. The import's policy and declaration are saved with it.

    :raises BadFile: the layout is none that a file can be imported by.
    :raises Refused: it is under way already.
    """
    layout.check()
    ready = Import.objects.filter(
        pk=importing.pk, status__in=(ImportStatus.MAPPING, ImportStatus.CHECKED)
    )
    if not ready.update(
        status=ImportStatus.CHECKING,
        layout=with_kinds(layout).as_dict(),
        mailing_list=mailing_list,
        policy=importing.policy,
        declaration=importing.declaration,
        rows=0,
        invalid=0,
        duplicates=0,
        addresses=None,
        findings={},
        moved_at=now,
    ):
        raise Refused(_("it is under way already"))
    ImportSlice.objects.filter(importing=importing).delete()
    staging.drop(importing.pk)
    importing.tags.set(tags)
    importing.refresh_from_db()


@transaction.atomic
def go(importing: Import, *, now: datetime) -> None:
    """Let an import that was read be merged, or one that was stopped go on.

    Columns that are no field yet become one, of text.

    :raises Refused: it is not ready, has no list, or a field is not what it was when it was read.
    """
    if importing.mailing_list is None:
        raise Refused(_("it has no list; choose one"))
    ready = (ImportStatus.CHECKING, ImportStatus.CHECKED, ImportStatus.STOPPED)
    if importing.status == ImportStatus.CHECKING and importing.addresses is None:
        raise Refused(_("it is still being read"))
    was_stopped = importing.status == ImportStatus.STOPPED
    _move(importing, ready, ImportStatus.IMPORTING, now=now)
    layout = Layout.from_dict(importing.layout)
    texts = [name for name, kind in layout.kinds.items() if kind.kind == FieldKind.TEXT]
    Field.objects.bulk_create([Field(name=name) for name in texts], ignore_conflicts=True)
    if names := changed(layout):
        raise Refused(str(to_undo(names) if was_stopped else to_check_again(names)))


def stop(importing: Import, *, now: datetime) -> None:
    """Stop an import in its midst; what a worker is at is still merged.

    :raises Refused: it is not under way.
    """
    _move(importing, (ImportStatus.IMPORTING,), ImportStatus.STOPPED, now=now)


def _move(
    importing: Import, sources: Sequence[ImportStatus], target: ImportStatus, *, now: datetime
) -> None:
    moved = Import.objects.filter(pk=importing.pk, status__in=sources)
    if not moved.update(status=target, trouble=[], moved_at=now):
        importing.refresh_from_db()
        raise Refused(_("it is %(state)s") % {"state": importing.get_status_display()})
    importing.refresh_from_db()


def standing_still(*, since: datetime) -> list[int]:
    """Return the imports under way of which nothing has moved since then."""
    still = Import.objects.filter(status__in=_UNDER_WAY, moved_at__lte=since)
    return list(still.order_by("pk").values_list("pk", flat=True))


def is_merging(import_id: int) -> bool:
    """Whether several steps at the same time are of use."""
    return Import.objects.filter(pk=import_id, status=ImportStatus.IMPORTING).exists()


def step(import_id: int, *, clock: Callable[[], datetime], seconds: float) -> bool:
    """Work on an import for so long at most; return whether there is more to do."""
    until = clock() + timedelta(seconds=seconds)
    importing = Import.objects.get(pk=import_id)
    if importing.status not in _UNDER_WAY:
        return False
    if not (is_read := read(importing, clock=clock, until=until)):
        return is_read is False
    if importing.status == ImportStatus.CHECKING:
        conclude_check(importing, now=clock())
        return False
    while merging.merge_next(import_id, now=clock()):
        if clock() >= until:
            return True
    finish(import_id, now=clock())
    return False


def read(
    importing: Import, *, clock: Callable[[], datetime], until: datetime | None
) -> bool | None:
    """Read the file into the import's tables until then; return whether all of it is there.

    None: that is not for us to say. Somebody else is at it, or it has failed, because the file is
    none that can be read.
    """
    try:
        is_read = _is_read(importing)
        if is_read is False:
            return _read_on(importing, clock=clock, until=until)
        return is_read
    except BadFile as error:
        _fail(importing, error.why)
        return None


@transaction.atomic(durable=True)
def _is_read(importing: Import) -> bool | None:
    """Whether all rows are in the import's tables; what PostgreSQL lost in a crash is forgotten.

    None where it has ended meanwhile.
    """
    # Locked: between two looks somebody else may add a chunk, or finish.
    importing.refresh_from_db(from_queryset=Import.objects.select_for_update(no_key=True))
    if importing.status not in (*_UNDER_WAY, ImportStatus.CHECKED):
        return None
    staging.create(importing.pk)
    read, rejected = staging.counts(importing.pk)
    if (read + rejected, rejected) != (importing.rows, importing.invalid):
        staging.drop(importing.pk)
        staging.create(importing.pk)
        importing.rows = importing.invalid = 0
        importing.addresses = None
        importing.save(update_fields=["rows", "invalid", "addresses"])
    return importing.addresses is not None


def _read_on(
    importing: Import, *, clock: Callable[[], datetime], until: datetime | None
) -> bool | None:
    """Read chunks of the file, from where it was left; return whether that was all.

    None where somebody else goes on with it.
    """
    layout = Layout.from_dict(importing.layout)
    reader = RowReader(layout, layout.kinds, secret=settings.ADDRESS_KEY)
    with open_file(importing) as file, open_rows(file, layout) as lines:
        for _ in islice(lines, importing.rows):
            pass
        count: int | None = CHUNK
        while count == CHUNK:
            if until and clock() >= until:
                return False
            rows = map(reader.read, islice(lines, CHUNK))
            count = _load(importing, rows, now=clock())
    return None if count is None else _sort(importing, now=clock())


@transaction.atomic(durable=True)
def _load(importing: Import, rows: Iterable[str | Rejected], *, now: datetime) -> int | None:
    """Add a chunk; return how many rows, None where somebody else has gone on meanwhile."""
    current = _locked(importing)
    if current is None or current.rows != importing.rows:
        return None
    read, rejected = staging.load(importing.pk, rows)
    importing.rows, importing.invalid = current.rows + read, current.invalid + rejected
    importing.moved_at = now
    importing.save(update_fields=["rows", "invalid", "moved_at"])
    return read


@transaction.atomic(durable=True)
def _sort(importing: Import, *, now: datetime) -> bool | None:
    locks.write_addresses()
    current = _locked(importing)
    if current is None or current.rows != importing.rows or current.addresses is not None:
        return None
    forgetting.forget_erased(importing.pk)
    importing.addresses = staging.sort(importing.pk)
    importing.duplicates = importing.rows - importing.invalid - importing.addresses
    importing.moved_at = now
    importing.save(update_fields=["addresses", "duplicates", "moved_at"])
    slices = range(-(-importing.addresses // merging.SLICE))
    ImportSlice.objects.bulk_create(
        (ImportSlice(importing=importing, number=number) for number in slices),
        ignore_conflicts=True,
    )
    return True


def _locked(importing: Import) -> Import | None:
    return (
        Import.objects.select_for_update(no_key=True)
        .filter(pk=importing.pk, status__in=_UNDER_WAY)
        .first()
    )


def conclude_check(importing: Import, *, now: datetime) -> None:
    """Note what would become of the rows that were read; a person decides."""
    findings = checking.check(importing).as_dict()
    Import.objects.filter(pk=importing.pk, status=ImportStatus.CHECKING).update(
        status=ImportStatus.CHECKED, findings=findings, moved_at=now
    )
    importing.refresh_from_db()


@transaction.atomic(durable=True)
def finish(import_id: int, *, now: datetime) -> bool:
    """Conclude an import all of whose slices are merged; its file and its rows are deleted.

    Rejected rows are kept, for a person to fetch, until `forget_old`.
    """
    if ImportSlice.objects.filter(importing=import_id, is_merged=False).exists():
        return False
    done = Import.objects.filter(pk=import_id, status=ImportStatus.IMPORTING)
    if not done.update(status=ImportStatus.DONE, finished_at=now, moved_at=now):
        return False
    staging.drop_rows(import_id)
    _delete_file(Import.objects.get(pk=import_id))
    return True


@transaction.atomic
def discard(importing: Import) -> None:
    """Forget an import that nothing was merged of: its row, its file, and what was read.

    :raises Refused: it was begun.
    """
    before = (
        ImportStatus.MAPPING,
        ImportStatus.CHECKING,
        ImportStatus.CHECKED,
        ImportStatus.FAILED,
    )
    current = Import.objects.select_for_update().get(pk=importing.pk)
    if current.status not in before or current.merged:
        state = current.get_status_display()
        raise Refused(_("it is %(state)s, and is kept") % {"state": state})
    staging.drop(importing.pk)
    _delete_file(current)
    current.delete()


def forget_old(*, before: datetime, now: datetime, at_most: int) -> int:
    """Forget what is kept of imports of before that time, and return of how many.

    Rejected rows of those that have ended; the file, too, of those that nobody went on with, which
    have failed thereby.
    """
    left = Import.objects.filter(created_at__lt=before).exclude(status__in=_UNDER_WAY)
    with_rows = staging.kept() & set(left.values_list("pk", flat=True))
    with_file = left.exclude(file="").order_by("pk").values_list("pk", flat=True)
    old = sorted({*with_rows, *with_file})[:at_most]
    for importing in Import.objects.filter(pk__in=old):
        _forget(importing, now=now)
    return len(old)


def forget_strays(*, before: datetime) -> int:
    """Delete the uploads of before that time that no import names, and return how many.

    Whoever was killed between an upload and its row left them.
    """
    if not default_storage.exists(UPLOADS):
        return 0
    there = {f"{UPLOADS}/{name}" for name in default_storage.listdir(UPLOADS)[1]}
    unnamed = there - set(Import.objects.filter(file__in=there).values_list("file", flat=True))
    old = [name for name in unnamed if default_storage.get_modified_time(name) < before]
    for name in old:
        default_storage.delete(name)
    return len(old)


@transaction.atomic
def _forget(importing: Import, *, now: datetime) -> None:
    waiting = Import.objects.filter(pk=importing.pk, status__in=_WAITING)
    waiting.update(
        status=ImportStatus.FAILED,
        finished_at=now,
        trouble=Translatable("nobody went on with it in time").stored,
    )
    staging.drop(importing.pk)
    _delete_file(importing)


@transaction.atomic
def _fail(importing: Import, why: Translatable) -> None:
    locks.write_addresses()
    under_way = Import.objects.filter(pk=importing.pk, status__in=_UNDER_WAY)
    if under_way.update(status=ImportStatus.FAILED, trouble=why.stored):
        forgetting.forget_erased(importing.pk)
        staging.drop_rows(importing.pk)
    importing.refresh_from_db()


def open_file(importing: Import) -> "File[bytes]":
    """Open what was uploaded.

    :raises BadFile: it is there no more.
    """
    try:
        return importing.file.open("rb")
    except FileNotFoundError:
        raise BadFile(
            Translatable("the uploaded file is not there any more; upload it once more")
        ) from None


def _delete_file(importing: Import) -> None:
    """Delete the upload when the transaction is committed: it holds addresses."""
    storage, name = importing.file.storage, importing.file.name
    Import.objects.filter(pk=importing.pk).update(file="")
    transaction.on_commit(lambda: storage.delete(name) if name else None)


def fingerprint(file: IO[bytes]) -> tuple[str, int]:
    """Return SHA-256 of a file's content in hexadecimal digits, and its size in bytes."""
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while block := file.read(_BYTES):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size
