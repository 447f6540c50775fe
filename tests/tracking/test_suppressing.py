"""When what comes back of messages suppresses an address, and when it does not."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from recipients.consent import Consent, record
from recipients.models import (
    ConsentAction,
    ConsentEvent,
    LiftedSuppression,
    Recipient,
    Subscription,
    Suppression,
    SuppressionReason,
)
from recipients.suppression import lift, suppress
from tests.factories import make_campaign, make_list, make_recipient, make_run
from tracking.feedback import Fact, follow_due, note
from tracking.models import (
    Activity,
    Category,
    Delivery,
    DeliveryEvent,
    DeliveryState,
    EventKind,
    EventSource,
    Hit,
)
from tracking.suppressing import TAKEN_BACK, WAIT, Limits, Sign, Told, decide, weigh

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LIMITS = Limits(soft=3, soft_span=timedelta(days=14), repeated=timedelta(days=30))
FULL, WORDS = Category.MAILBOX_FULL, Category.INVALID_ADDRESS
OURS = (
    Category.POLICY_CONTENT,
    Category.POLICY_REPUTATION,
    Category.AUTH,
    Category.RATE,
    Category.TOO_LARGE,
    Category.RENDERING,
)


def day(number: float) -> datetime:
    return NOW + timedelta(days=number)


# --- the rule ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "suppresses"),
    [
        ([(1, 0, FULL), (2, 7, FULL), (3, 14, FULL)], True),
        ([(1, 0, FULL), (2, 7, FULL), (3, 13.99, FULL)], False),  # too close together
        ([(1, 0, FULL), (2, 14, FULL)], False),  # too few
        ([(1, 0, FULL), (2, 7, FULL), (2, 14, FULL)], False),  # of two runs
        ([(1, 0, FULL), (2, 14, FULL), (3, 14.1, FULL)], False),  # on two days
        ([(1, 0, FULL), (2, 7, Category.EXPIRED), (3, 14, Category.DISABLED)], True),
        ([(1, 0, Category.LOOP), (2, 7, Category.TRANSIENT), (3, 14, Category.UNKNOWN)], True),
        ([(1, 0, WORDS), (2, 30, WORDS)], True),
        ([(1, 0, WORDS), (2, 30.01, WORDS)], False),  # too long ago
        ([(1, 0, WORDS), (2, 0.4, WORDS)], False),  # on one day
        ([(1, 0, WORDS), (1, 5, WORDS)], False),  # one message, told twice
        ([(1, 0, WORDS), (2, 5, FULL)], False),
        ([(1, 0, WORDS), (2, 40, WORDS), (3, 80, WORDS)], True),  # a message a month
        ([(1, 0, WORDS), (2, 5, Category.INVALID_DOMAIN)], True),
    ],
)
def test_bounces_suppress_at_their_limits_and_not_before(
    told: list[tuple[int, float, Category]], suppresses: bool
) -> None:
    events = [Told(run, day(number), category) for run, number, category in told]

    assert bool(weigh(events, LIMITS)) == suppresses
    assert bool(weigh(reversed(events), LIMITS)) == suppresses


def told(categories: tuple[Category, ...]) -> st.SearchStrategy[list[Told]]:
    events = st.builds(
        Told,
        run_id=st.integers(1, 50),
        at=st.integers(0, 90_000).map(lambda minutes: NOW + timedelta(minutes=minutes)),
        category=st.sampled_from(categories),
    )
    return st.lists(events, max_size=30)


@given(events=told(OURS))
def test_nothing_that_is_the_senders_fault_ever_suppresses(events: list[Told]) -> None:
    assert weigh(events, LIMITS) == ""


@given(some=told(tuple(Category)), more=told(tuple(Category)))
def test_more_bounces_never_suppress_less(some: list[Told], more: list[Told]) -> None:
    if weigh(some, LIMITS):
        assert weigh([*more, *some], LIMITS)


def signs() -> st.SearchStrategy[list[Sign]]:
    minutes = st.tuples(st.integers(0, 90_000), st.integers(0, 10_000))
    at = minutes.map(lambda each: (timedelta(minutes=each[0]), timedelta(minutes=each[1])))
    return st.lists(at.map(lambda each: Sign(NOW + each[0], NOW + each[0] + each[1])), max_size=10)


@given(told=told(tuple(Category)), signs=signs())
def test_an_address_is_suppressed_if_it_was_so_after_any_of_its_bounces(
    told: list[Told], signs: list[Sign]
) -> None:
    def after(end: Told) -> str:
        alive = max((sign.at for sign in signs if sign.known_at <= end.at), default=NOW - WAIT)
        return weigh([each for each in told if alive < each.at <= end.at], LIMITS)

    ends = [each for each in told if each.category not in OURS]

    assert bool(decide(told, signs, LIMITS)) == any(map(after, ends))


def test_whoever_writes_about_one_message_without_end_gets_nobody_suppressed() -> None:
    told = [Told(1, day(number / 2), WORDS) for number in range(20_000)]

    assert decide(told, [], LIMITS) == ""


# --- the database -----------------------------------------------------------------------------


@pytest.fixture
def deliveries(db: None) -> list[Delivery]:
    """Four messages to Ada, a week between them, all taken by the next hop.

    Their runs are numbers alone: to fire four campaigns takes longer than all else here.
    """
    ada = make_recipient("ada@example.org", lists=[make_list()])
    return [
        Delivery.objects.create(
            run_id=1_000 + number,
            recipient=ada,
            address=ada.address,
            key=ada.key,
            domain=ada.domain,
            state=DeliveryState.SENT,
            finished_at=day(7 * number),
        )
        for number in range(4)
    ]


def say(
    delivery: Delivery,
    at: float,
    kind: EventKind = EventKind.BOUNCED,
    category: Category | None = FULL,
    *,
    is_hard: bool = False,
    source: EventSource = EventSource.MAIL,
    noted: float | None = None,
) -> None:
    fact = Fact(
        kind=kind,
        source=source,
        source_key=f"{delivery.pk} {at} {kind}",
        at=day(at),
        category=category,
        is_hard=is_hard,
    )
    note(delivery, fact, now=day(at if noted is None else noted))


def weighed() -> list[tuple[str | None, str, str]]:
    follow_due(now=day(100))
    return suppressed()


def suppressed() -> list[tuple[str | None, str, str]]:
    return list(Suppression.objects.values_list("key", "reason", "source"))


def test_a_strict_code_suppresses_the_address_at_once(deliveries: list[Delivery]) -> None:
    first = deliveries[0]

    say(first, 1, category=WORDS, is_hard=True)

    why = f"hard bounce, no such mailbox: delivery {first.pk}"
    assert suppressed() == [("ada@example.org", "bounce", why)]


def test_a_refusal_at_hand_over_by_a_strict_code_suppresses_as_well(
    deliveries: list[Delivery],
) -> None:
    say(deliveries[0], 1, EventKind.FAILED, WORDS, is_hard=True, source=EventSource.HANDOVER)

    assert len(suppressed()) == 1


def test_three_soft_bounces_of_three_runs_in_two_weeks_suppress(
    deliveries: list[Delivery],
) -> None:
    for number, delivery in enumerate(deliveries[:2]):
        say(delivery, 7 * number + 1)
    follow_due(now=day(14))
    before = suppressed()

    say(deliveries[2], 15)
    follow_due(now=day(15) + WAIT - timedelta(seconds=1))
    waiting = suppressed()

    why = "soft bounces of 3 runs on 3 days, and no sign of life between"
    assert (before, waiting) == ([], [])
    assert weighed() == [("ada@example.org", "soft_bounce", why)]


Said = tuple[int, float, EventKind, Category | None]
BOUNCES: list[Said] = [(n, 7 * n + 1, EventKind.BOUNCED, FULL) for n in (0, 1, 3)]
ARRIVED: Said = (2, 17, EventKind.DELIVERED, None)
CAME_BACK: Said = (2, 18, EventKind.BOUNCED, Category.POLICY_CONTENT)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (BOUNCES, ["soft_bounce"]),
        ([*BOUNCES, ARRIVED], []),  # between them
        ([*BOUNCES, (2, 23, EventKind.DELIVERED, None)], ["soft_bounce"]),  # when it was too late
        ([*BOUNCES, ARRIVED, CAME_BACK], ["soft_bounce"]),  # it had not arrived after all
    ],
    ids=["bounces", "one arrived", "one arrived too late", "one came back after all"],
)
def test_in_whatever_order_facts_are_told_and_weighed_they_end_the_same(
    deliveries: list[Delivery], facts: list[Said], expected: list[str]
) -> None:
    Delivery.objects.filter(pk=deliveries[2].pk).update(finished_at=day(16))
    orders = [each for number, each in enumerate(permutations(facts)) if number % 5 in {0, 3}]

    ends = {tuple(after(deliveries, order)) for order in orders}

    assert ends == {tuple(expected)}


def after(deliveries: list[Delivery], order: Iterable[Said]) -> list[str]:
    """Return why the address is suppressed in the end, where each is weighed before the next."""
    with transaction.atomic():
        for number, (index, at, kind, category) in enumerate(order, start=30):
            say(deliveries[index], at, kind, category, noted=number)
            follow_due(now=day(number + 0.5))
        reasons = [reason for _, reason, _ in suppressed()]
        transaction.set_rollback(True)
    return reasons


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("reason", [SuppressionReason.MANUAL, SuppressionReason.BOUNCE])
def test_what_anybody_else_said_of_the_address_stays(
    deliveries: list[Delivery], reason: SuppressionReason, before: bool
) -> None:
    Delivery.objects.filter(pk=deliveries[2].pk).update(finished_at=day(16))
    for number, (index, at, kind, category) in enumerate([*BOUNCES, ARRIVED]):
        if number == (0 if before else 3):
            suppress("ada@example.org", reason=reason, source="root", now=day(at))
        say(deliveries[index], at, kind, category, noted=30 + number)
        weighed()

    assert [reason for _, reason, _ in suppressed()] == [reason]
    assert not LiftedSuppression.objects.exists()


def test_what_is_taken_back_is_kept_and_nobody_has_lifted_it(deliveries: list[Delivery]) -> None:
    Delivery.objects.filter(pk=deliveries[2].pk).update(finished_at=day(16))
    for index, at, kind, category in BOUNCES:
        say(deliveries[index], at, kind, category)
    before = weighed()

    say(deliveries[2], 17, EventKind.DELIVERED, None, noted=40)

    assert (len(before), weighed()) == (1, [])
    lifted = LiftedSuppression.objects.get()
    assert (lifted.reason, lifted.lifted_by, lifted.why) == ("soft_bounce", "", TAKEN_BACK)
    assert str(lifted) == "ada@example.org, lifted by Godwit"


def test_a_click_begins_the_count_anew(deliveries: list[Delivery]) -> None:
    say(deliveries[0], 1)
    Activity.objects.create(recipient=Recipient.objects.get(), clicked_at=day(2))

    for number in (1, 2):
        say(deliveries[number], 7 * number + 1)

    assert weighed() == []


def test_a_click_between_two_others_on_one_message_is_not_forgotten(
    deliveries: list[Delivery],
) -> None:
    link = deliveries[3]
    say(deliveries[0], 1)
    say(deliveries[1], 8)
    for number, at in enumerate((9, 30)):
        Hit.objects.create(
            id=number + 1,
            kind="click",
            link_number=0,
            run_id=link.run_id,
            delivery=link,
            at=day(at),
            verdict="person",
            rules=1,
        )
    Activity.objects.create(recipient=Recipient.objects.get(), clicked_at=day(30))

    say(deliveries[2], 16)

    assert weighed() == []


def test_a_message_that_arrived_begins_the_count_anew(deliveries: list[Delivery]) -> None:
    say(deliveries[0], 1)
    say(deliveries[2], 15)  # of the second one nothing comes back

    say(deliveries[3], 22)

    assert weighed() == []


def test_what_a_provider_delivered_begins_the_count_anew_unless_it_came_back_after_all(
    deliveries: list[Delivery],
) -> None:
    first, second, third, fourth = deliveries
    say(first, 1)
    say(second, 8, EventKind.DELIVERED, None)
    say(third, 15)
    say(fourth, 22)
    before = weighed()

    say(second, 9)
    Delivery.objects.filter(pk=second.pk).update(finished_at=day(8))
    say(fourth, 23)

    assert (before, len(weighed())) == ([], 1)


def test_who_confirms_once_more_begins_the_count_anew(deliveries: list[Delivery]) -> None:
    say(deliveries[0], 1)
    confirmed(deliveries[0].recipient_id, day(2))

    for number in (1, 2):
        say(deliveries[number], 7 * number + 1)

    assert weighed() == []


def confirmed(recipient_id: int | None, at: datetime) -> None:
    said = Consent(
        "ada@example.org",
        ConsentAction.CONFIRMED,
        "a link",
        recipient_id=recipient_id,
        mailing_list_id=make_list().pk,
    )
    record([said], now=at)


def test_what_staff_lifted_is_not_suppressed_again_by_the_same_bounces(
    deliveries: list[Delivery],
) -> None:
    for number in range(3):
        say(deliveries[number], 7 * number + 1)
    weighed()
    lift("ada@example.org", why="they wrote to us", by="root", now=day(20))

    say(deliveries[3], 22)

    assert (weighed(), LiftedSuppression.objects.count()) == ([], 1)


def test_bounces_of_an_earlier_address_say_nothing_of_the_present_one(
    deliveries: list[Delivery],
) -> None:
    for number in range(2):
        say(deliveries[number], 7 * number + 1)
    Delivery.objects.filter(pk=deliveries[2].pk).update(key="ada@example.com")

    say(deliveries[2], 15)

    assert weighed() == []


def test_a_complaint_suppresses_at_once_and_takes_the_consent_back(
    deliveries: list[Delivery],
) -> None:
    say(deliveries[0], 1, EventKind.COMPLAINED, None)

    why = f"complaint about delivery {deliveries[0].pk}"
    assert suppressed() == [("ada@example.org", "complaint", why)]
    assert Subscription.objects.get().state == "unsubscribed"
    assert {event.action for event in ConsentEvent.objects.all()} == {"withdrawn"}


def test_who_complains_about_a_message_to_an_earlier_address_is_left_alone_at_both(
    deliveries: list[Delivery],
) -> None:
    Recipient.objects.update(key="ada@example.com", address="ada@example.com")

    say(deliveries[0], 1, EventKind.COMPLAINED, None)

    assert {key for key, _, _ in suppressed()} == {"ada@example.com", "ada@example.org"}


def test_who_opts_out_by_a_report_is_mailed_no_more_and_a_link_does_its_own_work(
    deliveries: list[Delivery],
) -> None:
    say(deliveries[0], 1, EventKind.UNSUBSCRIBED, None, source=EventSource.LINK)
    before = suppressed()

    say(deliveries[1], 2, EventKind.UNSUBSCRIBED, None, source=EventSource.MAIL)

    assert before == []
    assert [reason for _, reason, _ in suppressed()] == ["unsubscribed"]


def test_what_is_the_senders_fault_is_noted_and_suppresses_nobody(
    deliveries: list[Delivery],
) -> None:
    for number, category in enumerate(OURS * 4):
        say(deliveries[number % 4], number, category=category)

    assert (DeliveryEvent.objects.count(), weighed()) == (24, [])


@pytest.mark.django_db
def test_a_bounce_shows_that_a_message_in_doubt_was_handed_over() -> None:
    readers = make_list()
    make_recipient(lists=[readers])
    make_run(make_campaign(lists=[readers]))
    Delivery.objects.update(state=DeliveryState.UNCONFIRMED, doubted_at=NOW)

    say(Delivery.objects.get(), 1)

    found = Delivery.objects.get()
    assert (found.state, found.diagnostic) == ("sent", "arrived: bounced")


def test_nothing_is_kept_of_what_is_said_about_somebody_who_was_erased(
    deliveries: list[Delivery],
) -> None:
    Delivery.objects.filter(pk=deliveries[0].pk).update(address="", key="erased-1", recipient=None)
    fact = Fact(
        kind=EventKind.BOUNCED,
        source=EventSource.MAIL,
        source_key="1",
        at=NOW,
        category=WORDS,
        is_hard=True,
        diagnostic="550 5.1.1 <ada@example.org> unknown",
    )

    note(deliveries[0], fact, now=NOW)

    assert (DeliveryEvent.objects.get().diagnostic, suppressed()) == ("", [])
