"""Whether files hold malware, as far as the installation's scanner knows."""

import logging
from collections.abc import Collection
from typing import IO, NamedTuple

from django.conf import settings

from templates_app.media import clamd, storing
from templates_app.models import MediaBlob, ScanState

_LONGEST = 200

logger = logging.getLogger(__name__)


class Verdict(NamedTuple):
    state: ScanState
    said: str = ""


def is_on() -> bool:
    return bool(settings.CLAMD)


def scan(file: IO[bytes]) -> Verdict:
    """Return what the scanner says of a file."""
    if not is_on():
        return Verdict(ScanState.OFF)
    try:
        found = clamd.scan(settings.CLAMD, file)
    except clamd.NoAnswer as error:
        return Verdict(ScanState.ERROR, str(error)[:_LONGEST])
    return Verdict(ScanState.INFECTED, found[:_LONGEST]) if found else Verdict(ScanState.CLEAN)


def doubts(blobs: Collection[MediaBlob]) -> str:
    """Return why these may not be sent now, or an empty text."""
    if any(blob.scan == ScanState.INFECTED for blob in blobs):
        return "the scanner found malware in it; delete it from the library"
    if is_on() and any(blob.scan != ScanState.CLEAN for blob in blobs):
        return "the scanner has not seen it yet; try again in a minute, or look after the scanner"
    return ""


def scan_waiting(*, at_most: int = 100) -> int:
    """Scan what was not scanned so far; return how much was. Without a scanner, nothing is.

    It ends where the scanner does not answer: the next call tries again.
    """
    if not is_on():
        return 0
    MediaBlob.objects.filter(scan=ScanState.OFF).update(scan=ScanState.PENDING)
    done = 0
    for blob in MediaBlob.objects.to_be_scanned()[:at_most]:
        verdict = _scanned(blob)
        MediaBlob.objects.filter(pk=blob.pk).update(scan=verdict.state, scan_said=verdict.said)
        if verdict.state == ScanState.ERROR:
            break
        done += 1
    return done


def _scanned(blob: MediaBlob) -> Verdict:
    try:
        with storing.opened(blob) as file:
            verdict = scan(file)
    except OSError as error:
        verdict = Verdict(ScanState.ERROR, f"the file cannot be read: {error}"[:_LONGEST])
    if verdict.state == ScanState.INFECTED:
        logger.error("media: %s is in the file with digest %s", verdict.said, blob.digest)
    return verdict
