"""Make a backup, while everything runs."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from config.backup import archive, keys, tools
from config.backup.archive import Manifest, Refused, Writer
from templates_app.media import storing
from templates_app.models import MediaBlob


def save(target: Path, *, now: datetime, with_media: bool, binaries: Path | None) -> Manifest:
    """Write all that the installation has into one new file, and return what is in it.

    The database is that of one moment. The files of the library are read after it: they are
    never changed, so what is read is what that moment had, but for what was deleted since.

    :raises Refused: there is no backup, and no file
    """
    program = tools.find("pg_dump", binaries)
    with archive.writing(target) as writer:
        with _one_moment() as snapshot:
            manifest = _manifest(now=now, has_media=with_media)
            blobs = list(MediaBlob.objects.order_by("key")) if with_media else []
            writer.add(archive.DATABASE, tools.dump(program, snapshot=snapshot))
        manifest.lost = _add_media(writer, blobs)
        writer.finish(manifest)
    return manifest


def rows() -> dict[str, int]:
    """Count the rows of each table."""
    with connection.cursor() as cursor:
        names = sorted(connection.introspection.table_names(cursor))
        quoted = [connection.ops.quote_name(name) for name in names]
        counts = []
        for name in quoted:
            cursor.execute(f"SELECT count(*) FROM {name}")
            counts.append(cursor.fetchone()[0])
    return dict(zip(names, counts, strict=True))


def migrations() -> list[str]:
    return sorted(
        f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()
    )


def known_settings() -> dict[str, str]:
    """Return what a restored installation should be told of where it is other here."""
    return {
        "SITE_URL": settings.SITE_URL,
        "QUEUES": ",".join(settings.QUEUES),
        "MEDIA_STORAGE": "disk" if isinstance(storing.storage(), FileSystemStorage) else "S3",
    }


@contextmanager
def _one_moment() -> Iterator[str]:
    """Look at one snapshot of the database, which pg_dump is told of."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        yield cursor.fetchone()[0]


def _manifest(*, now: datetime, has_media: bool) -> Manifest:
    return Manifest(
        made_at=now.isoformat(timespec="seconds"),
        installation=settings.INSTANCE_ID,
        settings=known_settings(),
        keys=keys.now(),
        migrations=migrations(),
        rows=rows(),
        has_media=has_media,
    )


def _add_media(writer: Writer, blobs: Iterable[MediaBlob]) -> list[str]:
    """Add the files of the library; return the names of those that are lost already.

    :raises Refused: the storage does not answer
    """
    lost = []
    for blob in blobs:
        try:
            writer.add(archive.MEDIA + blob.key, [storing.read(blob)])
        except (FileNotFoundError, storing.Damaged):
            lost.append(blob.key)
        except OSError as error:
            raise Refused(f"{blob.key} of the media library: {storing.in_words(error)}") from None
    return lost
