from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_results.models import ChordCounter, TaskResult  # type: ignore[attr-defined]

from campaigns import retention
from campaigns.models import Page, Run
from campaigns.services import cancel
from tests.factories import make_campaign, make_list, make_recipients, make_run

pytestmark = pytest.mark.django_db

NOW = timezone.now()
KEPT = timedelta(days=90)


def ended_run(*, ago: timedelta) -> None:
    """A run of three recipients that was cancelled, and one header of a page, so long ago."""
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    campaign = make_campaign(lists=[readers])
    make_run(campaign, now=NOW)
    cancel(campaign, now=NOW)
    TaskResult.objects.create(
        task_id="header", task_name="campaigns.deliver_chunk", status="SUCCESS"
    )
    Run.objects.update(finished_at=NOW - ago)
    TaskResult.objects.update(date_created=NOW - ago, date_done=NOW - ago)


@pytest.mark.parametrize(("ago", "deleted"), [(KEPT, 0), (KEPT + timedelta(seconds=1), 4)])
def test_task_results_are_deleted_when_their_run_ended_long_enough_ago(
    ago: timedelta, deleted: int
) -> None:
    ended_run(ago=ago)

    assert retention.delete_old_results(now=NOW, older_than=KEPT) == deleted
    assert TaskResult.objects.count() == 4 - deleted


def test_a_run_that_has_not_ended_keeps_its_task_results_however_old_they_are() -> None:
    ended_run(ago=KEPT * 2)
    Run.objects.update(finished_at=None)

    assert retention.delete_old_results(now=NOW, older_than=KEPT) == 1
    assert set(TaskResult.objects.values_list("task_name", flat=True)) == {"campaigns.deliver"}


def test_no_days_keep_them_for_ever() -> None:
    ended_run(ago=KEPT * 99)

    assert retention.delete_old_results(now=NOW, older_than=timedelta()) == 0


def test_many_rows_are_deleted_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    ended_run(ago=KEPT * 2)

    assert retention.delete_old_results(now=NOW, older_than=KEPT) == 4


@pytest.mark.parametrize(("state", "deleted"), [("open", 0), ("closed", 1), ("waiting", 1)])
def test_counters_of_chords_are_deleted_when_no_page_is_open(state: str, deleted: int) -> None:
    readers = make_list()
    make_recipients(1, mailing_list=readers)
    make_run(make_campaign(lists=[readers]))
    Page.objects.update(state=state)
    ChordCounter.objects.create(group_id="g", sub_tasks="[]", count=1)

    assert retention.delete_chord_counters() == deleted
