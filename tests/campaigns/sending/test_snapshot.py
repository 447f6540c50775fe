import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import Run, RunStatus
from campaigns.sending import snapshot
from recipients.models import Recipient, SubscriptionState, Suppression
from tests.factories import make_campaign, make_list, make_recipient, make_recipients, make_run
from tracking.models import Delivery
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db


def states() -> dict[str, tuple[str, str]]:
    rows = Delivery.objects.values_list("recipient__address", "state", "skip_reason")
    return {address: (state, reason) for address, state, reason in rows}


def test_everybody_on_the_lists_has_one_row_with_one_reason() -> None:
    readers, friends = make_list(), make_list("Friends")
    make_recipient("ada@example.org", lists=[readers])
    make_recipient("both@example.org", lists=[readers, friends])
    make_recipient("left@example.org", lists=[readers], state=SubscriptionState.UNSUBSCRIBED)
    make_recipient("new@example.org", lists=[readers], state=SubscriptionState.PENDING)
    make_recipient("never@example.org", lists=[friends])
    make_recipient("elsewhere@example.org", lists=[make_list("Others")])
    Suppression.objects.create(key="never@example.org", reason="complaint")

    run = make_run(make_campaign(lists=[readers, friends]))

    assert states() == {
        "ada@example.org": ("queued", ""),
        "both@example.org": ("queued", ""),
        "left@example.org": ("skipped", "unsubscribed"),
        "new@example.org": ("skipped", "unconfirmed_opt_in"),
        "never@example.org": ("skipped", "suppressed"),
    }
    assert run.audience == 5
    assert disagreements([run.pk], kept_since=None) == []


def test_one_confirmed_subscription_is_enough() -> None:
    readers, friends = make_list(), make_list("Friends")
    ada = make_recipient("ada@example.org", lists=[readers], state=SubscriptionState.UNSUBSCRIBED)
    ada.subscription_set.create(mailing_list=friends, state=SubscriptionState.CONFIRMED)

    make_run(make_campaign(lists=[readers, friends]))

    assert states() == {"ada@example.org": ("queued", "")}


@pytest.mark.parametrize("audience", [1, 9, 10, 11, 25])
def test_slices_cover_the_audience_once_and_make_a_page_each(audience: int) -> None:
    readers = make_list()
    make_recipients(audience, mailing_list=readers)
    now = timezone.now()
    run = make_run(make_campaign(lists=[readers]), now=now, snapshot_taken=False)

    rows = []
    while (taken := snapshot.take_slice(run.pk, now=now, size=10)).rows:
        rows.append(taken.rows)
        if taken.finished:
            break

    assert sum(rows) == audience
    run.refresh_from_db()
    assert run.prepared_at == now
    assert run.audience == Delivery.objects.filter(state="queued").count() == audience
    pages = list(run.pages.order_by("number").values_list("first_delivery", "last_delivery"))
    ids = sorted(Delivery.objects.values_list("id", flat=True))
    assert [n for first, last in pages for n in ids if first <= n <= last] == ids
    assert len(pages) == -(-audience // 10)


def test_the_first_slice_is_a_small_one_so_that_the_first_message_leaves_soon() -> None:
    readers = make_list()
    make_recipients(snapshot.FIRST_SLICE + 1, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]), snapshot_taken=False)

    slices = [snapshot.take_slice(run.pk, now=timezone.now()) for _ in range(2)]

    assert slices == [
        snapshot.Slice(rows=snapshot.FIRST_SLICE, finished=False),
        snapshot.Slice(rows=1, finished=True),
    ]


def test_task_ids_begin_with_the_time_so_that_those_of_a_slice_stand_together() -> None:
    readers = make_list()
    make_recipients(20, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]))

    ids = Delivery.objects.of_run(run.pk).values_list("task_id", flat=True)

    assert {task_id.version for task_id in ids} == {7}
    assert {task_id.variant for task_id in ids} == {uuid.RFC_4122}
    [milliseconds] = {task_id.int >> 80 for task_id in ids}
    first = Delivery.objects.of_run(run.pk)[0]
    assert milliseconds == int(first.created_at.timestamp() * 1000)


def test_a_slice_after_the_last_one_writes_nothing() -> None:
    readers = make_list()
    make_recipient(lists=[readers])
    run = make_run(make_campaign(lists=[readers]))

    assert snapshot.take_slice(run.pk, now=timezone.now()) == snapshot.Slice(0, finished=True)
    assert Delivery.objects.count() == 1


def test_an_address_that_moves_between_recipients_during_the_snapshot_is_mailed_once() -> None:
    readers = make_list()
    first, second = make_recipients(2, mailing_list=readers)
    now = timezone.now()
    run = make_run(make_campaign(lists=[readers]), now=now, snapshot_taken=False)
    snapshot.take_slice(run.pk, now=now, size=1)
    Recipient.objects.filter(pk=first.pk).update(address="x@example.org", key="x@example.org")
    Recipient.objects.filter(pk=second.pk).update(address=first.address, key=first.key)

    while not snapshot.take_slice(run.pk, now=now, size=1).finished:
        pass

    rows = Delivery.objects.order_by("pk").values_list("address", "state", "skip_reason")
    assert list(rows) == [
        (first.address, "queued", ""),
        (first.address, "skipped", "duplicate"),
    ]
    assert disagreements([run.pk], kept_since=None) == []


def test_addresses_that_only_a_database_would_take_for_the_same_are_two() -> None:
    readers = make_list()
    make_recipient("\u0130bo@example.org", lists=[readers])
    make_recipient("ibo@example.org", lists=[readers])

    run = make_run(make_campaign(lists=[readers]))

    assert set(states().values()) == {("queued", "")}
    assert run.audience == 2


def test_who_was_not_written_down_when_the_run_was_cancelled_is_cancelled_too() -> None:
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    now = timezone.now()
    run = make_run(make_campaign(lists=[readers]), now=now, snapshot_taken=False)
    Run.objects.update(status=RunStatus.CANCELLED)

    snapshot.take_slice(run.pk, now=now)

    assert set(states().values()) == {("cancelled", "")}
    assert not run.pages.exists()
    assert disagreements([run.pk], kept_since=None) == []


def test_a_held_run_writes_nothing_down() -> None:
    readers = make_list()
    make_recipient(lists=[readers])
    run = make_run(make_campaign(lists=[readers]), snapshot_taken=False)
    Run.objects.update(status=RunStatus.HELD)

    snapshot.take_slice(run.pk, now=timezone.now())

    assert not Delivery.objects.exists()


@pytest.mark.parametrize(("seconds", "stuck"), [(-1, False), (1, True)])
def test_a_snapshot_that_stands_still_is_found(seconds: int, stuck: bool) -> None:
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    now = timezone.now()
    run = make_run(make_campaign(lists=[readers]), now=now, snapshot_taken=False)
    snapshot.take_slice(run.pk, now=now, size=1)

    assert snapshot.is_stuck(run.pk, before=now + timedelta(seconds=seconds)) == stuck


def test_the_run_begins_with_its_first_slice() -> None:
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    now = timezone.now()
    run = make_run(make_campaign(lists=[readers]), now=now, snapshot_taken=False)

    snapshot.take_slice(run.pk, now=now, size=1)

    run.refresh_from_db()
    assert (run.status, run.started_at, run.prepared_at) == (RunStatus.SENDING, now, None)
