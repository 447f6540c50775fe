from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from campaigns.models import Run
from recipients.models import MailingList, Recipient
from recipients.segments.words import describe
from tests.factories import (
    make_campaign,
    make_list,
    make_reading,
    make_recipient,
    make_run,
)
from tests.recipients.segments.asked import every, found, group, rule
from tracking.engagement import fold_due, fold_slice, unfolded_runs
from tracking.models import Activity, Delivery, DeliveryState, Engagement, Fold, RunCounters

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 12, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def readers() -> MailingList:
    """Ada, Bob and Cy, who are on a list."""
    mailing_list = make_list()
    for name in ("ada", "bob", "cy"):
        make_recipient(f"{name}@example.org", lists=[mailing_list])
    return mailing_list


def mail(name: str, *names: str, at: datetime, state: str = DeliveryState.SENT) -> Run:
    """Send a campaign that reaches these; the others have failed."""
    run = make_run(make_campaign(name), now=at)
    Delivery.objects.of_run(run.pk).update(state=DeliveryState.FAILED, finished_at=at)
    reached = Delivery.objects.of_run(run.pk).filter(key__in=[f"{n}@example.org" for n in names])
    reached.update(state=state, finished_at=at)
    RunCounters.objects.filter(run=run).update(
        queued=0, failed=3 - len(names), moved_at=at, **{state: len(names)}
    )
    return run


def delivery_to(name: str, run: Run) -> Delivery:
    return Delivery.objects.of_run(run.pk).get(key=f"{name}@example.org")


def ask(about: str, operator: str, value: int | None = None) -> str:
    return " ".join(found(rule(about, operator, value), now=NOW))


# --- mailed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_folded", [False, True])
def test_who_was_mailed_is_known_before_and_after_runs_are_folded(
    readers: MailingList, is_folded: bool
) -> None:
    mail("First", "ada", "bob", at=NOW - 9 * DAY)
    mail("Second", at=NOW - 5 * DAY)
    mail("Third", "ada", at=NOW - 2 * DAY, state=DeliveryState.UNCONFIRMED)
    if is_folded:
        assert fold_due(now=NOW) == 2
        assert unfolded_runs() == []

    assert ask("mailed", "last_days", 2) == "ada"
    assert ask("mailed", "last_days", 9) == "ada bob"
    assert ask("mailed", "not_last_days", 8) == "bob cy"
    assert ask("mailed", "last_campaigns", 1) == "ada"
    assert ask("mailed", "last_campaigns", 2) == "ada bob"
    assert ask("mailed", "last_campaigns", 100) == "ada bob"
    assert ask("mailed", "no_last_campaigns", 1) == "bob cy"
    assert ask("mailed", "ever") == "ada bob"
    assert ask("mailed", "never") == "cy"


def test_a_pass_that_was_cut_off_goes_on_and_one_that_is_repeated_changes_nothing(
    readers: MailingList,
) -> None:
    run = mail("Spring", "ada", "bob", "cy", at=NOW - DAY)
    assert not fold_slice(run.pk, now=NOW, size=2)
    assert Activity.objects.count() == 2
    assert unfolded_runs() == [run.pk]

    assert fold_slice(run.pk, now=NOW, size=2)
    before = list(Activity.objects.order_by("pk").values())
    assert fold_slice(run.pk, now=NOW)

    assert list(Activity.objects.order_by("pk").values()) == before
    assert len(before) == 3
    assert Fold.objects.get().folded_at == NOW


def test_a_run_is_folded_when_it_is_quiet_and_again_when_it_has_moved(readers: MailingList) -> None:
    run = mail("Spring", "ada", at=NOW)
    counters = RunCounters.objects.filter(run=run)

    assert fold_due(now=NOW) == 0
    assert fold_due(now=NOW + timedelta(minutes=6)) == 1
    assert fold_due(now=NOW + DAY) == 0
    counters.update(queued=1, moved_at=NOW + DAY)
    assert fold_due(now=NOW + 2 * DAY) == 0
    Delivery.objects.of_run(run.pk).update(state=DeliveryState.SENT)
    counters.update(queued=0, sent=3)
    assert fold_due(now=NOW + 2 * DAY) == 1

    assert ask("mailed", "ever") == "ada bob cy"


def test_a_retry_that_is_sent_after_its_run_was_folded_counts_at_once(
    readers: MailingList,
) -> None:
    run = mail("Spring", "ada", at=NOW - timedelta(hours=1))
    assert fold_due(now=NOW - timedelta(minutes=50)) == 1

    late = NOW - timedelta(minutes=1)
    Delivery.objects.of_run(run.pk).exclude(key="ada@example.org").update(
        state=DeliveryState.SENT, finished_at=late
    )
    RunCounters.objects.filter(run=run).update(sent=3, failed=0, moved_at=late)

    assert fold_due(now=NOW) == 0
    assert ask("mailed", "last_days", 1) == "ada bob cy"
    assert not fold_slice(run.pk, now=NOW, size=1)
    assert ask("mailed", "last_days", 1) == "ada bob cy"


def test_an_older_run_that_is_folded_late_takes_nothing_back(readers: MailingList) -> None:
    old = mail("Old", "ada", at=NOW - 9 * DAY)
    new = mail("New", "ada", at=NOW - DAY)

    for run in (new, old):
        assert fold_slice(run.pk, now=NOW)

    activity = Activity.objects.get()
    assert (activity.mailed_run, activity.mailed_at) == (new.pk, NOW - DAY)


# --- opened and clicked -----------------------------------------------------------------------


def test_opens_and_clicks_are_asked_by_days_and_campaigns(readers: MailingList) -> None:
    old = mail("Old", "ada", "bob", "cy", at=NOW - 9 * DAY)
    mail("Between", "ada", "bob", "cy", at=NOW - 5 * DAY)
    new = mail("New", "ada", "bob", "cy", at=NOW - 2 * DAY)
    make_reading(delivery_to("ada", new), opened_at=NOW - DAY)
    make_reading(delivery_to("bob", old), clicked_at=NOW - 8 * DAY)
    make_reading(delivery_to("ada", old), opened_at=NOW - 8 * DAY)

    assert ask("opened", "last_campaigns", 1) == "ada"
    assert ask("opened", "last_campaigns", 2) == "ada"
    assert ask("opened", "last_campaigns", 3) == "ada bob"
    assert ask("opened", "no_last_campaigns", 2) == "bob cy"
    assert ask("opened", "last_days", 3) == "ada"
    assert ask("opened", "never") == "cy"
    assert ask("clicked", "ever") == "bob"
    assert ask("clicked", "never") == "ada cy"
    assert ask("clicked", "last_campaigns", 2) == ""
    assert ask("clicked", "not_last_days", 3) == "ada bob cy"


def test_the_first_open_is_kept_and_the_last_one_known(readers: MailingList) -> None:
    delivery = delivery_to("ada", mail("Spring", "ada", at=NOW))

    for hours in (2, 1, 3):
        make_reading(delivery, opened_at=NOW + timedelta(hours=hours))
    make_reading(delivery, clicked_at=NOW + timedelta(hours=4))

    fact, activity = Engagement.objects.get(), Activity.objects.get()
    assert fact.opened_at == NOW + timedelta(hours=1)
    assert fact.clicked_at == NOW + timedelta(hours=4)
    assert activity.opened_at == activity.clicked_at == NOW + timedelta(hours=4)


def test_of_a_recipient_who_was_deleted_nothing_is_noted(readers: MailingList) -> None:
    run = mail("Spring", "ada", "bob", at=NOW - DAY)
    delivery = delivery_to("ada", run)
    make_reading(delivery, opened_at=NOW)
    Recipient.objects.filter(key="ada@example.org").delete()

    make_reading(delivery, opened_at=NOW)
    fold_due(now=NOW)

    assert not Engagement.objects.exists()
    assert Activity.objects.get().recipient.key == "bob@example.org"


def test_what_happened_has_to_be_said(readers: MailingList) -> None:
    delivery = delivery_to("ada", mail("Spring", "ada", at=NOW))

    assert delivery.recipient
    with pytest.raises(IntegrityError, match="engagement_says_something"), transaction.atomic():
        Engagement.objects.create(run_id=delivery.run_id, recipient=delivery.recipient)
    make_reading(delivery, opened_at=NOW)
    with pytest.raises(IntegrityError, match="engagement_unique"), transaction.atomic():
        Engagement.objects.create(
            run_id=delivery.run_id, recipient=delivery.recipient, opened_at=NOW
        )


def test_engagement_is_said_in_words() -> None:
    rules = every(
        rule("mailed", "not_last_days", 30),
        group("any", rule("opened", "no_last_campaigns", 5), rule("clicked", "never")),
        rule("opened", "last_campaigns", 1),
        rule("mailed", "no_last_campaigns", 2),
    )

    assert describe(rules) == (
        "Not mailed within the last 30 days, and (not opened within the last 5 campaigns, or"
        " never clicked), and opened within the last campaign, and not mailed within the last 2"
        " campaigns"
    )
