"""The file of a backup: a ZIP that is written in one go, with a digest of each of its parts.

Its list of contents stands at its end: a file that was cut off is none. Nothing in it is packed
once more: the dump is, and so are most images.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

FORMAT = 1
DATABASE = "database.dump"
MEDIA = "media/"
_MANIFEST = "manifest.json"
_BLOCK = 1024 * 1024


class Refused(Exception):
    """Why there is no backup, or nothing is restored; one line for the person at the terminal."""


@dataclass
class Manifest:
    """What is in the file, and of what installation."""

    made_at: str
    installation: str
    settings: dict[str, str]  # those by which a restored installation may differ; no secrets
    keys: dict[str, list[str]]  # by what each key is recognised, not the keys
    migrations: list[str]
    rows: dict[str, int]  # of each table
    has_media: bool
    lost: list[str] = field(default_factory=list)  # files of the library that could not be read
    digests: dict[str, str] = field(default_factory=dict)  # of each part, SHA-256
    format: int = FORMAT


class Writer:
    """The file while it is being written."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self.digests: dict[str, str] = {}

    def add(self, name: str, blocks: Iterable[bytes]) -> None:
        digest = sha256()
        with self._archive.open(name, "w", force_zip64=True) as part:
            for block in blocks:
                digest.update(block)
                part.write(block)
        self.digests[name] = digest.hexdigest()

    def finish(self, manifest: Manifest) -> None:
        manifest.digests = self.digests
        self._archive.writestr(_MANIFEST, json.dumps(asdict(manifest), indent=1))


@contextmanager
def writing(target: Path) -> Iterator[Writer]:
    """Write a file that appears under its name when it is whole, readable by its owner alone.

    :raises Refused: there is one already, or none can be written there
    """
    if target.exists():
        raise Refused(f"{target} is there already")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise Refused(f"{target} cannot be written ({error.strerror})") from None
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            with ZipFile(file, "w", ZIP_STORED) as archive:
                yield Writer(archive)
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


class Reader:
    """A file that was written; `whole` says whether it still is what was."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self.manifest = _manifest(archive)

    def blocks(self, name: str) -> Iterator[bytes]:
        with self._archive.open(name) as part:
            while block := part.read(_BLOCK):
                yield block

    def read(self, name: str) -> bytes:
        return self._archive.read(name)

    def media(self) -> list[str]:
        """Return the names in the storage of the files of the library."""
        return [
            name.removeprefix(MEDIA) for name in self.manifest.digests if name.startswith(MEDIA)
        ]

    def check(self) -> None:
        """Compare each part with its digest.

        :raises Refused: one is missing, too much, or other than it was
        """
        found = set(self._archive.namelist())
        if found != {_MANIFEST, *self.manifest.digests}:
            raise Refused("the backup is damaged: it has other parts than it says")
        for name, expected in self.manifest.digests.items():
            digest = sha256()
            for block in self.blocks(name):
                digest.update(block)
            if digest.hexdigest() != expected:
                raise Refused(f"the backup is damaged: {name} is not what was written")


@contextmanager
def reading(source: Path) -> Iterator[Reader]:
    """Open a backup.

    :raises Refused: it is none, is damaged, or of a format that is not known
    """
    try:
        with ZipFile(source) as archive:
            yield Reader(archive)
    except OSError as error:
        raise Refused(f"{source} cannot be read ({error.strerror or error})") from None
    except BadZipFile as error:
        raise Refused(f"{source} is no whole backup ({error})") from None


def _manifest(archive: ZipFile) -> Manifest:
    try:
        said: dict[str, Any] = json.loads(archive.read(_MANIFEST))
    except (KeyError, ValueError):
        raise Refused("the file is no backup of Godwit: it has no manifest") from None
    if said.get("format") != FORMAT:
        raise Refused(f"the backup has format {said.get('format')}; this release reads {FORMAT}")
    if said.keys() != {one.name for one in fields(Manifest)}:
        raise Refused("the backup is damaged: its manifest lacks something")
    return Manifest(**said)
