"""Who may pass a gate: limits over all workers, breaker, several transports of a sender."""

import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from campaigns.models import Gate, Message, Route, Run, Sender, Slot, Transport
from campaigns.sending import gates
from campaigns.sending.gates import Admission
from campaigns.sending.outcomes import Accepted, Cause, Deferred, InDoubt, Outcome, Scope
from campaigns.services import Refused, set_limits, set_transport_url
from campaigns.transactional import Inline, accept
from tests.factories import (
    make_campaign,
    make_list,
    make_recipients,
    make_run,
    make_sender,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TAKEN = ("ada@example.org", Accepted())
DOUBT = InDoubt(diagnostic="cut off")


@pytest.fixture
def run() -> Run:
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    return make_run(make_campaign(lists=[readers]), now=NOW)


@pytest.fixture(autouse=True)
def _waits(settings: Settings) -> None:
    settings.TRANSPORT_WAIT_SECONDS, settings.BREAKER_SECONDS = 30, 600


def route(name: str = "Main", *, weight: int = 1, **limits: int) -> Transport:
    transport = Transport(name=name)
    set_transport_url(transport, url=f"smtp://{name.lower()}.example", now=NOW)
    set_limits(transport, now=NOW, **limits)
    Sender.objects.get().routes.create(transport=transport, weight=weight)
    return transport


def admit(run: Run, wanted: int = 100, *, seconds: float = 0, **more: int) -> Admission:
    return gates.admit(
        run.pk,
        wanted,
        lease=uuid.uuid4(),
        now=NOW + timedelta(seconds=seconds),
        lease_for=MINUTE,
        rng=random.Random(1),
        **more,
    )


def report(
    admission: Admission,
    *,
    taken: int = 0,
    stopped: Deferred | None = None,
    seconds: float = 0,
) -> datetime | None:
    now = NOW + timedelta(seconds=seconds)
    return gates.report(admission, [TAKEN] * taken, stopped=stopped, now=now)


def told(admission: Admission, answers: list[Outcome], *, seconds: float) -> None:
    found = [("ada@example.org", outcome) for outcome in answers]
    gates.report(admission, found, now=NOW + timedelta(seconds=seconds))


def refused(cause: Cause = Cause.CONNECTION, code: int | None = None, text: str = "") -> Deferred:
    return Deferred(scope=Scope.TRANSPORT, cause=cause, reply_code=code, diagnostic=text)


def seconds_of(moment: datetime | None) -> float:
    assert moment
    return (moment - NOW).total_seconds()


# --- single messages go before -----------------------------------------------------------------


def message_of(sender: Sender) -> Run:
    asked: dict[str, Any] = {"content": Inline("Hi", text="Hi"), "fields": {}, "now": NOW}
    return Run.objects.get(message=accept(to="ada@example.org", sender=sender, **asked))


def test_a_campaign_leaves_room_for_the_messages_that_wait(run: Run) -> None:
    route(per_second=10)
    messages = [message_of(run.campaign.sender) for _ in range(3)]

    assert gates.forecast(run.pk, now=NOW).room == 7
    assert admit(run, 10).granted == 7
    assert [admit(one, 1).granted for one in messages] == [1, 1, 1]
    assert admit(run, 10).granted == 0


def test_a_campaign_gets_nothing_while_messages_want_all_and_asks_again_soon(run: Run) -> None:
    route(per_second=2)
    for _ in range(3):
        message_of(run.campaign.sender)

    refused_now = admit(run, 10)

    assert refused_now.granted == 0
    assert seconds_of(refused_now.resume_at) == 1
    assert "single messages go first" in refused_now.reason


def test_messages_by_another_transport_take_no_room(run: Run) -> None:
    route(per_second=10)
    message_of(make_sender("Shop <shop@example.org>"))

    assert admit(run, 10).granted == 10


def test_a_campaign_leaves_one_connection_where_messages_may_come(run: Run) -> None:
    route(connections=3)
    message = message_of(run.campaign.sender)
    Message.objects.update(look_at=None)

    first, second = admit(run, 10, connections=4), admit(run, 10, connections=4)

    assert (first.connections, second.granted) == (2, 0)
    assert admit(message, 1).connections == 1


# --- limits -----------------------------------------------------------------------------------


def test_without_limits_everything_is_admitted_by_one_query_and_told_by_none(run: Run) -> None:
    with CaptureQueriesContext(connection) as queries:
        admission = admit(run, 500, connections=8)
        report(admission, taken=500)

    assert (admission.granted, admission.connections, admission.way.transport) == (500, 8, None)
    assert len(queries) == 1
    assert not Gate.objects.exists()


@pytest.mark.parametrize(
    ("limits", "more_after"),
    [({"per_second": 5}, 1), ({"per_hour": 5}, 3_600), ({"per_day": 5}, 15 * 3_600)],
)
def test_a_limit_holds_over_all_admissions_until_its_time_is_over(
    run: Run, limits: dict[str, int], more_after: int
) -> None:
    set_limits(route(), now=NOW, **limits)

    granted = [admit(run, 3, seconds=0.1).granted for _ in range(3)]
    late, next_time = admit(run, 9, seconds=more_after - 0.001), admit(run, 9, seconds=more_after)

    assert granted == [3, 2, 0]
    assert (late.granted, seconds_of(late.resume_at), next_time.granted) == (0, more_after, 5)


def test_the_tightest_of_several_limits_decides(run: Run) -> None:
    route(per_second=5, per_hour=7)

    assert [admit(run, seconds=second).granted for second in (0, 1, 2)] == [5, 2, 0]
    assert admit(run, seconds=3).reason == "transport Main may send 7 messages an hour"


def test_what_was_granted_and_not_used_is_given_back_while_its_time_lasts(run: Run) -> None:
    route(per_second=5, per_hour=10)

    report(admit(run, 5), taken=2, seconds=1)

    gate = Gate.objects.get()
    assert (gate.second_used, gate.hour_used) == (2, 2)
    report(admit(run, 5, seconds=3_599), taken=0, seconds=3_600)
    admit(run, 1, seconds=3_600)
    assert Gate.objects.get().hour_used == 1


def test_a_changed_limit_holds_from_the_next_admission_on(run: Run) -> None:
    transport = route(per_second=5)
    admit(run)

    set_limits(transport, per_second=8, now=NOW)
    raised = admit(run).granted
    set_limits(transport, now=NOW)

    assert (raised, admit(run).granted) == (3, 100)


def test_connections_are_shared_until_they_are_given_back_or_the_worker_is_gone(run: Run) -> None:
    route(connections=6)

    first, second = admit(run, connections=4), admit(run, connections=4)
    full = admit(run)
    report(first, taken=100)
    third = admit(run, connections=3)
    after_a_lease = admit(run, connections=4, seconds=60)

    assert [one.connections for one in (first, second, third)] == [4, 2, 3]
    assert (full.granted, seconds_of(full.resume_at)) == (0, 1)
    assert full.reason == "all connections that transport Main may have are in use"
    assert not first.keeps_connection
    assert after_a_lease.connections == 4
    assert Slot.objects.count() == 1


def test_nobody_has_more_connections_than_messages(run: Run) -> None:
    route(connections=6)

    assert admit(run, 2, connections=1_000).connections == 2


@pytest.mark.parametrize("name", ["per_second", "per_hour", "per_day", "connections"])
def test_a_limit_is_one_at_least(run: Run, name: str) -> None:
    transport = route()

    with pytest.raises(Refused, match="greater than or equal to 1"):
        set_limits(transport, now=NOW, **{name: 0})

    assert admit(run).granted == 100
    with pytest.raises(IntegrityError, match="transport_limits_positive"), transaction.atomic():
        Transport.objects.update(**{name: 0})


# --- the breaker ------------------------------------------------------------------------------


def test_a_shut_gate_lets_nothing_pass_until_its_time_and_then_one_message(run: Run) -> None:
    shut_until = report(admit(run), stopped=refused(), seconds=1)

    before, probe, other = admit(run, seconds=30.9), admit(run, seconds=31), admit(run, seconds=32)

    assert seconds_of(shut_until) == 31
    assert (before.granted, seconds_of(before.resume_at)) == (0, 31)
    assert (probe.granted, probe.connections, other.granted) == (1, 1, 0)


def test_a_server_that_is_back_is_used_as_before_at_once(run: Run) -> None:
    report(admit(run), stopped=refused(), seconds=1)

    report(admit(run, seconds=31), taken=1, seconds=32)

    assert admit(run, seconds=32).granted == 100
    assert (Gate.objects.get().trips, Gate.objects.get().shut_until) == (0, None)


def test_the_gate_to_who_limits_us_opens_slowly(run: Run) -> None:
    report(admit(run), stopped=refused(Cause.RATE_LIMITED, 421), seconds=1)

    granted = []
    for second in range(601, 612):
        granted.append((probe := admit(run, 10_000, seconds=second)).granted)
        report(probe, taken=probe.granted, seconds=second + 0.5)

    assert granted == [1, 2, 4, 8, 16, 32, 64, 128, 256, 10_000, 10_000]


@pytest.mark.parametrize(
    ("cause", "waits"),
    [
        (Cause.CONNECTION, [30, 60, 120, 240, 480, 600, 600]),
        (Cause.AUTHENTICATION, [30, 60, 120, 240, 480, 600, 600]),
        (Cause.RATE_LIMITED, [600, 1_200, 2_400, 4_800, 7_200, 7_200]),
    ],
)
def test_a_gate_is_shut_longer_each_time_in_a_row(run: Run, cause: Cause, waits: list[int]) -> None:
    now, found = 1.0, []
    for _ in waits:
        shut_until = report(admit(run, seconds=now), stopped=refused(cause), seconds=now)
        found.append(seconds_of(shut_until) - now)
        now = seconds_of(shut_until)

    assert found == waits


def test_what_was_admitted_before_the_gate_was_shut_neither_opens_it_nor_prolongs_it(
    run: Run,
) -> None:
    first, second, third = admit(run), admit(run), admit(run)
    shut_until = report(first, stopped=refused(), seconds=1)

    report(second, stopped=refused(), seconds=2)
    report(third, taken=100, seconds=3)

    assert Gate.objects.get().shut_until == shut_until
    assert Gate.objects.get().trips == 1


def test_a_probe_that_says_nothing_is_followed_by_another_one(run: Run) -> None:
    report(admit(run), stopped=refused(), seconds=1)

    report(admit(run, seconds=31), seconds=32)

    assert admit(run, seconds=32).granted == 1


@pytest.mark.parametrize(
    ("answers", "granted"),
    [
        ([Accepted(), DOUBT, DOUBT], 100),
        ([DOUBT, DOUBT, Accepted(), DOUBT], 100),
        ([Accepted(), DOUBT, DOUBT, DOUBT], 0),
    ],
)
def test_a_next_hop_that_leaves_one_after_the_other_in_doubt_is_left_alone(
    run: Run, answers: list[Outcome], granted: int
) -> None:
    told(admit(run), answers, seconds=1)

    later = admit(run, seconds=2)

    assert later.granted == granted
    words = "leaves it open whether it took the last messages (in doubt: cut off)"
    assert (words in later.reason) == (not granted)


def test_a_probe_in_doubt_is_not_followed_by_another_one_at_once(run: Run) -> None:
    report(admit(run), stopped=refused(), seconds=1)

    told(admit(run, seconds=31), [DOUBT], seconds=32)

    assert [admit(run, seconds=after).granted for after in (91, 92)] == [0, 1]


def test_a_probe_whose_worker_died_is_followed_by_another_one(run: Run) -> None:
    report(admit(run), stopped=refused(), seconds=1)
    admit(run, seconds=31)

    assert [admit(run, seconds=after).granted for after in (60.9, 61)] == [0, 1]


def test_a_new_url_is_tried_at_once(run: Run) -> None:
    transport = route()
    report(admit(run), stopped=refused(Cause.AUTHENTICATION, 535), seconds=1)

    set_transport_url(transport, url="smtp://user:right@main.example", now=NOW)

    assert admit(run, seconds=2).granted == 100


# --- several transports -----------------------------------------------------------------------


def test_transports_share_by_their_weights(run: Run) -> None:
    route("Heavy", weight=3)
    route("Light", weight=1)
    rng = random.Random(7)

    names = Counter(
        gates.admit(run.pk, 1, lease=uuid.uuid4(), now=NOW, lease_for=MINUTE, rng=rng).way.name
        for _ in range(400)
    )

    assert 270 <= names["Heavy"] <= 330


def test_another_transport_takes_what_a_shut_one_does_not(run: Run) -> None:
    route("A")
    route("B")
    first = admit(run)
    report(first, stopped=refused(text="no route to host"), seconds=1)

    second = admit(run, seconds=1)
    report(second, stopped=refused(), seconds=2)
    none = admit(run, seconds=2)

    assert {first.way.name, second.way.name} == {"A", "B"}
    assert (second.granted, none.granted) == (100, 0)
    assert none.reason == f"transport {first.way.name} cannot be reached (no route to host)"


def test_another_transport_takes_what_a_limit_leaves(run: Run) -> None:
    route("A", per_second=5)
    route("B", per_second=7)

    granted = sorted(admit(run, 10).granted for _ in range(3))

    assert granted == [0, 5, 7]
    assert gates.forecast(run.pk, now=NOW).room == 0
    assert gates.forecast(run.pk, now=NOW + timedelta(seconds=1)).room == 12


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [({"weight": 0}, "route_weight_positive"), ({}, "route_unique")],
)
def test_the_table_refuses_a_route_that_says_nonsense(
    run: Run, changes: dict[str, int], constraint: str
) -> None:
    known = {"sender": Sender.objects.get(), "transport": route()}
    if changes:
        Route.objects.all().delete()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Route.objects.create(**known, **changes)


def test_there_is_one_gate_of_a_kind_and_one_slot_of_a_lease(run: Run) -> None:
    lease = uuid.uuid4()
    Gate.objects.create(transport=None, group="")
    slot = {"transport": route(), "lease": lease, "connections": 1, "until": NOW}
    Slot.objects.create(**slot)

    with pytest.raises(IntegrityError, match="gate_unique"), transaction.atomic():
        Gate.objects.create(transport=None, group="")
    with pytest.raises(IntegrityError, match="slot_lease_unique"), transaction.atomic():
        Slot.objects.create(**slot)


# --- why a run waits --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stopped", "words"),
    [
        (
            refused(Cause.AUTHENTICATION, 535, "5.7.8 no"),
            "refused the user name or password (535 5.7.8 no)",
        ),
        (
            refused(Cause.AUTHENTICATION, None, "certificate verify failed"),
            "has a certificate that is not trusted (certificate verify failed)",
        ),
        (
            refused(Cause.AUTHENTICATION, None, "enter the credentials again"),
            "cannot be used (enter the credentials again)",
        ),
        (refused(Cause.AUTHENTICATION, 450, "4.7.25 PTR"), "does not accept us (450 4.7.25 PTR)"),
        (
            refused(Cause.RATE_LIMITED, 421, "slow down"),
            "limits how much we may send (421 slow down)",
        ),
        (refused(Cause.CONNECTION, 421, "closing"), "takes no messages now (421 closing)"),
        (refused(Cause.CONNECTION), "cannot be reached"),
        (refused(Cause.OTHER), "takes no messages"),
    ],
)
def test_the_reason_names_what_is_wrong_and_the_answer(
    run: Run, stopped: Deferred, words: str
) -> None:
    report(admit(run), stopped=stopped, seconds=1)

    assert admit(run, seconds=2).reason == f"the server of EMAIL_URL {words}"
