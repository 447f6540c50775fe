"""Erasing and merging people keep the sums true, and leave nothing that says whose they were."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction

from campaigns.models import Run
from recipients import merging, privacy
from recipients.models import Subscription, Suppression
from tests.live import wait_until
from tests.threads import in_a_connection_of_its_own, waiting_for_locks
from tests.tracking.arrivals import (
    NOW,
    arrival,
    delivery_to,
    entry,
    make_measured_run,
    say,
    wrong,
)
from tracking.consuming import write
from tracking.models import (
    DeliveryEvent,
    Departure,
    DomainTally,
    EventKind,
    Hit,
    ReasonTally,
    Recount,
    RecountPart,
    RunTally,
)
from tracking.services import keep_reason
from tracking.tallying.events import fold
from tracking.tallying.lock import hold_sums
from tracking.tallying.sent import recount, recount_slice

pytestmark = pytest.mark.django_db


def test_of_who_is_erased_the_sums_stay_and_nothing_says_whose_they_were() -> None:
    run = make_measured_run("ada", "bob")
    ada = delivery_to("ada", run)
    write([entry(arrival(run, ada, agent="Ada's own browser"), arrival(run, ada, 1))], now=NOW)
    say(ada, EventKind.BOUNCED, "1", diagnostic="<ada@ada.example> is full")
    recount(run.pk)
    fold(now=NOW)
    before = RunTally.objects.values().get()
    known = privacy.known(privacy.person("ada@ada.example"))["messages"][0]

    privacy.erase("ada@ada.example", source="asked for it", now=NOW)

    assert [one["by"] for one in known["opens_and_clicks"]] == ["person", "person"]
    assert known["opens_and_clicks"][0]["user_agent"] == "Ada's own browser"
    [report] = known["reports"]
    assert (report["kind"], report["is_hard"], report["source"]) == ("bounced", False, "mail")
    assert report["diagnostic"] == "<ada@ada.example> is full"
    assert RunTally.objects.values().get() == before
    assert sorted(DomainTally.objects.values_list("domain", "sent", "clicks_people")) == [
        ("", 1, 1), ("bob.example", 1, 0),
    ]  # fmt: skip
    assert not Hit.objects.exclude(user_agent=None, network="").exists()
    assert DeliveryEvent.objects.values_list("recipient_id", "diagnostic").get() == (None, "")
    assert wrong(run) == []


def test_why_somebody_left_goes_with_them_from_the_sums_as_well() -> None:
    run = make_measured_run("ada", "bob")
    ada = delivery_to("ada", run)
    say(ada, EventKind.UNSUBSCRIBED, "1")
    keep_reason(ada, reason="too_many", comment="I am Ada of number 12.")
    fold(now=NOW)

    privacy.erase("ada@ada.example", source="asked for it", now=NOW)
    fold(now=NOW)

    assert wrong(run) == []
    left = ReasonTally.objects.filter(count__gt=0).values_list("kind", "reason", "count")
    assert list(left) == [("unsubscribed", "", 1)]
    assert RunTally.objects.get().unsubscribed == 1


def test_nobody_says_why_who_was_erased_has_left() -> None:
    run = make_measured_run("ada")
    ada = delivery_to("ada", run)
    privacy.erase("ada@ada.example", source="asked for it", now=NOW)

    keep_reason(ada, reason="other", comment="I am Ada of number 12.")

    assert not Departure.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_erasure_and_a_count_of_what_came_back_do_not_lock_each_other_out() -> None:
    run = make_measured_run("ada")
    say(delivery_to("ada", run), EventKind.BOUNCED, "1")

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            hold_sums()
            erased = threads.submit(in_a_connection_of_its_own, erase_ada)
            wait_until(waiting_for_locks, "the erasure waits", timeout=10)
            DeliveryEvent.objects.uncounted().update(counted_at=NOW)

        assert erased.result()


@pytest.mark.django_db(transaction=True)
def test_a_count_of_the_ledger_writes_down_no_domain_that_is_erased_meanwhile() -> None:
    run = make_measured_run("ada", "bob")

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            erase_ada()
            counted = threads.submit(in_a_connection_of_its_own, lambda: recount(run.pk))
            wait_until(waiting_for_locks, "the count waits", timeout=10)
        counted.result()

    assert sorted(DomainTally.objects.values_list("domain", "sent")) == [
        ("", 1), ("bob.example", 1),
    ]  # fmt: skip
    assert wrong(run) == []


@pytest.mark.django_db(transaction=True)
def test_a_count_whose_work_another_one_has_ended_meanwhile_begins_anew() -> None:
    run = make_measured_run("ada", "bob")
    recount_slice(run.pk, size=1)

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            recount(run.pk)
            counted = threads.submit(in_a_connection_of_its_own, lambda: recount(run.pk))
            wait_until(waiting_for_locks, "the second one waits", timeout=10)
        counted.result()

    assert sum(DomainTally.objects.values_list("sent", flat=True)) == 2
    assert not Recount.objects.exists()
    assert wrong(run) == []


def merge_into_bob(run: Run) -> None:
    ada, bob = (delivery_to(name, run).recipient_id for name in ("ada", "bob"))
    merging.merge(bob or 0, ada or 0, by="staff", now=NOW)


@pytest.mark.parametrize("change", [lambda run: erase_ada(), merge_into_bob])
def test_a_count_that_has_read_somebody_begins_anew_when_they_are_erased_or_merged(
    change: Callable[[Run], object],
) -> None:
    run = make_measured_run("ada", "bob", "cy")
    recount_slice(run.pk, size=2)

    change(run)

    assert not RecountPart.objects.exists()
    recount(run.pk)
    assert sum(DomainTally.objects.values_list("sent", flat=True)) == 3
    assert wrong(run) == []


def test_a_domain_of_who_was_erased_while_the_run_was_under_way_goes_with_the_next_count() -> None:
    run = make_measured_run("ada", "bob")
    recount(run.pk)
    RunTally.objects.update(ledger_counted_to=None)
    erase_ada()

    recount(run.pk)

    assert set(DomainTally.objects.values_list("domain", flat=True)) == {"", "bob.example"}


def erase_ada() -> bool:
    return privacy.erase("ada@ada.example", source="asked for it", now=NOW)


def test_sums_stay_true_where_two_rows_become_one_person_and_more_comes_in() -> None:
    run = make_measured_run("ada", "bob")
    ada, bob = delivery_to("ada", run), delivery_to("bob", run)
    write([entry(arrival(run, ada), arrival(run, bob), arrival(run, bob, 1))], now=NOW)
    say(bob, EventKind.BOUNCED, "1")
    assert ada.recipient_id
    assert bob.recipient_id

    merging.merge(ada.recipient_id, bob.recipient_id, by="staff", now=NOW)
    late = write([entry(arrival(run, ada, 2), arrival(run, bob, 2))], now=NOW)
    say(bob, EventKind.COMPLAINED, "2")
    fold(now=NOW)

    assert late.new == 2
    tally = RunTally.objects.get()
    assert (tally.opens_people, tally.clicks_people, tally.bounced_soft) == (2, 2, 1)
    assert set(DeliveryEvent.objects.values_list("recipient_id", flat=True)) == {ada.recipient_id}
    assert wrong(run) == []


def test_a_complaint_about_the_second_message_to_two_rows_that_became_one_is_the_persons() -> None:
    run = make_measured_run("ada", "bob")
    ada, bob = delivery_to("ada", run), delivery_to("bob", run)
    assert ada.recipient_id
    assert bob.recipient_id
    merging.merge(ada.recipient_id, bob.recipient_id, by="staff", now=NOW)

    say(bob, EventKind.COMPLAINED, "1")

    suppressed = Suppression.objects.order_by("key").values_list("key", "reason")
    assert list(suppressed) == [
        ("ada@ada.example", "complaint"), ("bob@bob.example", "complaint"),
    ]  # fmt: skip
    assert set(Subscription.objects.values_list("state", flat=True)) == {"unsubscribed"}
