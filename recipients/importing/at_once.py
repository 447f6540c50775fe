"""Import a file in this process, from its beginning to its end."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from typing import IO

from django.db import connection

from recipients.importing import jobs
from recipients.importing.detect import detect
from recipients.importing.kinds import with_kinds
from recipients.importing.layout import BadFile, Layout
from recipients.models import Import, ImportStatus, MailingList, MergePolicy, Tag
from recipients.translatable import Translatable

_MERGERS = 3  # at the same time, each with a connection: one more than the cores of a small server
_FOR_EVER = 1e9  # seconds
_ALIVE = (ImportStatus.CHECKING, ImportStatus.CHECKED, ImportStatus.IMPORTING)

Clock = Callable[[], datetime]


def import_file(
    file: IO[bytes],
    *,
    name: str,
    mailing_list: MailingList,
    clock: Clock,
    layout: Layout | None = None,
    tags: Iterable[Tag] = (),
    policy: MergePolicy = MergePolicy.OVERWRITE,
    declaration: str = "",
) -> Import:
    """Import a file; one of the same content that was to be imported alike goes on if cut off.

    :raises BadFile: it cannot be imported; nothing of it was.
    :raises jobs.Refused: it was held in its midst; the text says what to do.
    """
    importing = read_file(
        file,
        name=name,
        mailing_list=mailing_list,
        clock=clock,
        layout=layout,
        tags=tags,
        policy=policy,
        declaration=declaration,
    )
    if importing.status != ImportStatus.IMPORTING:
        jobs.go(importing, now=clock())
    _merge(importing, clock)
    importing.refresh_from_db()
    if importing.problem:
        raise jobs.Refused(importing.problem)
    return importing


def read_file(
    file: IO[bytes],
    *,
    name: str,
    mailing_list: MailingList | None,
    clock: Clock,
    layout: Layout | None = None,
    tags: Iterable[Tag] = (),
    policy: MergePolicy = MergePolicy.OVERWRITE,
    declaration: str = "",
) -> Import:
    """Read a file into its import's tables, or find what was read of it before.

    :raises BadFile: it cannot be imported.
    """
    layout, tags = layout or detect(file).layout, list(tags)
    importing = _cut_off(file, mailing_list, policy, layout, tags, declaration)
    if importing is None:
        importing = jobs.begin(
            file,
            name=name,
            mailing_list=mailing_list,
            layout=layout,
            policy=policy,
            declaration=declaration,
        )
        try:
            jobs.start(importing, layout=layout, mailing_list=mailing_list, tags=tags, now=clock())
        except BadFile:
            jobs.discard(importing)
            raise
    if not jobs.read(importing, clock=clock, until=None):
        importing.refresh_from_db()
        raise BadFile(
            Translatable.of(importing.trouble)
            if importing.trouble
            else Translatable("somebody else imports it at this moment")
        )
    return importing


def _cut_off(
    file: IO[bytes],
    mailing_list: MailingList | None,
    policy: MergePolicy,
    layout: Layout,
    tags: Sequence[Tag],
    declaration: str,
) -> Import | None:
    """Return the import of this very file, read in this way, that a killed process left behind."""
    sha256, _ = jobs.fingerprint(file)
    left = Import.objects.filter(sha256=sha256, mailing_list=mailing_list, policy=policy)
    left = left.filter(
        layout=with_kinds(layout).as_dict(), declaration=declaration, created_by=None
    )
    alive = left.filter(status__in=_ALIVE).order_by("-pk")
    return next((each for each in alive if set(each.tags.all()) == set(tags)), None)


def _merge(importing: Import, clock: Clock) -> None:
    mergers = min(_MERGERS, importing.slices.filter(is_merged=False).count())
    if mergers < _MERGERS:
        jobs.step(importing.pk, clock=clock, seconds=_FOR_EVER)
        return

    def merge() -> None:
        with closing(connection):
            jobs.step(importing.pk, clock=clock, seconds=_FOR_EVER)

    with ThreadPoolExecutor(mergers) as pool:
        for merger in [pool.submit(merge) for _ in range(mergers)]:
            merger.result()
