"""The preview of an audience, and why (not) somebody: both have to be what the run writes down."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from django.utils import timezone

from campaigns.audience import MEMBERS, REPEATED, Audience
from campaigns.models import Campaign
from recipients import consent
from recipients.addresses import BadAddress
from recipients.models import (
    Field,
    Recipient,
    Subscription,
    SubscriptionState,
    Suppression,
)
from recipients.segments.grammar import BadRules
from tests.factories import make_campaign, make_list, make_recipient, make_run, make_segment
from tracking.models import Delivery

pytestmark = pytest.mark.django_db

CONFIRMED, PENDING = SubscriptionState.CONFIRMED, SubscriptionState.PENDING
LEFT = SubscriptionState.UNSUBSCRIBED
YES_NO = (False, True)
HANOI, SUVA = {"city": "Hanoi"}, {"city": "Suva"}


@pytest.fixture
def campaign() -> Campaign:
    """To Readers, Friends and whoever lives in Hanoi; not to Customers or whoever lives in Suva."""
    readers, friends = make_list(), make_list("Friends")
    customers, other = make_list("Customers"), make_list("Other")
    make_recipient("ada@example.org", lists=[readers])
    make_recipient("both@example.org", lists=[readers, friends])
    make_recipient("all@example.org", lists=[readers, friends], fields=HANOI)
    make_recipient("hanoi@example.org", lists=[other], fields=HANOI)
    make_recipient("hanoi.alone@example.org", fields=HANOI)
    make_recipient("hanoi.left@example.org", lists=[other], state=LEFT, fields=HANOI)
    back = make_recipient("hanoi.left.readers@example.org", lists=[other], fields=HANOI)
    back.subscription_set.create(mailing_list=readers, state=LEFT)
    make_recipient("new@example.org", lists=[readers], state=PENDING)
    make_recipient("left@example.org", lists=[friends], state=LEFT)
    make_recipient("bought@example.org", lists=[readers, customers])
    make_recipient("suva@example.org", lists=[readers], fields=SUVA)
    make_recipient("suppressed@example.org", lists=[readers])
    make_recipient("suppressed.excluded@example.org", lists=[readers, customers])
    make_recipient("someone@shut.example", lists=[friends])
    make_recipient("paused@example.org", lists=[readers])
    make_recipient("was.paused@example.org", lists=[readers])
    make_recipient("elsewhere@example.org", lists=[other])
    for key in ("suppressed@example.org", "suppressed.excluded@example.org", "shut.example"):
        Suppression.objects.create(key=key, reason="complaint", source="feedback loop")
    today = timezone.now().date()
    for address, day in (("paused", today + timedelta(days=1)), ("was.paused", today)):
        Recipient.objects.filter(key=f"{address}@example.org").update(paused_until=day)
    return make_campaign(
        lists=[readers, friends],
        segments=[make_segment(city="Hanoi")],
        excluded_lists=[customers],
        excluded_segments=[make_segment("Suva", city="Suva")],
    )


def test_the_preview_and_each_explanation_are_what_the_run_writes_down(campaign: Campaign) -> None:
    now = timezone.now()
    audience = Audience(campaign)
    preview = audience.arithmetic(now=now)
    explained = {
        each.address: (each.in_audience, each.reason)
        for each in (audience.explain(one, now=now) for one in Recipient.objects.all())
    }

    make_run(campaign, now=now)

    rows = Delivery.objects.values_list("address", "state", "skip_reason")
    written = {address: (state, reason) for address, state, reason in rows}
    assert explained == {
        address: (address in written, written.get(address, ("", ""))[1]) for address in explained
    }
    assert set(explained) - set(written) == {"elsewhere@example.org"}
    counted = Counter(reason for _, reason in written.values())
    assert preview.members == len(written)
    assert preview.receiving == counted.pop("") == 5
    assert {reason: count for reason, count in preview.left_out.items() if count} == counted
    assert counted == {
        "suppressed": 3, "unsubscribed": 3, "unconfirmed_opt_in": 2, "excluded": 2, "paused": 1,
    }  # fmt: skip


def expected(
    reader: str, other: str, *, answers: bool, suppressed: bool, excluded: bool, paused: bool
) -> str | None:
    """Say by hand what becomes of somebody with these subscriptions; None: not in the audience."""
    if not (reader or answers):
        return None
    if suppressed:
        return "suppressed"
    by_segment = answers and reader != LEFT and CONFIRMED in (reader, other)
    if reader != CONFIRMED and not by_segment:
        has_left = reader == LEFT or (answers and other == LEFT)
        return "unsubscribed" if has_left else "unconfirmed_opt_in"
    if excluded:
        return "excluded"
    return "paused" if paused else ""


def test_every_combination_has_the_reason_that_counts() -> None:
    readers, other, customers = make_list(), make_list("Other"), make_list("Customers")
    segment, now = make_segment(city="Hanoi"), timezone.now()
    combinations = list(product(["", *SubscriptionState], ["", *SubscriptionState], *[YES_NO] * 4))
    recipients = Recipient.objects.bulk_create(
        Recipient(
            address=f"r{n}@example.org",
            key=f"r{n}@example.org",
            domain="example.org",
            fields={"city": "Hanoi"} if answers else {},
            paused_until=now + timedelta(days=1) if paused else None,
        )
        for n, (_, _, answers, _, _, paused) in enumerate(combinations)
    )
    known = list(zip(recipients, combinations, strict=True))
    Subscription.objects.bulk_create(
        Subscription(recipient=each, mailing_list=mailing_list, state=state)
        for each, (reader, elsewhere, _, _, excluded, _) in known
        for mailing_list, state in (
            (readers, reader), (other, elsewhere), (customers, PENDING if excluded else ""),
        )
        if state
    )  # fmt: skip
    Suppression.objects.bulk_create(
        Suppression(key=each.key, reason="manual") for each, chosen in known if chosen[3]
    )

    make_run(make_campaign(lists=[readers], segments=[segment], excluded_lists=[customers]))

    written = dict(Delivery.objects.values_list("recipient_id", "skip_reason"))
    assert written == {
        each.pk: reason
        for each, (reader, elsewhere, answers, suppressed, excluded, paused) in known
        if (
            reason := expected(
                reader, elsewhere, answers=answers,
                suppressed=suppressed, excluded=excluded, paused=paused,
            )
        ) is not None
    }  # fmt: skip


def test_the_sum_adds_up_and_each_number_leads_to_those_whom_it_counts(campaign: Campaign) -> None:
    now = timezone.now()
    audience = Audience(campaign)

    preview = audience.arithmetic(now=now)

    assert [(line.count, line.text) for line in preview.lines()] == [
        (4, "list Friends"),
        (11, "list Readers"),
        (5, "segment Hanoi"),
        (-4, "counted more than once"),
        (16, "in the audience"),
        (-3, "suppressed"),
        (-3, "unsubscribed"),
        (-2, "opt-in not confirmed"),
        (-2, "on an excluded list or segment"),
        (-1, "wants no message for a while"),
        (5, "would receive it"),
    ]
    for line in preview.lines():
        sample = audience.sample(line.sample, now=now, few=100)
        # Who is in three of them is counted twice too often, and is one person.
        assert len(sample) == (3 if line.sample == REPEATED else abs(line.count)), line
    assert [each.address for each in audience.sample(MEMBERS, now=now, few=1)] == [
        "ada@example.org"
    ]


@pytest.mark.parametrize("name", ["nobody", "list-0", "list-x", "segment-0", "list-", ""])
def test_a_number_that_the_sum_does_not_have_is_no_sample(name: str, campaign: Campaign) -> None:
    with pytest.raises(LookupError):
        Audience(campaign).sample(name, now=timezone.now())


def explain(campaign: Campaign, address: str) -> str:
    return Audience(campaign).explain_address(address, now=timezone.now()).verdict


@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        ("ada@example.org", "Would receive it: in list Readers (confirmed)."),
        (
            "Hanoi@example.org",
            "Would receive it: in segment Hanoi (City is Hanoi).",
        ),
        (
            "hanoi.left.readers@example.org",
            (
                "Would not receive it: has unsubscribed; in list Readers (unsubscribed);"
                " segment Hanoi (City is Hanoi)."
            ),
        ),
        (
            "hanoi.alone@example.org",
            (
                "Would not receive it: has confirmed no subscription;"
                " in segment Hanoi (City is Hanoi)."
            ),
        ),
        (
            "bought@example.org",
            "Would not receive it: excluded by list Customers (confirmed).",
        ),
        (
            "suva@example.org",
            "Would not receive it: excluded by segment Suva (City is Suva).",
        ),
        (
            "someone@shut.example",
            (
                "Would not receive it: suppressed, shut.example: Complaint,"
                " since 2026-03-01 09:00 UTC, feedback loop."
            ),
        ),
        ("paused@example.org", "Would not receive it: wants no message before 2100-01-01."),
        (
            "elsewhere@example.org",
            "Not in the audience: on none of its lists, and in none of its segments.",
        ),
        ("x@example.org", "Not in the audience: there is no recipient with this address."),
    ],
)
def test_why_not_this_person_is_one_sentence(
    campaign: Campaign, address: str, verdict: str
) -> None:
    Suppression.objects.update(created_at=datetime(2026, 3, 1, 9, tzinfo=UTC))
    Recipient.objects.filter(key="paused@example.org").update(paused_until=date(2100, 1, 1))

    assert explain(campaign, address) == verdict


def test_an_explanation_tells_all_that_speaks_for_and_against(campaign: Campaign) -> None:
    found = Audience(campaign).explain_address(
        "suppressed.excluded@example.org", now=timezone.now()
    )

    assert found.reason == "suppressed"
    assert [str(each) for each in found.included_by] == ["list Readers (confirmed)"]
    assert [str(each) for each in found.excluded_by] == ["list Customers (confirmed)"]
    assert len(found.subscriptions) == 2


def test_who_was_erased_is_suppressed_without_a_name(campaign: Campaign) -> None:
    digest = consent.subject("gone@example.org")
    Suppression.objects.create(key=None, digest=digest, reason="erased")

    found = Audience(campaign).explain_address("Gone@example.org", now=timezone.now())

    assert not found.is_known
    [suppressed] = found.suppressed_by
    assert str(suppressed).startswith("this address: asked to be forgotten, since")


def test_an_explanation_says_what_the_runs_have_written_down(campaign: Campaign) -> None:
    now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    make_run(campaign, now=now)
    Delivery.objects.filter(address="ada@example.org").update(
        state="sent", reply_code=250, diagnostic="2.0.0 queued as 1"
    )
    Recipient.objects.get(key="left@example.org").delete()

    audience = Audience(campaign)

    told = [
        [str(row) for row in audience.explain_address(address, now=now).runs]
        for address in ("ada@example.org", "left@example.org", "elsewhere@example.org")
    ]
    assert told == [
        ["2026-03-01 09:00 UTC: sent, 250 2.0.0 queued as 1"],
        ["2026-03-01 09:00 UTC: skipped, unsubscribed"],
        [],
    ]


def test_what_is_no_address_or_cannot_be_asked_any_more_says_so(campaign: Campaign) -> None:
    with pytest.raises(BadAddress):
        explain(campaign, "nobody")
    Field.objects.all().delete()
    with pytest.raises(BadRules, match="segment Hanoi: rule 1"):
        explain(campaign, "ada@example.org")


def test_a_count_that_stops_says_so(campaign: Campaign) -> None:
    audience, now = Audience(campaign), timezone.now()

    assert audience.receiving(now=now, of_first=100) == (5, True)
    assert audience.receiving(now=now, of_first=3) == (3, False)
    Subscription.objects.all().delete()
    assert not audience.reaches_somebody(now=now)
