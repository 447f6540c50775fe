"""Put a backup in the place of what is there.

Everything is looked at before anything is touched; then the files of the library, whose names
nothing else has; then the database, whose former content stays beside it until all is there.
Nothing goes out afterwards until `confirm_instance` is called: the table that says to whom the
database belongs is not restored but written, before there is a single campaign in it.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from config.backup import archive, keys, saving, tools
from config.backup.archive import Manifest, Reader, Refused
from templates_app.media import storing

INSTANCE = "campaigns_instance"
# As `campaigns.sending.instance` compares it: no database ever lies there.
_HOLD = f"INSERT INTO {INSTANCE} (id, installation, place) VALUES (1, %s, 'restored')"
# What was ended since would be open again.
_SESSIONS = ("accounts_signedin", "usersessions_usersession", "django_session")
_OTHERS = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND coalesce(backend_type, 'client backend') = 'client backend'
"""
# The former content, while the new one is not all there.
_ASIDE = "before_restore"


@dataclass
class Plan:
    """How a backup and this installation go together."""

    manifest: Manifest
    other_keys: list[str]
    other_settings: list[str]
    has_content: bool


def look(reader: Reader) -> Plan:
    """See whether a backup can be restored here; nothing is touched.

    :raises Refused: it is damaged, or of a newer release
    """
    reader.check()
    manifest = reader.manifest
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations or {}}
    if unknown := sorted(set(manifest.migrations) - known):
        raise Refused(f"the backup is of another release: {unknown[0]} is not known here")
    here = saving.known_settings()
    return Plan(
        manifest=manifest,
        other_keys=keys.missing(manifest.keys),
        other_settings=[
            f"{name} was {was or 'empty'}, and is {here[name] or 'empty'} here"
            for name, was in manifest.settings.items()
            if here.get(name, was) != was
        ],
        has_content=bool(connection.introspection.table_names()),
    )


def restore(reader: Reader, *, with_media: bool, binaries: Path | None) -> int:
    """Put what `look` has looked at into the database and the storage; return how many files.

    :raises Refused: it failed, and the database is as it was
    """
    program = tools.find("pg_restore", binaries)
    _refuse_company()
    with tempfile.TemporaryDirectory(prefix="godwit-restore-") as scratch:
        dump, contents = Path(scratch) / archive.DATABASE, Path(scratch) / "contents"
        with dump.open("wb") as file:
            file.writelines(reader.blocks(archive.DATABASE))
        lines = tools.contents(program, dump)
        contents.write_text(
            "".join(one for one in lines if f" TABLE DATA public {INSTANCE}" not in one)
        )
        written = _restore_media(reader) if with_media else 0
        with _former_content_aside():
            _fill(program, dump, contents, reader.manifest)
    call_command("migrate", interactive=False, verbosity=0)
    return written


def _refuse_company() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_OTHERS)
        [others] = cursor.fetchone()
    if others:
        raise Refused(f"{others} others work with the database: stop web, workers and Beat first")


def _fill(program: Path, dump: Path, contents: Path, manifest: Manifest) -> None:
    tools.load(program, dump, section="pre-data", only=contents)
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [manifest.installation])
    tools.load(program, dump, section="data", only=contents)
    tools.load(program, dump, section="post-data", only=contents)
    found, expected = saving.rows(), {**manifest.rows, INSTANCE: 1}
    if other := [name for name in expected if found.get(name) != expected[name]]:
        raise Refused(f"the dump has other rows than were saved, in {', '.join(other)}")
    with connection.cursor() as cursor:
        for table in _SESSIONS:
            cursor.execute(f"DELETE FROM {table}")


@contextmanager
def _former_content_aside() -> Iterator[None]:
    """Have an empty schema; drop the former one at the end, or put it back where that failed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s) IS NOT NULL", [_ASIDE])
        if cursor.fetchone()[0]:  # a restore was killed, and half of it is here
            cursor.execute("DROP SCHEMA public CASCADE")
        else:
            cursor.execute(f"ALTER SCHEMA public RENAME TO {_ASIDE}")
        cursor.execute("CREATE SCHEMA public AUTHORIZATION pg_database_owner")
    try:
        yield
    except BaseException:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute(f"ALTER SCHEMA {_ASIDE} RENAME TO public")
        raise
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {_ASIDE} CASCADE")


def _restore_media(reader: Reader) -> int:
    """Write the files that the storage has not; return how many.

    :raises Refused: the storage does not take one
    """
    written = 0
    for key in reader.media():
        try:
            written += _put(key, reader.read(archive.MEDIA + key))
        except OSError as error:
            raise Refused(f"{key} of the media library cannot be written: {error}") from None
    return written


def _put(key: str, data: bytes) -> bool:
    """Have these bytes under that name; return whether they had to be written."""
    storage = storing.storage()
    if storage.exists(key):
        with storage.open(key) as file:
            if sha256(file.read()).digest() == sha256(data).digest():
                return False
        storage.delete(key)
    if (name := storage.save(key, ContentFile(data))) != key:
        raise Refused(f"the storage of the media library has named {key} otherwise: {name}")
    return True
