import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from campaigns.models import Run, RunStatus
from campaigns.sending import snapshot
from recipients.models import (
    Field,
    FieldKind,
    Recipient,
    Segment,
    Subscription,
    SubscriptionState,
    Suppression,
)
from tests.factories import (
    make_campaign,
    make_list,
    make_reading,
    make_recipient,
    make_recipients,
    make_run,
    make_segment,
)
from tracking.models import Delivery, RunCounters
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


def test_who_answers_to_a_segment_needs_a_confirmed_subscription_to_some_list() -> None:
    hanoi, other = {"city": "Hanoi"}, make_list("Other")
    make_recipient("ada@example.org", lists=[other], fields=hanoi)
    make_recipient("suva@example.org", lists=[other], fields={"city": "Suva"})
    make_recipient(
        "left@example.org", lists=[other], state=SubscriptionState.UNSUBSCRIBED, fields=hanoi
    )
    make_recipient("new@example.org", lists=[other], state=SubscriptionState.PENDING, fields=hanoi)
    make_recipient("alone@example.org", fields=hanoi)

    make_run(make_campaign(segments=[make_segment(city="Hanoi")]))

    assert states() == {
        "ada@example.org": ("queued", ""),
        "left@example.org": ("skipped", "unsubscribed"),
        "new@example.org": ("skipped", "unconfirmed_opt_in"),
        "alone@example.org": ("skipped", "unconfirmed_opt_in"),
    }


@pytest.mark.parametrize(
    ("state", "row"),
    [
        (SubscriptionState.CONFIRMED, ("queued", "")),
        (SubscriptionState.PENDING, ("queued", "")),
        (SubscriptionState.UNSUBSCRIBED, ("skipped", "unsubscribed")),
    ],
)
def test_a_segment_does_not_bring_back_who_has_left_a_list_of_the_campaign(
    state: SubscriptionState, row: tuple[str, str]
) -> None:
    readers = make_list()
    ada = make_recipient(lists=[make_list("Other")])
    ada.subscription_set.create(mailing_list=readers, state=state)
    make_recipient("ben@example.org", lists=[readers])

    make_run(make_campaign(lists=[readers], segments=[make_segment()]))

    assert states() == {"ada@example.org": row, "ben@example.org": ("queued", "")}


def test_who_is_excluded_has_a_row_that_says_so() -> None:
    readers, customers = make_list(), make_list("Customers")
    make_recipient("ada@example.org", lists=[readers], fields={"city": "Suva"})
    make_recipient("bought@example.org", lists=[readers, customers])
    make_recipient("hanoi@example.org", lists=[readers], fields={"city": "Hanoi"})
    for state in (SubscriptionState.UNSUBSCRIBED, SubscriptionState.PENDING):
        someone = make_recipient(f"{state}@example.org", lists=[readers])
        someone.subscription_set.create(mailing_list=customers, state=state)

    make_run(
        make_campaign(
            lists=[readers],
            excluded_lists=[customers],
            excluded_segments=[make_segment(city="Hanoi")],
        )
    )

    assert states() == {
        "ada@example.org": ("queued", ""),
        "bought@example.org": ("skipped", "excluded"),
        "hanoi@example.org": ("skipped", "excluded"),
        "unsubscribed@example.org": ("queued", ""),
        "pending@example.org": ("skipped", "excluded"),
    }


def test_a_suppressed_domain_stands_for_its_addresses_and_for_no_other_domain() -> None:
    readers = make_list()
    make_recipient("ada@example.org", lists=[readers])
    make_recipient("ada@mail.example.org", lists=[readers])
    Suppression.objects.create(key="example.org", reason="manual")

    make_run(make_campaign(lists=[readers]))

    assert states() == {
        "ada@example.org": ("skipped", "suppressed"),
        "ada@mail.example.org": ("queued", ""),
    }


@pytest.mark.parametrize(
    ("now", "row"),
    [
        (datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), ("skipped", "paused")),
        (datetime(2026, 3, 2, tzinfo=UTC), ("queued", "")),
    ],
)
def test_who_wants_no_message_before_a_day_gets_none_before_it(
    now: datetime, row: tuple[str, str]
) -> None:
    readers = make_list()
    make_recipient(lists=[readers])
    make_recipient("other@example.org", lists=[readers])
    Recipient.objects.filter(key="ada@example.org").update(paused_until="2026-03-02")

    make_run(make_campaign(lists=[readers]), now=now)

    assert states() == {"ada@example.org": row, "other@example.org": ("queued", "")}


@pytest.mark.parametrize(("size", "walk"), [(1, 99), (3, 99), (7, 4), (7, 7), (100, 1), (100, 99)])
def test_slices_of_lists_and_segments_cover_everybody_once(size: int, walk: int) -> None:
    few, many = make_list("Few"), make_list("Many")
    recipients = make_recipients(30, mailing_list=many)
    on_list, answer = recipients[::2], recipients[20:]
    Subscription.objects.bulk_create(
        Subscription(recipient=each, mailing_list=few, state=SubscriptionState.PENDING)
        for each in on_list
    )
    Recipient.objects.filter(pk__in=[each.pk for each in answer]).update(fields={"city": "Hanoi"})
    campaign = make_campaign(lists=[few], segments=[make_segment(city="Hanoi")])
    now = timezone.now()
    run = make_run(campaign, now=now, snapshot_taken=False)

    rows = []
    while not (taken := snapshot.take_slice(run.pk, now=now, size=size, walk=walk)).finished:
        rows.append(taken.rows)

    written = list(Delivery.objects.order_by("id").values_list("recipient_id", "state"))
    assert written == [
        (each.pk, "queued" if each in answer else "skipped")
        for each in recipients
        if each in on_list or each in answer
    ]
    assert all(count == size for count in rows) or walk < 99
    run.refresh_from_db()
    assert (run.prepared_at, run.audience) == (now, 20)
    assert disagreements([run.pk], kept_since=None) == []


def test_the_times_of_a_segment_are_the_same_in_all_slices_of_a_run() -> None:
    now = timezone.now()
    Field.objects.create(name="bought", kind=FieldKind.DATE)
    rule = {"about": "field:bought", "operator": "on", "value": now.date().isoformat()}
    last_days = {"about": "field:bought", "operator": "last_days", "value": 1}
    segment = Segment.objects.create(
        name="Buyers", rules={"match": "all", "rules": [rule, last_days]}
    )
    for name in ("ada", "ben"):
        make_recipient(
            f"{name}@example.org",
            lists=[make_list()],
            fields={"bought": now.date().isoformat()},
        )
    run = make_run(make_campaign(segments=[segment]), now=now, snapshot_taken=False)

    snapshot.take_slice(run.pk, now=now, size=1)
    snapshot.take_slice(run.pk, now=now + timedelta(days=9), size=1)

    assert states() == {"ada@example.org": ("queued", ""), "ben@example.org": ("queued", "")}


def test_the_last_campaigns_of_a_segment_are_those_before_the_run() -> None:
    make_recipients(2, mailing_list=make_list())
    now = timezone.now()
    earlier = make_run(make_campaign(), now=now)
    RunCounters.objects.filter(run=earlier).update(queued=0, sent=2)
    for delivery in Delivery.objects.all():
        make_reading(delivery, opened_at=now)
    rule = {"about": "opened", "operator": "last_campaigns", "value": 1}
    segment = Segment.objects.create(name="Open", rules={"match": "all", "rules": [rule]})
    run = make_run(make_campaign("Again", segments=[segment]), snapshot_taken=False)

    snapshot.take_slice(run.pk, now=timezone.now(), size=1)
    RunCounters.objects.filter(run=run).update(queued=0, sent=1)
    snapshot.take_slice(run.pk, now=timezone.now(), size=1)

    assert Delivery.objects.of_run(run.pk).count() == 2


@pytest.mark.parametrize("status", [RunStatus.PREPARING, RunStatus.SENDING])
def test_a_run_whose_segment_cannot_be_read_waits_for_a_person(status: RunStatus) -> None:
    segment = make_segment(city="Hanoi")
    make_recipient(lists=[make_list()], fields={"city": "Hanoi"})
    run = make_run(make_campaign(segments=[segment]), snapshot_taken=False)
    Run.objects.update(status=status)
    Field.objects.all().delete()

    taken = snapshot.take_slice(run.pk, now=timezone.now())

    run.refresh_from_db()
    assert taken == snapshot.Slice(rows=0, finished=True)
    assert run.status == RunStatus.HELD
    assert "segment Hanoi: rule 1" in run.held_reason
    assert run.prepared_at is None


def test_a_cancelled_run_whose_segment_cannot_be_read_is_over() -> None:
    segment = make_segment(city="Hanoi")
    make_recipient(lists=[make_list()], fields={"city": "Hanoi"})
    run = make_run(make_campaign(segments=[segment]), snapshot_taken=False)
    Run.objects.update(status=RunStatus.CANCELLED)
    Field.objects.all().delete()

    snapshot.take_slice(run.pk, now=timezone.now())

    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED
    assert run.prepared_at is not None
