"""Recipients as a file: streamed from the database, for whoever asked, for some days.

An export is a row that says who took out what; a worker writes its file. Whoever is erased while
it is written is in no file: it is written again then, and files of before are deleted.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import IO, Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from recipients import locks
from recipients.export_files import Row, rows_into
from recipients.finding import Filter, Gone
from recipients.models import (
    Export,
    ExportFormat,
    ExportStatus,
    Field,
    MailingList,
    Recipient,
    Segment,
)
from recipients.models.exports import kept_under
from recipients.segments.compiling import compile_rules
from recipients.segments.grammar import BadRules

AT_ONCE = 2_000  # rows in memory
LOST_AFTER = timedelta(minutes=20)  # longer than a task may take: its worker died

# In order of their ids, by the primary key: rows come at once, and none is sorted.
_ROWS = """
SELECT recipient.address, {state}, coalesce(suppressed.reason, ''), recipient.language,
       recipient.time_zone, coalesce(tags.names, ''), recipient.created_at, recipient.fields::text
  FROM recipients_recipient recipient {join}
  LEFT JOIN LATERAL (SELECT reason FROM recipients_suppression
                      WHERE key IN (recipient.key, recipient.domain) LIMIT 1)
       AS suppressed ON true
  LEFT JOIN LATERAL (SELECT string_agg(tag.name, ', ' ORDER BY tag.name) AS names
                       FROM recipients_tagging tagging
                       JOIN recipients_tag tag ON tag.id = tagging.tag_id
                      WHERE tagging.recipient_id = recipient.id)
       AS tags ON true
 WHERE {condition}
 ORDER BY recipient.id
"""
_ON_LIST = """
  JOIN recipients_subscription subscription ON subscription.recipient_id = recipient.id
                                           AND subscription.mailing_list_id = %(list)s
"""


@dataclass(frozen=True, slots=True)
class Question:
    """Which recipients, as SQL over `recipient`; values are parameters."""

    condition: str = "true"
    params: dict[str, Any] = field(default_factory=dict)
    join: str = ""
    state: str = "''"


def question(
    mailing_list: MailingList | None, segment: Segment | None, *, now: datetime
) -> Question:
    """Return who is on a list in whatever state, or answers to a segment; else everybody.

    :raises BadRules: the segment cannot be asked any more.
    """
    if mailing_list:
        params = {"list": mailing_list.pk}
        return Question(params=params, join=_ON_LIST, state="subscription.state")
    if segment:
        found = compile_rules(segment.rules, now=now, within=[segment.pk])
        return Question(found.sql, found.params)
    return Question()


_PARAMETER = re.compile(r"%[s%]")


def matching(asked: Filter, *, by: User | AnonymousUser, now: datetime) -> Question:
    """Return who answers to a filter, of those whom a user may see.

    :raises BadRules: its segment cannot be asked any more.
    """
    found = asked.apply(Recipient.objects.visible_to(by).order_by(), now=now).values("pk")
    sql, values = found.query.sql_with_params()
    params: dict[str, Any] = {}

    def named(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%%"
        name = f"asked_{len(params)}"
        params[name] = values[len(params)]
        return f"%({name})s"

    return Question(f"recipient.id IN ({_PARAMETER.sub(named, sql)})", params)


def what(mailing_list: MailingList | None, segment: Segment | None) -> str:
    """Say which recipients these are."""
    if mailing_list:
        return f"list {mailing_list}"
    return f"segment {segment}" if segment else "all recipients"


# --- files ------------------------------------------------------------------------------------


def write_rows(file: IO[bytes], asked: Question, *, form: ExportFormat) -> int:
    """Write recipients to an open file, some thousand in memory at a time; return how many."""
    names = list(Field.objects.order_by("name").values_list("name", flat=True))
    count = 0
    with rows_into(file, form, names=names) as write:
        for row in _rows(asked):
            write(row)
            count += 1
    return count


def _rows(asked: Question) -> Iterator[Row]:
    sql = _ROWS.format(state=asked.state, join=asked.join, condition=asked.condition)
    # A cursor of the server lives as long as its transaction.
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(sql, asked.params)
        while rows := cursor.fetchmany(AT_ONCE):
            yield from rows


# --- exports ----------------------------------------------------------------------------------


def ask(
    *,
    mailing_list: MailingList | None,
    segment: Segment | None,
    form: ExportFormat,
    by: Any,
    now: datetime,
) -> Export:
    """Have recipients written to a file that `by`, a user, can fetch for some days."""
    return Export.objects.create(
        mailing_list=mailing_list,
        segment=segment,
        what=what(mailing_list, segment),
        format=form,
        created_by=by,
        created_at=now,
    )


def ask_for(asked: Filter, *, form: ExportFormat, by: Any, now: datetime) -> Export:
    """Have who answers to a filter written to a file, as `ask` does for a list or a segment."""
    return Export.objects.create(
        asked=asked.as_dict(), what=asked.words[:300], format=form, created_by=by, created_at=now
    )


def waiting(*, now: datetime) -> list[int]:
    """Return the exports that nobody writes."""
    lost = Q(status=ExportStatus.WRITING, started_at__lt=now - LOST_AFTER)
    ready = Export.objects.filter(Q(status=ExportStatus.WAITING) | lost)
    return list(ready.order_by("pk").values_list("pk", flat=True))


def write(export_id: int, *, clock: Callable[[], datetime]) -> bool:
    """Write an export that waits; return whether it is done. A second call finds nothing to do."""
    export = _claim(export_id, now=clock())
    if export is None:
        return False
    try:
        asked = _question_of(export, now=clock())
    except (BadRules, Gone) as error:
        _fail(export, str(error), now=clock())
        return False
    with tempfile.TemporaryFile() as file:
        rows = write_rows(file, asked, form=ExportFormat(export.format))
        export.file.name = default_storage.save(export.file.name, File(file))
    return _finish(export, rows, now=clock())


def _question_of(export: Export, *, now: datetime) -> Question:
    if export.asked:
        by = export.created_by or AnonymousUser()
        return matching(Filter.from_dict(export.asked), by=by, now=now)
    return question(export.mailing_list, export.segment, now=now)


def can_be_fetched(export: Export, *, now: datetime) -> bool:
    """Whether its file is there, and its time is not over."""
    is_young = export.expires_at is not None and now < export.expires_at
    return export.status == ExportStatus.DONE and bool(export.file) and is_young


def note(export_what: str, *, form: ExportFormat, rows: int, now: datetime) -> None:
    """Note down an export that was written to a file of whoever is logged in to the machine."""
    Export.objects.create(
        what=export_what,
        format=form,
        status=ExportStatus.DONE,
        rows=rows,
        created_at=now,
        finished_at=now,
    )


@transaction.atomic
def _claim(export_id: int, *, now: datetime) -> Export | None:
    locks.write_addresses()  # an erasure under way either sees this file, or is over
    export = Export.objects.select_for_update(of=("self",)).filter(pk=export_id).first()
    if export is None or export.pk not in waiting(now=now):
        return None
    if not export.asked and export.what != what(export.mailing_list, export.segment):
        # Without this, whose list was deleted meanwhile would get everybody.
        _fail(export, _("the list or segment was deleted or renamed; ask again"), now=now)
        return None
    _delete_on_commit(export.file.name)  # of a worker that died
    export.status, export.started_at = ExportStatus.WRITING, now
    # Named before it is there: whatever happens to the worker, somebody deletes it.
    export.file.name = kept_under(export, "")
    export.expires_at = now + timedelta(days=settings.EXPORT_DAYS)
    export.save()
    return export


def _fail(export: Export, problem: str, *, now: datetime) -> None:
    Export.objects.filter(pk=export.pk).update(
        status=ExportStatus.FAILED, problem=problem[:500], file="", asked={}, finished_at=now
    )


@transaction.atomic
def _finish(export: Export, rows: int, *, now: datetime) -> bool:
    locks.write_addresses()
    if _somebody_was_erased(since_claim_of=export):
        _delete_on_commit(export.file.name)
        Export.objects.filter(pk=export.pk).update(status=ExportStatus.WAITING, file="")
        return False
    export.status, export.rows, export.finished_at = ExportStatus.DONE, rows, now
    export.asked = {}  # there may be an address in it
    export.expires_at = now + timedelta(days=settings.EXPORT_DAYS)
    export.save()
    return True


def _somebody_was_erased(*, since_claim_of: Export) -> bool:
    """Whether an erasure took its file away; times do not tell: it may have waited for others."""
    return not Export.objects.filter(pk=since_claim_of.pk).exclude(file="").exists()


def expire_files(*, now: datetime, expired_only: bool = False) -> int:
    """Delete the files of exports, or those alone whose time is over; their rows stay."""
    exports = Export.objects.exclude(file="")
    if expired_only:
        exports = exports.filter(expires_at__lte=now)
    with transaction.atomic():
        found = dict(exports.select_for_update().order_by("pk").values_list("pk", "file"))
        for name in found.values():
            _delete_on_commit(name)
        return Export.objects.filter(pk__in=found).update(file="", expires_at=now)


def _delete_on_commit(name: str | None) -> None:
    if name:
        transaction.on_commit(partial(default_storage.delete, name))
