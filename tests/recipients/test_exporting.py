"""Recipients as files: what is in them, for whom, and for how long."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import load_workbook

from recipients import export_files, exporting, privacy
from recipients.formulas import STARTS, guarded, unguarded
from recipients.models import (
    Export,
    ExportFormat,
    ExportStatus,
    Field,
    Recipient,
    Segment,
    SubscriptionState,
    Suppression,
    Tag,
    Tagging,
)
from tests.factories import make_list, make_recipient, make_recipients

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
CITY = {"match": "all", "rules": [{"about": "field:city", "operator": "is", "value": "Huế"}]}


def asked(**audience: Any) -> Export:
    """Return an export of everybody, or of a list or segment, that waits to be written."""
    whom = {"mailing_list": None, "segment": None, **audience}
    user = User.objects.get_or_create(username="ada")[0]
    return exporting.ask(**whom, form=ExportFormat.CSV, by=user, now=NOW)


def write(export: Export, *, at: datetime = NOW) -> bool:
    return exporting.write(export.pk, clock=lambda: at)


def rows_of(export: Export) -> list[dict[str, str]]:
    export.refresh_from_db()
    with export.file.open("rb") as file:
        return list(csv.DictReader(io.StringIO(file.read().decode())))


def files() -> set[str]:
    return (
        set(default_storage.listdir("exports")[1]) if default_storage.exists("exports") else set()
    )


def to_csv(tmp_path: Path, **options: Any) -> list[dict[str, str]]:
    file = tmp_path / "out.csv"
    call_command("export_recipients", csv=str(file), **options)
    return list(csv.DictReader(io.StringIO(file.read_text())))


# --- what is in them --------------------------------------------------------------------------


def test_a_list_is_written_with_states_tags_suppression_and_fields(tmp_path: Path) -> None:
    readers = make_list()
    for name in ("city", "points"):
        Field.objects.create(name=name)
    ada = make_recipient("ada@example.org", lists=[readers], fields={"city": "Huế", "points": -3})
    make_recipient("b@example.org", lists=[readers], state=SubscriptionState.UNSUBSCRIBED)
    make_recipient("elsewhere@example.org")
    for name in ("old", "vip"):
        Tagging.objects.create(tag=Tag.objects.create(name=name), recipient=ada)
    Suppression.objects.create(key="ada@example.org", reason="bounce")

    first, second = to_csv(tmp_path, list="Readers")

    assert (first["email"], first["state"], first["suppressed"]) == (
        "ada@example.org", "confirmed", "bounce",
    )  # fmt: skip
    assert (first["tags"], first["city"], first["points"]) == ("old, vip", "Huế", "-3")
    assert (second["email"], second["state"], second["city"]) == (
        "b@example.org", "unsubscribed", "",
    )  # fmt: skip


def test_a_segment_is_who_answers_to_it(tmp_path: Path) -> None:
    Field.objects.create(name="city")
    make_recipient("ada@example.org", fields={"city": "Huế"})
    make_recipient("bob@example.org", fields={"city": "Oslo"})
    Segment.objects.create(name="Centre", rules=CITY)

    assert [row["email"] for row in to_csv(tmp_path, segment="Centre")] == ["ada@example.org"]


def test_a_small_number_is_written_so_that_an_import_reads_it(tmp_path: Path) -> None:
    Field.objects.create(name="share", kind="number")
    make_recipient("ada@example.org", fields={"share": 0.00001})

    assert [row["share"] for row in to_csv(tmp_path, all=True)] == ["0.00001"]


def test_in_a_workbook_values_have_their_types_and_nothing_is_calculated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_files, "SHEET", 1)
    for name in ("note", "points"):
        Field.objects.create(name=name)
    make_recipient("=cmd@example.org", fields={"note": "=1+1\x0b", "points": -3})
    make_recipient("bob@example.org")
    file = tmp_path / "out.xlsx"

    call_command("export_recipients", all=True, xlsx=str(file))

    sheets = [list(sheet.rows) for sheet in load_workbook(file).worksheets]
    headers, ada = sheets[0]
    cells = {str(header.value): cell for header, cell in zip(headers, ada, strict=True)}
    assert (cells["email"].value, cells["email"].data_type) == ("=cmd@example.org", "s")
    assert (cells["note"].value, cells["note"].data_type) == ("=1+1", "s")
    assert cells["points"].value == -3
    assert [rows[1][0].value for rows in sheets] == ["=cmd@example.org", "bob@example.org"]


def test_lines_of_json_have_values_as_they_are_stored(tmp_path: Path) -> None:
    make_recipient("=cmd@example.org", fields={"points": 3, "vip": True, "gone": "x"})
    file = tmp_path / "out.jsonl"

    call_command("export_recipients", all=True, jsonl=str(file))

    line = json.loads(file.read_text())
    assert line["email"] == "=cmd@example.org"
    assert line["fields"] == {"points": 3, "vip": True, "gone": "x"}


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    Field.objects.create(name="note")
    make_recipient("=cmd@example.org", fields={"note": "＝1+1"})  # noqa: RUF001

    [row] = to_csv(tmp_path, all=True)

    assert (row["email"], row["note"]) == ("'=cmd@example.org", "'＝1+1")  # noqa: RUF001


@given(st.one_of(st.text(), st.sampled_from(STARTS).flatmap(lambda s: st.text().map(s.__add__))))
@example("'=cmd@example.org")
def test_what_was_guarded_comes_back_and_starts_no_formula(text: str) -> None:
    assert not guarded(text).startswith(STARTS)
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"list": "No such"}, "there is no list 'No such'"),
        ({"segment": "No such"}, "there is no segment 'No such'"),
        ({"segment": "Broken"}, "cannot be asked"),
    ],
)
def test_an_audience_that_is_not_there_is_named(
    options: dict[str, str], problem: str, tmp_path: Path
) -> None:
    Segment.objects.create(name="Broken", rules={"match": "all", "rules": []})

    with pytest.raises(CommandError, match=problem):
        to_csv(tmp_path, **options)

    assert not Export.objects.exists()


def test_what_a_command_took_out_is_noted_down(tmp_path: Path) -> None:
    make_recipient(lists=[make_list()])

    to_csv(tmp_path, list="Readers")

    export = Export.objects.get()
    assert (export.what, export.rows, export.status) == ("list Readers", 1, ExportStatus.DONE)
    assert (export.created_by, export.file.name) == (None, "")


def test_rows_are_read_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    make_recipients(25, mailing_list=make_list())
    monkeypatch.setattr(exporting, "AT_ONCE", 10)

    with CaptureQueriesContext(connection) as queries:
        count = exporting.write_rows(io.BytesIO(), exporting.Question(), form=ExportFormat.JSONL)

    assert count == 25
    [read] = [each["sql"] for each in queries if "recipient.address" in each["sql"]]
    assert read.startswith("DECLARE")


# --- for whom, for how long -------------------------------------------------------------------


def test_an_export_is_written_once_and_expires(
    settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.EXPORT_DAYS = 3
    make_recipient("ada@example.org")
    export = asked()

    done = [write(export), write(export)]

    assert done == [True, False]
    assert [row["email"] for row in rows_of(export)] == ["ada@example.org"]
    assert (export.rows, export.expires_at) == (1, NOW + timedelta(days=3))
    name = export.file.name
    with django_capture_on_commit_callbacks(execute=True):
        early = exporting.expire_files(now=NOW + timedelta(days=2), expired_only=True)
        late = exporting.expire_files(now=NOW + timedelta(days=3), expired_only=True)
    assert (early, late) == (0, 1)
    assert not default_storage.exists(str(name))


def test_an_export_whose_worker_died_is_written_by_another(
    django_capture_on_commit_callbacks: Any,
) -> None:
    export = asked()
    Export.objects.update(status=ExportStatus.WRITING, started_at=NOW)

    assert exporting.waiting(now=NOW + timedelta(minutes=19)) == []
    assert exporting.waiting(now=NOW + timedelta(minutes=21)) == [export.pk]
    assert write(export, at=NOW + timedelta(minutes=21))


def test_an_export_of_a_list_that_was_deleted_is_not_one_of_everybody() -> None:
    readers = make_list()
    make_recipient()
    export = asked(mailing_list=readers)
    readers.delete()

    assert not write(export)

    export.refresh_from_db()
    assert (export.status, bool(export.file)) == (ExportStatus.FAILED, False)
    assert "deleted or renamed" in export.problem


def test_who_is_erased_while_a_file_is_written_is_not_in_it(
    django_capture_on_commit_callbacks: Any,
) -> None:
    make_recipient("ada@example.org")
    make_recipient("bob@example.org")
    export = asked()
    moments = iter([NOW, NOW])
    before = files()

    def clock() -> datetime:
        # She is erased between the reading and the end; that has waited for an import since before.
        if next(moments, None) is None and Recipient.objects.count() == 2:
            privacy.erase("ada@example.org", source="test", now=NOW - timedelta(minutes=1))
        return NOW

    with django_capture_on_commit_callbacks(execute=True):
        done = [exporting.write(export.pk, clock=clock), write(export, at=NOW + timedelta(hours=1))]

    assert done == [False, True]
    assert [row["email"] for row in rows_of(export)] == ["bob@example.org"]
    assert files() - before == {Path(str(export.file)).name}


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"status": "lost"}, "export_status_known"),
        ({"format": "xls"}, "export_format_known"),
        ({"file": "exports/x.csv"}, "export_file_expires"),
    ],
)
def test_the_table_refuses_what_may_not_be(changes: dict[str, str], constraint: str) -> None:
    asked()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Export.objects.update(**changes)


def test_an_export_is_of_a_list_or_of_a_segment() -> None:
    segment = Segment.objects.create(name="All", rules={})

    with pytest.raises(IntegrityError, match="export_one_audience"), transaction.atomic():
        asked(mailing_list=make_list(), segment=segment)
