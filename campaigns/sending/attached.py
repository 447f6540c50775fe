"""The files of a run, fetched from the storage and encoded once by each process."""

from functools import lru_cache
from typing import NamedTuple

from django.utils.translation import gettext as _

from campaigns import reasons
from campaigns.models import Campaign, CampaignAttachment, RunAttachment
from campaigns.sending.attaching import Attached, File
from templates_app.media import storing
from templates_app.media.types import type_called, type_of_name
from templates_app.models import MediaBlob, ScanState

# Runs whose files a process keeps; each has some megabytes, as MESSAGE_MB allows.
_KEPT = 4


class Unfit(Exception):
    """A file cannot be sent; the text says why. A person has to do something about it."""


class Named(NamedTuple):
    """Bytes of the library, and the name under which they are sent."""

    blob_id: int
    name: str


@lru_cache(maxsize=64)
def files_of_run(run_id: int) -> tuple[Named, ...]:
    """Return what a run attaches; that never changes."""
    rows = RunAttachment.objects.in_order(run_id)
    return tuple(Named(row.blob_id, row.name) for row in rows)


def files_of_campaign(campaign: Campaign) -> tuple[Named, ...]:
    """Return what a campaign attaches: the bytes that are pinned, or of now if it is a draft."""
    if campaign.version_id:
        rows = CampaignAttachment.objects.pinned_by(campaign.pk)
    else:
        rows = CampaignAttachment.objects.wanted_by(campaign.pk)
    return tuple(
        Named(row.blob_id or row.file.blob_id, row.file.name) for row in rows.select_related("file")
    )


@lru_cache(maxsize=_KEPT)
def attached(files: tuple[Named, ...]) -> Attached:
    """Fetch files and encode them, in their order.

    :raises Unfit: the bytes are not there, are others, or hold malware.
    :raises OSError: the storage cannot be reached now.
    """
    blobs = MediaBlob.objects.in_bulk([file.blob_id for file in files])
    return Attached([_file(blobs[file.blob_id], file.name) for file in files])


def _file(blob: MediaBlob, name: str) -> File:
    if blob.scan == ScanState.INFECTED:
        raise Unfit(_(reasons.MALWARE) % {"name": name, "found": blob.scan_said})
    kind = type_of_name(name) or type_called(blob.content_type)
    try:
        return File(name, kind.header, storing.read(blob))
    except (FileNotFoundError, storing.Damaged) as error:
        said = _(reasons.NOT_ATTACHED) % {
            "name": name,
            "error": storing.in_words(error),
        }
        raise Unfit(said) from None
