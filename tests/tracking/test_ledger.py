import json
from datetime import timedelta
from itertools import product

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_celery_results.models import TaskResult

from campaigns.models import Run
from tests.factories import make_campaign, make_list, make_recipient, make_recipients, make_run
from tracking import ledger
from tracking.feedback import Failure, note_failures
from tracking.models import Category, Delivery, DeliveryState, RunCounters
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db

PICK = """
    SELECT delivery.id, delivery.state AS from_state, %(target)s AS to_state
      FROM tracking_delivery delivery WHERE delivery.run_id = %(run)s FOR UPDATE
"""
# What the table's constraints want of a row in its state.
CHANGES = """
    skip_reason = CASE WHEN picked.to_state = 'skipped' THEN 'suppressed' ELSE '' END,
    lease = gen_random_uuid(), next_attempt_at = %(now)s
"""


@pytest.fixture
def run() -> Run:
    readers = make_list()
    make_recipient(lists=[readers])
    return make_run(make_campaign(lists=[readers]))


def move(run: Run, target: str) -> list[ledger.Moved]:
    return ledger.move(
        run.pk, pick=PICK, changes=CHANGES, params={"target": target}, now=timezone.now()
    )


def force(run: Run, state: str) -> None:
    """Put the run's deliveries into a state, behind the ledger's back but with its books."""
    allowed = ledger._ALLOWED
    try:
        ledger._ALLOWED = f"('queued', '{state}')"
        if state != "queued":
            move(run, state)
    finally:
        ledger._ALLOWED = allowed


@pytest.mark.parametrize(("source", "target"), list(product(DeliveryState, DeliveryState)))
def test_a_delivery_moves_only_as_the_transition_table_allows(
    run: Run, source: DeliveryState, target: DeliveryState
) -> None:
    force(run, source)

    moved = move(run, target)

    allowed = target in ledger.TRANSITIONS[source]
    after = target if allowed else source
    assert [(row.from_state, row.to_state) for row in moved] == [(source, target)] * allowed
    delivery = Delivery.objects.get()
    assert delivery.state == after
    assert RunCounters.objects.get().as_dict() == {s: int(s == after) for s in DeliveryState}
    result = TaskResult.objects.get(task_id=str(delivery.task_id))
    assert result.task_name == "campaigns.deliver"
    assert result.status == ledger.TASK_STATUS[after]
    assert json.loads(result.result)["state"] == after
    if after == "failed":  # whoever moves it there says why
        note_failures([Failure(delivery.pk, Category.UNKNOWN)], now=timezone.now())
    assert disagreements([run.pk], kept_since=None) == []


@pytest.mark.parametrize("state", DeliveryState)
def test_only_a_delivery_at_its_end_has_an_end_time(run: Run, state: DeliveryState) -> None:
    force(run, state)

    is_open = state in {"queued", "sending", "retry"}
    assert (Delivery.objects.get().finished_at is None) == is_open


def test_a_task_result_that_somebody_deleted_comes_back_with_the_next_change(run: Run) -> None:
    TaskResult.objects.all().delete()

    move(run, "sending")

    assert TaskResult.objects.get().status == "STARTED"
    assert disagreements([run.pk], kept_since=None) == []


def test_a_move_never_touches_another_run(run: Run) -> None:
    readers = make_list("Others")
    make_recipient("bob@example.org", lists=[readers])
    other = make_run(make_campaign("Other", lists=[readers]))

    ledger.move(
        run.pk,
        pick="SELECT id, state AS from_state, 'sending' AS to_state FROM tracking_delivery",
        changes=CHANGES,
        params={},
        now=timezone.now(),
    )

    assert Delivery.objects.get(run=other).state == "queued"
    assert disagreements([run.pk, other.pk], kept_since=None) == []


def test_verification_names_a_row_that_was_changed_behind_the_ledgers_back(run: Run) -> None:
    delivery = Delivery.objects.get()
    Delivery.objects.update(state="sent")

    found = [str(one) for one in disagreements([run.pk], kept_since=None)]

    assert found == [
        f"run {run.pk}: queued: the counter says 1, the ledger has 0 rows",
        f"run {run.pk}: sent: the counter says 0, the ledger has 1 rows",
        (
            f"run {run.pk}: delivery {delivery.pk} is sent, its TaskResult {delivery.task_id} is "
            "PENDING (queued)"
        ),
    ]


def test_verification_names_a_lost_row_and_a_missing_task_result(run: Run) -> None:
    TaskResult.objects.all().delete()
    [missing] = disagreements([run.pk], kept_since=None)
    Delivery.objects.all().delete()

    found = {one.what for one in disagreements([run.pk], kept_since=None)}

    assert missing.what.endswith("is missing")
    assert found == {
        "the audience is 1, the ledger has 0 rows",
        "queued: the counter says 1, the ledger has 0 rows",
    }


@pytest.mark.parametrize(("ended_before", "disagree"), [(1, 0), (-1, 1)])
def test_task_results_may_be_missing_only_where_they_are_too_old_to_be_kept(
    run: Run, ended_before: int, disagree: int
) -> None:
    now = timezone.now()
    Run.objects.update(finished_at=now - timedelta(seconds=ended_before))
    TaskResult.objects.all().delete()

    assert len(disagreements([run.pk], kept_since=now)) == disagree


def test_counters_of_many_rows_are_moved_by_one_statement() -> None:
    readers = make_list()
    make_recipients(120, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]))

    assert len(move(run, "sending")) == 120

    assert str(RunCounters.objects.get()) == "120 sending"


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"state": "lost"}, "delivery_state_known"),
        ({"state": "skipped"}, "delivery_skipped_has_reason"),
        ({"skip_reason": "suppressed"}, "delivery_skipped_has_reason"),
        ({"state": "sending"}, "delivery_sending_has_lease"),
        ({"state": "retry"}, "delivery_retry_has_time"),
    ],
)
def test_the_table_refuses_a_row_that_says_nonsense(
    run: Run, changes: dict[str, str], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Delivery.objects.update(**changes)


def test_the_table_refuses_a_second_row_for_a_recipient_or_an_address(run: Run) -> None:
    first = Delivery.objects.get()
    same = {"run": run, "domain": "example.org", "state": "queued"}

    with pytest.raises(IntegrityError, match="delivery_recipient_unique"), transaction.atomic():
        Delivery.objects.create(recipient=first.recipient, key="other@example.org", **same)
    with pytest.raises(IntegrityError, match="delivery_address_unique"), transaction.atomic():
        Delivery.objects.create(key=first.key, **same)
