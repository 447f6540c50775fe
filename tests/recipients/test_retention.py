"""What is kept for a while is deleted then, and nothing else is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pytest_django import Settings

from recipients import consent, retention
from recipients.consent import Consent, Origin
from recipients.models import (
    ConsentAction,
    ConsentDetail,
    ConsentPurpose,
    Import,
    Notice,
    NoticeKind,
    SignupWindow,
)
from tests.factories import make_recipient

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def test_from_where_people_spoke_is_kept_as_long_as_the_policy_says(settings: Settings) -> None:
    settings.CONSENT_ORIGIN_DAYS = 30
    event = Consent(
        "ada@example.org", ConsentAction.GRANTED, "form", purpose=ConsentPurpose.TRACKING,
        origin=Origin("192.0.2.7"),
    )  # fmt: skip
    consent.record([event, event], now=NOW)
    old = ConsentDetail.objects.order_by("pk")[0]
    ConsentDetail.objects.update(created_at=NOW - 30 * DAY)
    ConsentDetail.objects.filter(pk=old.pk).update(created_at=NOW - 30 * DAY - DAY / 24)

    deleted = retention.clean(now=NOW)["consent details"]
    settings.CONSENT_ORIGIN_DAYS = 0

    assert deleted == 1
    assert retention.clean(now=NOW)["consent details"] == 1
    assert consent.verify().problems == []


def test_notices_that_ended_and_windows_that_are_over_are_deleted(settings: Settings) -> None:
    settings.NOTICE_DAYS = 90
    ada = make_recipient()
    for kind, age, sent in (("privacy", 91, NOW), ("welcome", 91, None), ("confirmation", 89, NOW)):
        Notice.objects.create(
            kind=kind, recipient=ada, key=ada.key, created_at=NOW - age * DAY, sent_at=sent
        )
    for hours in (1.9, 2.1):
        hour = NOW - timedelta(hours=hours)
        SignupWindow.objects.create(who="192.0.2.0/24", hour=hour, used=1)

    deleted = retention.clean(now=NOW)

    assert (deleted["notices"], deleted["sign-up windows"]) == (1, 1)
    assert not Notice.objects.filter(kind=NoticeKind.PRIVACY).exists()


def test_more_than_a_batch_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for number in range(5):
        SignupWindow.objects.create(who=str(number), hour=NOW - 2 * DAY, used=1)

    assert retention.clean(now=NOW)["sign-up windows"] == 5


@pytest.mark.parametrize(
    ("status", "age", "left"),
    [
        ("done", 31, ("done", False)),
        ("done", 29, ("done", True)),
        ("checked", 31, ("failed", False)),
        ("importing", 31, ("importing", True)),
    ],
)
def test_the_files_of_old_imports_are_deleted_unless_somebody_works_on_them(
    status: str,
    age: int,
    left: tuple[str, bool],
    settings: Settings,
    django_capture_on_commit_callbacks: Any,
) -> None:
    settings.IMPORT_FILE_DAYS = 30
    importing = Import.objects.create(
        file_name="a.csv", size=1, status=status, finished_at=NOW if status == "done" else None
    )
    importing.file.save("a.csv", ContentFile(b"x"))
    name = str(importing.file)
    Import.objects.update(created_at=NOW - age * DAY)

    with django_capture_on_commit_callbacks(execute=True):
        retention.clean(now=NOW)

    importing.refresh_from_db()
    assert (importing.status, bool(importing.file)) == left
    assert default_storage.exists(name) == left[1]


def test_an_upload_that_no_import_names_is_deleted_after_a_day() -> None:
    default_storage.save("imports/killed.csv", ContentFile(b"ada@example.org"))
    importing = Import.objects.create(file_name="a.csv", size=1)
    importing.file.save("a.csv", ContentFile(b"x"))
    name = str(importing.file)
    written = default_storage.get_modified_time("imports/killed.csv")

    retention.clean(now=written + DAY)
    is_kept = default_storage.exists("imports/killed.csv")
    deleted = retention.clean(now=written + DAY + DAY / 24)["uploads of no import"]

    assert is_kept
    assert deleted >= 1  # other tests leave some
    assert not default_storage.exists("imports/killed.csv")
    assert default_storage.exists(name)
