"""What limits and shut gates of domains keep back at a claim."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from campaigns.models import DomainGroup, DomainLimit, Gate, Run, Sender, Transport
from campaigns.sending import gates, retries, time_to_live, waiting
from campaigns.sending.claim import Claim, claim
from campaigns.sending.domains import group_of
from campaigns.sending.gates import Admission
from campaigns.sending.outcomes import Accepted, Cause, Deferred, Outcome, Scope
from campaigns.services import cancel, domain_limit_changed, set_transport_url
from tests.factories import make_campaign, make_list, make_recipient, make_run
from tracking.models import Delivery
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SLOW_DOWN = Deferred(
    scope=Scope.DOMAIN, cause=Cause.RATE_LIMITED, reply_code=450, enhanced_status_code="4.7.28"
)
GOOGLE = [f"g{n}@gmail.com" for n in range(6)]
OTHERS = ["o0@example.org", "o1@example.org"]


@pytest.fixture
def run(settings: Settings) -> Run:
    """A run of six recipients at Google and two elsewhere."""
    settings.BREAKER_SECONDS = 600
    readers = make_list()
    for address in [*GOOGLE, *OTHERS]:
        make_recipient(address, lists=[readers])
    return make_run(make_campaign(lists=[readers]), now=NOW)


@pytest.fixture(autouse=True)
def _books_agree(run: Run) -> Iterator[None]:
    yield
    assert disagreements([run.pk], kept_since=None) == []


def attempt(
    run: Run, *, seconds: float = 0, ids: list[int] | None = None
) -> tuple[Admission, Claim]:
    if ids is None:
        ids = list(run.delivery_set.order_by("pk").values_list("pk", flat=True))
    now, lease = NOW + timedelta(seconds=seconds), uuid.uuid4()
    admission = gates.admit(run.pk, len(ids), lease=lease, now=now, lease_for=MINUTE)
    claimed = claim(run.pk, ids, now=now, lease_for=MINUTE, lease=lease, admission=admission)
    return admission, claimed


def addresses(claimed: Claim) -> list[str]:
    return [one.address for one in claimed.deliveries]


def waits(run: Run | None = None) -> dict[str, float]:
    rows = Delivery.objects.filter(state="retry").order_by("pk")
    rows = rows.of_run(run.pk) if run else rows
    return {
        address: (at - NOW).total_seconds()
        for address, at in rows.values_list("address", "next_attempt_at")
        if at
    }


def answer(admission: Admission, outcomes: dict[str, Outcome], *, seconds: float) -> None:
    gates.report(admission, list(outcomes.items()), now=NOW + timedelta(seconds=seconds))


def shut(run: Run) -> None:
    """Have Google limit us at the first of its recipients."""
    admission, _ = attempt(run, ids=[])
    answer(admission, {GOOGLE[0]: SLOW_DOWN}, seconds=0.5)


@pytest.mark.parametrize(
    ("domain", "group"),
    [
        ("gmail.com", "google"),
        ("googlemail.com", "google"),
        ("hotmail.com", "microsoft"),
        ("hotmail.co.uk", "microsoft"),
        ("live.nl", "microsoft"),
        ("outlook.com.br", "microsoft"),
        ("msn.com", "microsoft"),
        ("yahoo.co.jp", "yahoo"),
        ("ymail.com", "yahoo"),
        ("aol.com", "yahoo"),
        ("me.com", "apple"),
        ("web.de", "unitedinternet"),
        ("gmx.at", "unitedinternet"),
        ("example.org", "example.org"),
        ("live.example.org", "live.example.org"),
        ("yahoo.example", "yahoo.example"),
    ],
)
def test_domains_of_the_same_mail_exchangers_are_a_group(domain: str, group: str) -> None:
    assert group_of(domain) == group


def test_operators_name_groups_of_their_own(run: Run) -> None:
    DomainGroup.objects.create(domain="example.org", group="google")
    DomainLimit.objects.create(group="google", per_second=1)

    _, claimed = attempt(run)

    assert addresses(claimed) == GOOGLE[:1]
    with pytest.raises(IntegrityError, match="domain_group_domain_unique"), transaction.atomic():
        DomainGroup.objects.create(domain="example.org", group="apple")


def test_what_a_limit_keeps_back_waits_uncounted_and_spread_over_the_time_it_needs(
    run: Run,
) -> None:
    DomainLimit.objects.create(group="google", per_second=2)

    _, claimed = attempt(run)

    assert addresses(claimed) == [*GOOGLE[:2], *OTHERS]
    assert waits() == dict(zip(GOOGLE[2:], [1, 1.5, 2, 2.5], strict=True))
    assert set(Delivery.objects.filter(state="retry").values_list("attempts", flat=True)) == {0}


def test_what_waited_is_claimed_when_its_time_has_come(run: Run) -> None:
    DomainLimit.objects.create(group="google", per_second=2)
    attempt(run)

    early, on_time = attempt(run, seconds=0.9)[1], attempt(run, seconds=1.5)[1]

    assert (addresses(early), addresses(on_time)) == ([], GOOGLE[2:4])


def test_what_is_due_and_finds_no_room_waits_again(run: Run) -> None:
    DomainLimit.objects.create(group="google", per_second=2)
    attempt(run)

    _, claimed = attempt(run, seconds=60)

    assert addresses(claimed) == GOOGLE[2:4]
    assert waits() == dict(zip(GOOGLE[4:], [61, 61.5], strict=True))


def test_thousands_that_wait_line_up_behind_those_that_wait_already(run: Run) -> None:
    DomainLimit.objects.create(group="google", per_second=1)
    first, second = (
        list(Delivery.objects.filter(address__in=some).values_list("pk", flat=True))
        for some in (GOOGLE[:4], GOOGLE[4:] + OTHERS)
    )
    attempt(run, ids=first)
    DomainGroup.objects.create(domain="example.org", group="google")

    attempt(run, ids=second)

    assert waits() == {
        **dict(zip(GOOGLE[1:4], [1, 2, 3], strict=True)),
        **dict(zip([*GOOGLE[4:], *OTHERS], [4, 5, 6, 7], strict=True)),
    }


def test_a_limit_of_one_transport_says_nothing_of_another(run: Run) -> None:
    transport = Transport.objects.create(name="Main", encrypted_url="x")
    DomainLimit.objects.create(group="google", transport=transport, per_second=2)

    _, by_email_url = attempt(run, ids=[])
    Sender.objects.get().routes.create(transport=transport)
    _, claimed = attempt(run)

    assert addresses(by_email_url) == []
    assert addresses(claimed) == [*GOOGLE[:2], *OTHERS]


@pytest.mark.parametrize("changes", [{"per_second": 0}, {"per_hour": 0}, {"per_day": 0}])
def test_the_table_refuses_a_limit_that_says_nonsense(run: Run, changes: dict[str, int]) -> None:
    DomainLimit.objects.create(group="google", per_second=2)

    with pytest.raises(IntegrityError, match="domain_limit_positive"), transaction.atomic():
        DomainLimit.objects.update(**changes)
    with pytest.raises(IntegrityError, match="domain_limit_unique"), transaction.atomic():
        DomainLimit.objects.create(group="google", per_hour=1)


def test_without_limits_of_domains_a_claim_asks_for_none(run: Run) -> None:
    with CaptureQueriesContext(connection) as queries:
        admission, claimed = attempt(run)
        answer(admission, dict.fromkeys(addresses(claimed), Accepted()), seconds=1)

    assert len(claimed.deliveries) == 8
    assert not [query for query in queries if "domaingroup" in query["sql"]]


def test_who_waits_for_a_limit_that_was_changed_lines_up_anew(run: Run) -> None:
    DomainLimit.objects.create(group="google", per_hour=2)
    attempt(run)
    far_away = waits()

    DomainLimit.objects.update(per_hour=None, per_second=3)
    domain_limit_changed("google", now=NOW + timedelta(seconds=5))
    _, claimed = attempt(run, seconds=5)

    assert min(far_away.values()) == 3_600
    assert addresses(claimed) == GOOGLE[2:5]
    assert waits() == {GOOGLE[5]: 6}


def test_a_changed_limit_leaves_those_alone_that_were_deferred_or_wait_for_another_one(
    run: Run,
) -> None:
    DomainLimit.objects.create(group="google", per_hour=2)
    attempt(run)
    Delivery.objects.filter(address=GOOGLE[5]).update(attempts=1)
    before = waits()

    domain_limit_changed("microsoft", now=NOW)
    unchanged = waits()
    domain_limit_changed("google", now=NOW)

    assert unchanged == before
    assert waits() == {**dict.fromkeys(GOOGLE[2:5], 0), GOOGLE[5]: before[GOOGLE[5]]}


@pytest.mark.parametrize("end", ["cancelled", "too old"])
def test_nobody_waits_behind_those_that_were_given_up(
    run: Run, end: str, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    DomainLimit.objects.create(group="google", per_day=1)
    attempt(run)
    other = make_run(make_campaign("Other", lists=list(run.campaign.lists.all())), now=NOW)
    attempt(other, seconds=1)
    far = waits(other)
    later = NOW + timedelta(hours=73)

    with django_capture_on_commit_callbacks(execute=True):
        if end == "cancelled":
            cancel(run.campaign, now=later)
        else:
            time_to_live.expire_old(run.pk, now=later)

    attempt(other, seconds=73 * 3_600)
    near = waits(other)
    days = 24 * 3_600
    assert min(far.values()) > 5 * days
    assert min(near.values()) == 4 * days - 9 * 3_600  # the next midnight
    assert disagreements([other.pk], kept_since=None) == []


# --- the breaker ------------------------------------------------------------------------------


def test_a_group_that_limits_us_is_left_alone_and_the_others_are_not(run: Run) -> None:
    shut(run)

    _, claimed = attempt(run, seconds=1)

    assert addresses(claimed) == OTHERS
    assert set(waits()) == set(GOOGLE)
    assert min(waits().values()) == 600.5


def test_one_mailbox_of_many_shuts_nothing(run: Run) -> None:
    admission, _ = attempt(run)

    answer(admission, {**dict.fromkeys(GOOGLE, Accepted()), GOOGLE[0]: SLOW_DOWN}, seconds=1)

    assert not Gate.objects.exists()


def test_the_gate_to_a_group_opens_slowly(run: Run) -> None:
    shut(run)
    attempt(run, seconds=1)
    claimed = []

    for second in (602, 603, 604):
        admission, found = attempt(run, seconds=second)
        claimed.append(addresses(found))
        answer(admission, dict.fromkeys(claimed[-1], Accepted()), seconds=second + 0.5)

    assert [len(found) for found in claimed] == [1, 2, 3]
    assert Gate.objects.get().allowance == 8


def test_a_new_url_of_its_transport_opens_the_gate_for_those_who_wait(run: Run) -> None:
    transport = Transport(name="Main")
    set_transport_url(transport, url="smtp://main.example", now=NOW)
    Sender.objects.get().routes.create(transport=transport)
    shut(run)
    attempt(run, seconds=1)

    set_transport_url(transport, url="smtp://other.example", now=NOW + timedelta(seconds=2))

    assert set(waits().values()) == {2}
    assert addresses(attempt(run, seconds=2)[1]) == GOOGLE


def test_a_group_that_limits_us_again_is_left_alone_for_twice_as_long(run: Run) -> None:
    shut(run)
    admission, claimed = attempt(run, seconds=601)
    answer(admission, {addresses(claimed)[0]: SLOW_DOWN}, seconds=602)

    gate = Gate.objects.get(group="google")

    assert gate.shut_until == NOW + timedelta(seconds=602 + 1_200)


def test_the_run_says_that_it_waits_for_a_domain(run: Run) -> None:
    shut(run)
    Delivery.objects.filter(address__in=OTHERS).update(next_attempt_at=NOW)
    admission, claimed = attempt(run, seconds=1)
    run.counters.refresh_from_db()
    while_sending = waiting.why(run, now=NOW + timedelta(seconds=1))
    answer(admission, dict.fromkeys(addresses(claimed), Accepted()), seconds=2)
    run.counters.sending, run.counters.sent = 0, 2
    run.counters.save()

    sentence = waiting.why(run, now=NOW + timedelta(seconds=2))

    run.counters.sending, run.counters.sent = 2, 0
    run.counters.save()
    assert while_sending == ""
    assert sentence == (
        "Waiting: google limits how much we may send (450 4.7.28); next try 09:10:00 UTC."
    )


def test_a_run_with_nobody_there_does_not_say_that_it_waits_for_a_domain(run: Run) -> None:
    elsewhere = make_list("Elsewhere")
    make_recipient("only@example.org", lists=[elsewhere])
    other = make_run(make_campaign("Other", lists=[elsewhere]), now=NOW)
    shut(run)
    DomainLimit.objects.create(group="google", per_hour=1, spread_until=NOW + MINUTE)
    DomainLimit.objects.create(group="example.org", per_second=1)
    attempt(run, seconds=2, ids=[run.delivery_set.get(address=OTHERS[0]).pk])

    attempt(other, seconds=2)

    assert set(waits(other)) == {"only@example.org"}
    sentence = "Waiting: example.org may be sent only so many messages."
    assert waiting.why(other, now=NOW + timedelta(seconds=2)) == sentence


def test_retries_that_were_not_admitted_are_found_again_at_once(run: Run) -> None:
    DomainLimit.objects.create(group="google", per_second=2)
    attempt(run)
    now = NOW + timedelta(seconds=5)
    [batch] = retries.due([run.pk], now=now, lost_after=MINUTE)
    none = retries.due([run.pk], now=now, lost_after=MINUTE)

    retries.put_back(batch.ids)

    assert none == []
    assert retries.due([run.pk], now=now, lost_after=MINUTE) == [batch]
