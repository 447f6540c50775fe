from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.models import Run
from campaigns.preflight import jobs, reputation, verdict
from campaigns.preflight.reputation import Record, check, record_of
from campaigns.preflight.senders import World
from tests.factories import make_campaign, make_list, make_recipients, make_run, make_sender
from tracking.models import Delivery, DeliveryEvent, EventKind, RunCounters

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def told(delivery: Delivery, kind: EventKind, **said: Any) -> None:
    key = str(DeliveryEvent.objects.count())
    DeliveryEvent.objects.create(
        delivery=delivery,
        run_id=delivery.run_id,
        kind=kind,
        source="mail",
        source_key=key,
        at=NOW,
        **said,
    )


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (Record(1_000, 19, 0), []),
        (Record(1_000, 20, 0), [("sender-refused", "warning")]),
        (Record(1_000, 49, 0), [("sender-refused", "warning")]),
        (Record(1_000, 50, 0), [("sender-refused", "error")]),
        (Record(10_000, 0, 9), []),
        (Record(10_000, 0, 10), [("sender-complaints", "warning")]),
        (Record(10_000, 0, 29), [("sender-complaints", "warning")]),
        (Record(10_000, 0, 30), [("sender-complaints", "error")]),
        (Record(999, 999, 999), []),
    ],
)
def test_a_sender_is_judged_by_what_was_refused_and_who_complained(
    record: Record, found: list[tuple[str, str]]
) -> None:
    assert [(each.name, str(each.severity)) for each in check(record)] == found


@pytest.mark.django_db
def test_a_preflight_says_what_became_of_the_senders_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reputation, "ENOUGH", 2)
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    sender = make_sender()
    run = make_run(make_campaign("Old", lists=[readers], sender=sender), now=NOW)
    for delivery in Delivery.objects.of_run(run.pk):
        told(delivery, EventKind.FAILED, reply_code=550)
    Run.objects.update(started_at=NOW)
    campaign = make_campaign("New", lists=[readers], sender=sender)

    preflight = jobs.start(campaign, by="ada", now=NOW)
    while jobs.work(
        preflight.pk, clock=lambda: NOW, seconds=60, world=World(resolver=lambda: None, spamd="")
    ):
        pass

    found = verdict.judge(campaign, jobs.version_of(campaign), now=NOW)
    [refused] = [each for each in found.findings if each.name == "sender-refused"]
    assert refused.message == (
        "of 2 messages of this sender in the last 7 days, 2 were refused for good "
        "(100.00%; 2.0% is too many)"
    )


@pytest.mark.django_db
def test_the_messages_of_the_last_days_are_counted() -> None:
    readers = make_list()
    make_recipients(6, mailing_list=readers)
    campaign = make_campaign(lists=[readers])
    run = make_run(campaign, now=NOW)
    first, second, third, fourth, fifth, _ = Delivery.objects.of_run(run.pk).order_by("pk")
    RunCounters.objects.update(sent=3)
    told(first, EventKind.COMPLAINED)
    told(second, EventKind.BOUNCED, is_hard=True)
    told(second, EventKind.BOUNCED, is_hard=True)  # once more, by the provider
    told(third, EventKind.BOUNCED)
    told(fourth, EventKind.FAILED, reply_code=550)
    told(fifth, EventKind.FAILED, reply_code=451)
    Run.objects.update(started_at=NOW)
    week = timedelta(days=7)

    assert record_of(campaign.sender, now=NOW + week - timedelta(seconds=1)) == Record(4, 2, 1)
    assert record_of(campaign.sender, now=NOW + week) == Record(0, 0, 0)
