"""The bytes of the library, in the storage that the settings call "media"."""

import logging
import uuid
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import IO

from django.core.files.base import File
from django.core.files.storage import Storage, storages
from django.utils.translation import gettext as _

from templates_app.models import MediaBlob

logger = logging.getLogger(__name__)


class Damaged(Exception):
    """The storage has other bytes than those that were stored."""


def in_words(error: OSError | Damaged) -> str:
    """Say why a file cannot be read, and what to do about it."""
    if isinstance(error, FileNotFoundError):
        return _("the storage has lost it; upload the same file again")
    if isinstance(error, Damaged):
        return _("the storage has other bytes than were stored; upload the same file again")
    return _(
        "the storage does not answer; see whether it runs, and MEDIA_STORAGE is right (%(error)s)"
    ) % {"error": error}


def storage() -> Storage:
    return storages["media"]


def store(file: IO[bytes], *, digest: str) -> str:
    """Store a file under a name that no other one ever has; return the name.

    :raises OSError: the storage cannot be reached, or is full.
    """
    file.seek(0)
    return storage().save(f"{digest[:2]}/{uuid.uuid4().hex}", File(file))


def opened(blob: MediaBlob) -> AbstractContextManager[IO[bytes]]:
    """Open what is stored.

    :raises OSError: the storage cannot be reached; FileNotFoundError: it is not there.
    """
    file: AbstractContextManager[IO[bytes]] = storage().open(blob.key)
    return file


def read(blob: MediaBlob) -> bytes:
    """Return the whole content.

    :raises OSError: the storage cannot be reached; FileNotFoundError: it is not there.
    :raises Damaged:
    """
    with opened(blob) as file:
        data = file.read()
    if sha256(data).hexdigest() != blob.digest:
        raise Damaged(f"the storage has other bytes under {blob.key} than were stored")
    return data


def remove_if_possible(key: str) -> None:
    """Delete what nothing names any more; where the storage fails, it stays there, unnamed."""
    try:
        remove(key)
    except OSError as error:
        logger.warning("media: %s stays in the storage, where nothing needs it: %s", key, error)


def remove(key: str) -> None:
    """Delete what is stored under a name; what is not there is fine.

    :raises OSError: the storage cannot be reached.
    """
    storage().delete(key)
