"""What is noted of messages is counted once, and the ledger by domain and hour."""

import pytest

from tests.tracking.arrivals import (
    NOW,
    SENT,
    delivery_to,
    make_measured_run,
    say,
    wrong,
)
from tracking import services
from tracking.models import (
    Category,
    Delivery,
    DomainTally,
    EventKind,
    HourTally,
    ReasonTally,
    Recount,
    RunTally,
)
from tracking.tallying.events import fold
from tracking.tallying.sent import recount, recount_due

pytestmark = pytest.mark.django_db


def test_what_is_noted_of_messages_is_counted_once() -> None:
    run = make_measured_run("ada", "bob", "cy")
    ada, bob, cy = (delivery_to(name, run) for name in ("ada", "bob", "cy"))
    say(ada, EventKind.BOUNCED, "1", category=Category.MAILBOX_FULL)
    say(ada, EventKind.BOUNCED, "2", category=Category.INVALID_ADDRESS, is_hard=True, hour=3)
    say(bob, EventKind.BOUNCED, "3", category=Category.RATE)
    say(bob, EventKind.DELIVERED, "4")
    say(cy, EventKind.COMPLAINED, "5")
    say(cy, EventKind.UNSUBSCRIBED, "6")
    say(cy, EventKind.DELAYED, "7")

    counted = [fold(now=NOW), fold(now=NOW)]

    assert counted == [7, 0]
    tally = RunTally.objects.get()
    assert (tally.bounced_hard, tally.bounced_soft, tally.delivered) == (1, 1, 1)
    assert (tally.complained, tally.unsubscribed) == (1, 1)
    reasons = ReasonTally.objects.exclude(count=0).values_list("kind", "reason")
    assert sorted(reasons) == [
        ("bounced", "invalid_address"), ("bounced", "rate"), ("unsubscribed", ""),
    ]  # fmt: skip
    assert wrong(run) == []


def test_a_soft_bounce_turns_hard_and_a_reason_is_told_later() -> None:
    run = make_measured_run("ada")
    ada = delivery_to("ada", run)
    say(ada, EventKind.BOUNCED, "1", category=Category.MAILBOX_FULL)
    say(ada, EventKind.UNSUBSCRIBED, "2")
    fold(now=NOW)
    say(ada, EventKind.BOUNCED, "3", category=Category.INVALID_ADDRESS, is_hard=True, hour=2)
    services.keep_reason(ada, reason="too_many", comment="")

    fold(now=NOW)

    tally = RunTally.objects.get()
    assert (tally.bounced_hard, tally.bounced_soft, tally.unsubscribed) == (1, 0, 1)
    reasons = ReasonTally.objects.exclude(count=0).values_list("kind", "reason")
    assert sorted(reasons) == [("bounced", "invalid_address"), ("unsubscribed", "too_many")]
    assert wrong(run) == []


def test_sent_and_failed_are_counted_from_the_ledger() -> None:
    run = make_measured_run("ada", "bob")
    Delivery.objects.filter(key="bob@bob.example").update(state="failed")

    due = [recount_due(now=NOW), recount_due(now=NOW)]

    assert due == [[run.pk], []]
    counts = DomainTally.objects.order_by("domain").values_list("domain", "sent", "failed")
    assert list(counts) == [("ada.example", 1, 0), ("bob.example", 0, 1)]
    assert HourTally.objects.values_list("hour", "sent", "failed").get() == (
        SENT.replace(minute=0, second=0), 1, 1,
    )  # fmt: skip
    Delivery.objects.filter(key="bob@bob.example").update(domain="bob.test")
    recount(run.pk)
    assert sorted(DomainTally.objects.exclude(failed=0).values_list("domain")) == [("bob.test",)]
    assert wrong(run) == []


def test_a_count_whose_time_is_over_goes_on_the_next_time() -> None:
    run = make_measured_run("ada", "bob", "cy")
    Delivery.objects.filter(key="bob@bob.example").update(recipient=None)
    for number, name in enumerate(("ada", "cy")):
        say(delivery_to(name, run), EventKind.COMPLAINED, str(number))

    folded = [fold(now=NOW, most=1, until=0) for _ in range(3)]
    counted = [recount_due(now=NOW, until=0, size=1) for _ in range(4)]

    assert folded == [1, 1, 0]
    assert counted == [[], [], [run.pk], []]
    assert DomainTally.objects.filter(sent=1).count() == 3
    assert not Recount.objects.exists()
    assert wrong(run) == []
