"""What segments ask of recipients is what the ledger, hits and deeds say; what is not is mended."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from campaigns.models import Run
from recipients import merging
from tests.tracking.arrivals import NOW, arrival, delivery_to, entry, make_measured_run
from tracking.consuming import write
from tracking.engagement import fold_due
from tracking.last_times import COLUMNS, differences
from tracking.models import Activity, Fold, Hit, RunTally

pytestmark = pytest.mark.django_db


@pytest.fixture
def read_run() -> Run:
    run = make_measured_run("ada", "bob")
    ada = delivery_to("ada", run)
    write(
        [entry(arrival(run, ada), arrival(run, ada, 1), arrival(run, ada, 1, after=9e3))], now=NOW
    )
    fold_due(now=NOW)
    return run


def _wrong(column: str) -> Any:
    return F(column) + (timedelta(seconds=1) if column.endswith("_at") else 1)


@pytest.mark.parametrize("column", COLUMNS)
def test_verification_finds_a_wrong_time_in_each_column_and_mends_it(
    column: str, read_run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    right = list(Activity.objects.order_by("pk").values())
    ada = delivery_to("ada", read_run).recipient_id
    call_command("verify_tracking")
    Activity.objects.filter(recipient=ada).update(**{column: _wrong(column)})

    with pytest.raises(CommandError, match="1 differences"):
        call_command("verify_tracking")
    call_command("verify_tracking", repair=True)

    assert f"recipient {ada}: activity: {column} is " in capsys.readouterr().out
    assert list(Activity.objects.order_by("pk").values()) == right


def test_who_is_missing_is_found_and_who_did_nothing_of_it_as_well(read_run: Run) -> None:
    Activity.objects.filter(clicked_at=None).delete()
    Hit.objects.all().delete()

    named = {str(one).split(": ")[2].split()[0] for one in differences(repair=True)}

    # The second click was later than what is known of the first.
    assert named == {"mailed_at", "mailed_run", "opened_at", "clicked_at"}
    assert differences() == []


def _not_folded(run: Run) -> None:
    Fold.objects.update(folded_at=None)


def _hits_deleted(run: Run) -> None:
    RunTally.objects.update(purged_at=NOW)


def _one_person(run: Run) -> None:
    keep, other = (delivery_to(name, run).recipient_id or 0 for name in ("ada", "bob"))
    merging.merge(keep, other, by="staff", now=NOW)


@pytest.mark.parametrize(
    ("why", "columns"),
    [
        (_not_folded, ["mailed_at", "mailed_run"]),
        (_hits_deleted, ["opened_at", "clicked_at"]),
        (_one_person, COLUMNS),
    ],
)
def test_where_a_later_time_may_be_right_an_earlier_one_is_wrong(
    why: Any, columns: list[str], read_run: Run
) -> None:
    why(read_run)
    Activity.objects.update(**{column: _wrong(column) for column in columns})

    later = differences()
    Activity.objects.update(opened_at=NOW - timedelta(days=9))

    assert later == []
    assert {str(one).split(": ")[2].split()[0] for one in differences()} == {"opened_at"}
