"""Two rows that are one person: what becomes of each thing that names one of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from campaigns.models import Run
from recipients import consent, privacy
from recipients.merging import NotMerged, hints, merge
from recipients.models import (
    ConsentEvent,
    Merge,
    MergePolicy,
    Recipient,
    Subscription,
    SubscriptionState,
    Suppression,
    Tag,
    Tagging,
)
from tests.factories import (
    make_campaign,
    make_list,
    make_reading,
    make_recipient,
    make_run,
)
from tests.tracking.arrivals import (
    SENT,
    arrival,
    delivery_to,
    entry,
    make_measured_run,
    say,
    wrong,
)
from tracking import feedback, links
from tracking.consuming import write
from tracking.models import (
    Activity,
    Category,
    Delivery,
    DeliveryEvent,
    DeliveryState,
    Engagement,
    EventKind,
    Hit,
)
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
P, C, U = (
    SubscriptionState.PENDING,
    SubscriptionState.CONFIRMED,
    SubscriptionState.UNSUBSCRIBED,
)


def merged(keep: Recipient, other: Recipient, **options: Any) -> Recipient:
    merge(keep.pk, other.pk, by="root", now=NOW, **options)
    keep.refresh_from_db()
    return keep


def ada() -> Recipient:
    return make_recipient("ada@example.org", fields={"first_name": "Ada", "city": ""})


def augusta() -> Recipient:
    return make_recipient("augusta@example.net", fields={"first_name": "Augusta", "city": "Paris"})


@pytest.mark.parametrize(
    ("policy", "fields"),
    [
        (MergePolicy.FILL, {"first_name": "Ada", "city": "Paris"}),
        (MergePolicy.OVERWRITE, {"first_name": "Augusta", "city": "Paris"}),
        (MergePolicy.LEAVE, {"first_name": "Ada", "city": ""}),
    ],
)
def test_fields_are_taken_over_as_an_import_would(
    policy: MergePolicy, fields: dict[str, str]
) -> None:
    kept = merged(ada(), augusta(), policy=policy)

    assert kept.fields == fields
    assert Recipient.objects.count() == 1


@pytest.mark.parametrize(
    ("own", "other", "state", "actions"),
    [
        (P, C, C, ["withdrawn", "imported"]),
        (C, P, C, ["withdrawn"]),
        (C, U, U, ["withdrawn"]),
        (U, C, U, ["withdrawn"]),
        (None, P, P, ["withdrawn", "granted"]),
        (None, U, U, ["withdrawn"]),
    ],
)
def test_to_have_left_a_list_counts_most_then_to_be_confirmed(
    own: SubscriptionState | None,
    other: SubscriptionState,
    state: SubscriptionState,
    actions: list[str],
) -> None:
    readers = make_list()
    keep, gone = ada(), augusta()
    for recipient, on in ((keep, own), (gone, other)):
        if on:
            Subscription.objects.create(recipient=recipient, mailing_list=readers, state=on)

    merged(keep, gone)

    assert Subscription.objects.get().state == state
    assert list(ConsentEvent.objects.order_by("pk").values_list("action", flat=True)) == actions
    assert consent.verify().problems == []


@pytest.mark.parametrize("suppressed", ["ada@example.org", "augusta@example.net"])
def test_the_suppression_of_one_address_becomes_that_of_both(suppressed: str) -> None:
    Suppression.objects.create(key=suppressed, reason="complaint")

    merged(ada(), augusta())

    reasons = dict(Suppression.objects.values_list("key", "reason"))
    assert reasons == {"ada@example.org": "complaint", "augusta@example.net": "complaint"}


def test_what_is_said_of_tracking_tags_and_a_pause_is_kept() -> None:
    keep, gone = ada(), augusta()
    old, both = (Tag.objects.create(name=name) for name in ("old", "both"))
    for tag, recipient in ((both, keep), (both, gone), (old, gone)):
        Tagging.objects.create(tag=tag, recipient=recipient)
    Recipient.objects.filter(pk=gone.pk).update(
        tracking_consent="denied", paused_until=date(2026, 9, 1), language="fr"
    )

    kept = merged(keep, gone)

    assert (kept.tracking_consent, kept.language) == ("denied", "fr")
    assert kept.paused_until == date(2026, 9, 1)
    assert set(kept.tags.all()) == {old, both}
    assert ConsentEvent.objects.get().purpose == "tracking"


def test_nobody_gets_a_message_twice_and_what_was_sent_is_theirs() -> None:
    readers, others = make_list(), make_list("Others")
    keep, gone = ada(), augusta()
    for recipient, lists in ((keep, [readers]), (gone, [readers, others])):
        for each in lists:
            Subscription.objects.create(recipient=recipient, mailing_list=each, state=C)
    both = make_run(make_campaign("Both", lists=[readers]), now=NOW)
    one = make_run(make_campaign("One", lists=[others]), now=NOW)

    merged(keep, gone)

    assert Delivery.objects.get(run=one).recipient == keep
    rows = Delivery.objects.filter(run=both).order_by("pk")
    assert list(rows.values_list("recipient", "state", "skip_reason")) == [
        (keep.pk, "queued", ""),
        (None, "skipped", "duplicate"),
    ]
    assert disagreements(Run.objects.ids(), kept_since=None) == []


def test_the_link_of_either_message_of_one_run_unsubscribes_them(client: Client) -> None:
    readers = make_list()
    keep, gone = ada(), augusta()
    for each in (keep, gone):
        Subscription.objects.create(recipient=each, mailing_list=readers, state=C)
    make_run(make_campaign(lists=[readers]), now=NOW)
    theirs = Delivery.objects.get(recipient=gone)
    merged(keep, gone)

    answer = client.post(
        urlsplit(links.unsubscribe_url(theirs.pk)).path, {"List-Unsubscribe": "One-Click"}
    )

    assert answer.content == b"Unsubscribed.\n"
    assert Subscription.objects.get(recipient=keep).state == U


def test_what_they_opened_and_clicked_is_counted_together() -> None:
    readers = make_list()
    keep, gone = ada(), augusta()
    for recipient in (keep, gone):
        Subscription.objects.create(recipient=recipient, mailing_list=readers, state=C)
    make_run(make_campaign(lists=[readers]), now=NOW)
    own, former = Delivery.objects.order_by("pk")
    later = NOW + timedelta(hours=1)
    make_reading(own, opened_at=later)
    make_reading(former, opened_at=NOW, clicked_at=NOW)

    merged(keep, gone)

    fact, summary = Engagement.objects.get(), Activity.objects.get()
    assert (fact.opened_at, fact.clicked_at) == (NOW, NOW)
    assert (summary.opened_at, summary.clicked_at) == (later, NOW)
    [message, _] = privacy.known(privacy.person("ada@example.org"))["messages"]
    assert message["clicked_at"] == NOW


def test_what_they_do_later_with_either_message_of_one_run_is_theirs() -> None:
    run = make_measured_run("ada", "bob")
    ada, bob = delivery_to("ada", run), delivery_to("bob", run)
    write([entry(arrival(run, ada, 3, after=7_200))], now=NOW)
    merge(ada.recipient_id or 0, bob.recipient_id or 0, by="root", now=NOW)

    write([entry(arrival(run, bob, 0, after=60))], now=NOW)
    fact, summary = Engagement.objects.get(), Activity.objects.get()
    write([entry(arrival(run, bob, 1, after=60.5), arrival(run, bob, 2, after=61))], now=NOW)

    assert (fact.recipient_id, fact.clicked_at) == (ada.recipient_id, SENT + timedelta(minutes=1))
    assert summary.clicked_at == SENT + timedelta(hours=2)
    # A program followed bob's links; what ada did stays.
    assert Engagement.objects.get().clicked_at == SENT + timedelta(hours=2)
    assert Activity.objects.get().clicked_at == SENT + timedelta(hours=2)
    assert Hit.objects.filter(delivery=bob).count() == 3
    assert wrong(run) == []


def test_what_they_do_with_either_message_is_forgotten_with_them() -> None:
    run = make_measured_run("ada", "bob")
    ada, bob = delivery_to("ada", run), delivery_to("bob", run)
    merge(ada.recipient_id or 0, bob.recipient_id or 0, by="root", now=NOW)
    write([entry(arrival(run, bob, 1))], now=NOW)
    say(bob, EventKind.BOUNCED, "1", category=Category.MAILBOX_FULL, diagnostic="<bob@bob.example>")

    privacy.erase("ada@ada.example", source="test", now=NOW)
    write([entry(arrival(run, bob, 2))], now=NOW)

    assert Hit.objects.get().user_agent is None
    event = DeliveryEvent.objects.get()
    assert (event.recipient_id, event.diagnostic) == (None, "")
    assert not Engagement.objects.exists()


@pytest.mark.parametrize(("kind", "expected"), [("bounced", 1), ("delivered", 0)])
def test_what_is_told_of_either_message_of_one_run_is_weighed(kind: str, expected: int) -> None:
    keep, gone = ada(), augusta()
    _, former = [[make_message(each, week) for week in range(4)] for each in (keep, gone)]
    merge(keep.pk, gone.pk, by="root", now=NOW)

    for week, delivery in enumerate(former):
        told = EventKind(kind) if week == 2 else EventKind.BOUNCED
        at = 24 * (7 * week + 6)
        say(delivery, told, str(week), hour=at, category=Category.MAILBOX_FULL)
    feedback.follow_due(now=SENT + timedelta(days=2))

    keys = Suppression.objects.filter(reason="soft_bounce").values_list("key", flat=True)
    assert list(keys) == ["augusta@example.net"] * expected


def make_message(recipient: Recipient, week: int) -> Delivery:
    """Make a delivery of the run of a week, which is no more than its number."""
    return Delivery.objects.create(
        run_id=1_000 + week,
        recipient=recipient,
        address=recipient.address,
        key=recipient.key,
        domain=recipient.domain,
        state=DeliveryState.SENT,
        finished_at=SENT + timedelta(days=7 * week + 5),
    )


def test_the_history_of_both_is_found_and_both_addresses_are_erased() -> None:
    keep, gone = ada(), augusta()
    readers = make_list()
    Subscription.objects.create(recipient=gone, mailing_list=readers, state=C)
    make_run(make_campaign(lists=[readers]), now=NOW)
    merged(keep, gone)

    known = privacy.known(privacy.person("augusta@example.net"))
    privacy.erase("augusta@example.net", source="test", now=NOW)

    assert known["identity"]["address"] == "ada@example.org"
    assert known["identity"]["former_addresses"] == ["augusta@example.net"]
    assert [event["action"] for event in known["consent"]] == ["withdrawn", "imported"]
    assert [message["address"] for message in known["messages"]] == ["augusta@example.net"]
    assert not Recipient.objects.exists()
    assert Suppression.objects.filter(reason="erased", key=None).count() == 2
    assert not Delivery.objects.exclude(address="").exists()


def test_what_is_not_there_or_the_same_is_not_merged() -> None:
    keep = ada()

    with pytest.raises(NotMerged, match="one recipient"):
        merge(keep.pk, keep.pk, by="root", now=NOW)
    with pytest.raises(NotMerged, match="not there any more"):
        merge(keep.pk, keep.pk + 1, by="root", now=NOW)


def test_a_row_is_merged_once() -> None:
    keep = merged(ada(), augusta())
    former = Merge.objects.get().former_id

    with pytest.raises(IntegrityError, match="merge_former_unique"), transaction.atomic():
        Merge.objects.create(recipient=keep, former_id=former, merged_at=NOW)


def test_likely_duplicates_are_found_by_mailbox_and_by_name() -> None:
    name = {"first_name": "Ada", "last_name": "Byron"}
    for address in ("a.da@gmail.com", "ada+news@googlemail.com", "bob@x.example", "b.ob@x.example"):
        make_recipient(address)
    for address in ("one@y.example", "two@y.example", "three@z.example"):
        make_recipient(address, fields=name)

    found = [[each.address for each in hint.recipients] for hint in hints()]

    assert found == [
        ["a.da@gmail.com", "ada+news@googlemail.com"],
        ["one@y.example", "two@y.example"],
    ]
