"""Delete what an installation does not want to keep of people for ever, in small steps."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from recipients.exporting import expire_files
from recipients.importing import jobs
from recipients.models import ConsentDetail, Notice, SignupWindow

BATCH = 1_000  # rows in one transaction
STRAYS_KEPT = timedelta(days=1)  # an upload is there before its import is committed
WINDOWS_KEPT = timedelta(hours=2)  # they count uses within an hour


def clean(*, now: datetime) -> dict[str, int]:
    """Delete what is too old; return how much of each."""
    return {
        "consent details": delete_in_batches(_old_details(now)),
        "notices": delete_in_batches(_old_notices(now)),
        "sign-up windows": delete_in_batches(
            SignupWindow.objects.filter(hour__lt=now - WINDOWS_KEPT)
        ),
        "import files": _in_batches(lambda: _forget_imports(now)),
        "uploads of no import": jobs.forget_strays(before=now - STRAYS_KEPT),
        "export files": expire_files(now=now, expired_only=True),
    }


def _old_details(now: datetime) -> "QuerySet[ConsentDetail]":
    """From where people spoke; 0 days: nothing of it, whatever the setting was before."""
    before = now - timedelta(days=settings.CONSENT_ORIGIN_DAYS)
    return ConsentDetail.objects.filter(created_at__lt=before)


def _old_notices(now: datetime) -> "QuerySet[Notice]":
    ended = Q(sent_at__isnull=False) | Q(failed_at__isnull=False)
    before = now - timedelta(days=settings.NOTICE_DAYS)  # their links lead nowhere from then on
    return Notice.objects.filter(ended, created_at__lt=before)


def delete_in_batches(rows: "QuerySet[Any]") -> int:
    """Delete these rows, so many in a transaction; return how many that were."""
    return _in_batches(lambda: _delete(rows))


def _delete(rows: "QuerySet[Any]") -> int:
    batch = rows.order_by("pk").values_list("pk", flat=True)[:BATCH]
    return int(rows.filter(pk__in=list(batch)).delete()[0])


def _forget_imports(now: datetime) -> int:
    """Delete what is kept of imports that nobody works on: uploads, and rows that were rejected."""
    before = now - timedelta(days=settings.IMPORT_FILE_DAYS)
    return jobs.forget_old(before=before, now=now, at_most=BATCH)


def _in_batches(delete: Callable[[], int]) -> int:
    deleted = 0
    while last := delete():
        deleted += last
        if last < BATCH:
            break
    return deleted
