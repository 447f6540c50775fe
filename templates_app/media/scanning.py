"""Whether files hold malware, as far as the installation's scanner knows."""

import logging
from collections.abc import Collection
from typing import IO, NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

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
        return _judged(file)
    except clamd.NoAnswer as error:
        return _none(error)


def says_more(verdict: Verdict, blob: MediaBlob) -> bool:
    """Whether a verdict is another one, and no failure behind which an earlier one would vanish."""
    is_judged = blob.scan in (ScanState.CLEAN, ScanState.INFECTED)
    return (
        is_on()
        and blob.scan != verdict.state
        and not (is_judged and verdict.state == ScanState.ERROR)
    )


def doubts(blobs: Collection[MediaBlob]) -> str:
    """Return why these may not be sent now, or an empty text."""
    if any(blob.scan == ScanState.INFECTED for blob in blobs):
        return _("the scanner found malware in it; delete it from the library")
    unseen = [blob for blob in blobs if is_on() and blob.scan != ScanState.CLEAN]
    if unseen:
        if said := next((blob.scan_said for blob in unseen if blob.scan_said), ""):
            text = _(
                "the scanner has not seen it yet (%(reason)s); try again in a minute, or look after"
                " the scanner"
            )
            return text % {"reason": said}
        return _(
            "the scanner has not seen it yet; try again in a minute, or look after the scanner"
        )
    return ""


def scan_waiting(*, at_most: int = 100) -> int:
    """Scan what was not scanned so far; return how much was. Without a scanner, nothing is.

    It ends where the scanner or the storage does not answer: the next call tries again.
    """
    if not is_on():
        return 0
    MediaBlob.objects.filter(scan=ScanState.OFF).update(scan=ScanState.PENDING)
    done = 0
    for blob in MediaBlob.objects.to_be_scanned()[:at_most]:
        try:
            verdict = _scanned(blob)
        except (clamd.NoAnswer, OSError) as error:
            _note(blob, _none(error))
            break
        _note(blob, verdict)
        done += verdict.state != ScanState.ERROR
    return done


def _scanned(blob: MediaBlob) -> Verdict:
    try:
        with storing.opened(blob) as file:
            verdict = _judged(file)
    except FileNotFoundError as error:
        return _none(storing.in_words(error))
    if verdict.state == ScanState.INFECTED:
        logger.error("media: %s is in the file with digest %s", verdict.said, blob.digest)
    return verdict


def _judged(file: IO[bytes]) -> Verdict:
    """Return what the scanner says, if it is there.

    :raises clamd.NoAnswer:
    """
    try:
        found = clamd.scan(settings.CLAMD, file)
    except clamd.NoVerdict as error:
        return _none(error)
    return Verdict(ScanState.INFECTED, found[:_LONGEST]) if found else Verdict(ScanState.CLEAN)


def _none(reason: object) -> Verdict:
    return Verdict(ScanState.ERROR, str(reason)[:_LONGEST])


def _note(blob: MediaBlob, verdict: Verdict) -> None:
    MediaBlob.objects.filter(pk=blob.pk).update(scan=verdict.state, scan_said=verdict.said)
