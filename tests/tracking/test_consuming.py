"""Hits become rows and sums: each once, in whatever order and however often they are read."""

from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from campaigns.models import Run
from recipients.models import Recipient, Tracking, TrackingConsent
from tests.tracking.arrivals import (
    BOT,
    NOW,
    SENT,
    arrival,
    delivery_to,
    entry,
    make_measured_run,
)
from tracking.consuming import write
from tracking.models import (
    Activity,
    Delivery,
    DeliveryState,
    DomainTally,
    Engagement,
    Hit,
    HourTally,
    LinkTally,
    Response,
    RunCounters,
    RunTally,
)
from tracking.verdicts import MOST

pytestmark = pytest.mark.django_db

KINDS = ("people", "unique", "total")


def sums(run: Run) -> dict[str, int]:
    """Return what is not nothing of a run's opens and clicks."""
    tally = RunTally.objects.filter(run=run).first() or RunTally()
    names = [f"{kind}_{what}" for kind in ("opens", "clicks") for what in KINDS]
    return {name: getattr(tally, name) for name in names if getattr(tally, name)}


def test_people_are_told_from_machines_and_each_is_counted_once() -> None:
    run = make_measured_run("ada", "bob", "cy")
    ada, bob, cy = (delivery_to(name, run) for name in ("ada", "bob", "cy"))
    ada_twice = [arrival(run, ada), arrival(run, ada, after=7_300), arrival(run, ada, 1)]
    a_machine = [arrival(run, bob, agent=BOT), arrival(run, bob, 2, agent=BOT)]
    only_clicked = [arrival(run, cy, 2), arrival(run, cy, 2, is_head=True, agent=BOT)]

    stored = write([entry(*ada_twice, *a_machine), entry(*only_clicked)], now=NOW)

    assert (stored.read, stored.new) == (7, 7)
    assert sums(run) == {
        "opens_people": 2, "opens_unique": 3, "opens_total": 3,
        "clicks_people": 2, "clicks_unique": 3, "clicks_total": 3,
    }  # fmt: skip
    links = LinkTally.objects.order_by("number").values_list("number", "people", "unique", "total")
    assert list(links) == [(1, 1, 1, 1), (2, 1, 2, 2)]
    domains = DomainTally.objects.order_by("domain").values_list("domain", "opens_people")
    assert list(domains) == [("ada.example", 1), ("bob.example", 0), ("cy.example", 1)]
    hours = HourTally.objects.order_by("hour").values_list("hour__hour", "opens_people")
    assert list(hours) == [(9, 2), (11, 0)]
    assert Response.objects.get(delivery=ada).opened_at == SENT + timedelta(hours=1)
    assert set(Engagement.objects.values_list("recipient__domain", flat=True)) == {
        "ada.example", "cy.example",
    }  # fmt: skip
    assert Activity.objects.get(recipient__domain="ada.example").clicked_run == run.pk


def test_what_is_read_twice_is_counted_once() -> None:
    run = make_measured_run("ada")
    ada = delivery_to("ada", run)
    first, second = entry(arrival(run, ada)), entry(arrival(run, ada, 1), arrival(run, None))
    write([first], now=NOW)

    again = [write([second, first], now=NOW).new for _ in range(2)]

    assert again == [2, 0]
    assert (sums(run)["opens_total"], sums(run)["clicks_total"]) == (2, 1)
    assert Hit.objects.count() == 3


def test_a_verdict_changes_with_what_comes_in_later() -> None:
    run = make_measured_run("ada")
    ada = delivery_to("ada", run)
    write([entry(arrival(run, ada, 0, after=60))], now=NOW)
    before = (sums(run)["clicks_people"], Engagement.objects.count())

    write([entry(arrival(run, ada, 1, after=60.5), arrival(run, ada, 2, after=61))], now=NOW)

    assert before == (1, 1)
    assert sums(run) == {"opens_unique": 1, "clicks_unique": 1, "clicks_total": 3}
    assert set(Hit.objects.values_list("verdict", "reason")) == {("machine", "burst")}
    assert not Engagement.objects.exists()
    assert Activity.objects.get().clicked_at is None


def test_an_open_that_was_a_persons_stays_when_a_click_was_not() -> None:
    run = make_measured_run("ada")
    ada = delivery_to("ada", run)
    write([entry(arrival(run, ada, after=900), arrival(run, ada, 0, after=60))], now=NOW)

    write([entry(arrival(run, ada, 1, after=60.5), arrival(run, ada, 2, after=61))], now=NOW)

    fact, activity = Engagement.objects.get(), Activity.objects.get()
    assert (fact.opened_at, fact.clicked_at) == (SENT + timedelta(minutes=15), None)
    assert (activity.opened_at, activity.clicked_at) == (fact.opened_at, None)
    assert (activity.opened_run, activity.clicked_run) == (run.pk, None)


def test_hits_of_nobody_move_totals_alone() -> None:
    run = make_measured_run("ada", mode=Tracking.ANONYMOUS)
    ada = delivery_to("ada", run)

    write([entry(arrival(run, None), arrival(run, None, 1), arrival(run, ada))], now=NOW)

    assert sums(run) == {"opens_total": 2, "clicks_total": 1}
    assert HourTally.objects.values_list("opens_total", "clicks_total").get() == (2, 1)
    links = LinkTally.objects.values_list("number", "people", "unique", "total")
    assert links.get() == (1, 0, 0, 1)
    assert not Hit.objects.exclude(delivery=None).exists()
    assert not Response.objects.exists()
    assert not Engagement.objects.exists()
    assert not DomainTally.objects.exists()


@pytest.mark.parametrize(
    ("consent", "required", "kept"),
    [("denied", False, 0), ("unknown", False, 1), ("unknown", True, 0), ("granted", True, 1)],
)
def test_consent_is_asked_for_when_the_hit_is_written(
    consent: str, required: bool, kept: int, settings: Settings
) -> None:
    settings.TRACKING_CONSENT_REQUIRED = required
    run = make_measured_run("ada")
    Recipient.objects.update(tracking_consent=consent)

    stored = write([entry(arrival(run, delivery_to("ada", run)))], now=NOW)

    assert stored.new == Hit.objects.count() == Response.objects.count() == kept


def test_of_who_has_said_no_since_or_is_gone_nothing_is_kept() -> None:
    run = make_measured_run("ada", "bob", "cy")
    hits = entry(*(arrival(run, delivery_to(name, run)) for name in ("ada", "bob", "cy")))
    Recipient.objects.filter(key="ada@ada.example").update(tracking_consent=TrackingConsent.DENIED)
    Recipient.objects.filter(key="bob@bob.example").delete()

    stored = write([hits], now=NOW)

    assert (stored.read, stored.new) == (3, 1)
    assert Hit.objects.get().delivery == delivery_to("cy", run)
    assert sums(run) == {"opens_people": 1, "opens_unique": 1, "opens_total": 1}


def test_hits_of_what_is_not_there_or_not_measured_are_left_out() -> None:
    run = make_measured_run("ada")
    off = make_measured_run("bob", mode=Tracking.OFF, name="Off")
    ada, bob = delivery_to("ada", run), delivery_to("bob", off)
    gone = arrival(run, None)._replace(run_id=999_999)
    of_no_delivery = arrival(run, None)._replace(delivery_id=999_999)
    of_another_run = arrival(run, bob)

    hits = entry(gone, of_no_delivery, of_another_run, arrival(off, bob), arrival(run, ada))
    stored = write([hits], now=NOW)

    assert (stored.read, stored.new) == (5, 1)
    assert Hit.objects.get().delivery == ada


def test_what_cannot_be_stored_keeps_no_other_waiting() -> None:
    run = make_measured_run("ada")
    ada = delivery_to("ada", run)
    impossible = [
        arrival(run, ada)._replace(run_id=1 << 70),
        arrival(run, ada, 40_000),
        arrival(run, ada)._replace(at_ms=1 << 60),
        arrival(run, ada, agent="nul \0"),
    ]

    stored = write([entry(*impossible), entry(arrival(run, ada))], now=NOW)

    assert stored.new == 2
    assert set(Hit.objects.values_list("user_agent__text", flat=True)) >= {"nul "}


def test_an_entry_that_the_database_refuses_is_left_out_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = make_measured_run("ada")
    ada = delivery_to("ada", run)
    refused = entry(arrival(run, ada)._replace(network="nul \0"))

    stored = write([entry(arrival(run, ada)), refused, entry(arrival(run, ada, 1))], now=NOW)

    assert stored.new == 2
    assert refused.id in caplog.text


def test_a_message_in_doubt_has_arrived_when_something_in_it_is_asked_for() -> None:
    run = make_measured_run("ada")
    ada = delivery_to("ada", run)
    Delivery.objects.filter(pk=ada.pk).update(
        state=DeliveryState.UNCONFIRMED, doubted_at=SENT, task_id=ada.task_id
    )
    RunCounters.objects.filter(run=run).update(sent=0, unconfirmed=1)

    write([entry(arrival(run, ada))], now=NOW)
    write([entry(arrival(run, ada, after=4_000))], now=NOW)

    ada.refresh_from_db()
    assert (ada.state, ada.diagnostic) == (
        "sent", "arrived: its pixel or a link was asked for",
    )  # fmt: skip
    assert sums(run)["opens_people"] == 1
    assert set(Hit.objects.values_list("verdict", flat=True)) == {"person"}


def test_whoever_repeats_a_request_without_end_is_not_written_down_without_end() -> None:
    run = make_measured_run("ada", "bob")
    ada, bob = delivery_to("ada", run), delivery_to("bob", run)
    once_more = entry(arrival(run, ada), arrival(run, bob))
    write([entry(*[arrival(run, ada)] * MOST)], now=NOW)

    new = write([once_more], now=NOW).new

    assert new == 1
    assert Response.objects.get(delivery=ada).opens == MOST
