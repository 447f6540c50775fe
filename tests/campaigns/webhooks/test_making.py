import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from campaigns import secrets
from campaigns.transactional import Inline, accept
from campaigns.webhooks import making
from campaigns.webhooks.calling import Answer as Said
from campaigns.webhooks.endpoints import (
    Refused,
    change_endpoint,
    forget_old,
    renew_secret,
    replay,
    replay_given_up,
    send_test,
)
from campaigns.webhooks.making import AHEAD, LEASE, Result, claim, let_go, record
from campaigns.webhooks.patience import REST_AFTER
from recipients.privacy import erase
from tests.campaigns.webhooks.steps import (
    NOW,
    id_of,
    ids,
    make_call,
    make_endpoint,
    note,
    told,
    work,
)
from tests.campaigns.webhooks.test_outbox import send_all
from tests.campaigns.webhooks.test_signing import is_signed
from tests.factories import make_campaign, make_list, make_recipient, make_run, make_sender
from tests.http_server import Answer, Request, ScriptedHTTP
from tracking.models import Call, CallState, Delivery, Endpoint, Hit, Link, WhyOff

pytestmark = pytest.mark.django_db

OK, DOWN = Answer(200), Answer(500, body="down")
DAY = timedelta(hours=24)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def named_network(settings: Any) -> None:
    settings.WEBHOOK_NETWORKS = ("127.0.0.0/8",)


@pytest.fixture
def receiver() -> Iterator[ScriptedHTTP]:
    with ScriptedHTTP(OK) as server:
        yield server


@pytest.fixture
def endpoint(receiver: ScriptedHTTP) -> Endpoint:
    return make_endpoint(receiver.url)


def failed(endpoint: Endpoint, *, at: Any, words: str = "down") -> None:
    """Have the calls that are due fail."""
    found = claim(endpoint.pk, now=at)
    assert found
    results = [Result(call, Said(500, words)) for call in found[1]]
    record(endpoint.pk, results, now=at, random=lambda: 0.5)


def test_what_happened_is_told_with_a_signature_that_the_receiver_verifies(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    readers = make_list()
    ada = make_recipient(lists=[readers])
    run = make_run(make_campaign(lists=[readers]))
    send_all(run)

    made = work()

    assert made == 2
    assert sorted(told(receiver)) == ["delivery.sent", "run.started"]
    [request] = [one for one in receiver.requests if one.json["type"] == "delivery.sent"]
    sent = {name.lower(): value for name, value in request.headers.items()}
    assert is_signed(request.body, sent, secrets.decrypt(endpoint.encrypted_secret))
    delivery = Delivery.objects.get()
    data = request.json["data"]
    assert isinstance(data, dict)
    assert data["delivery"] == delivery.pk
    assert data["campaign"] == {"id": run.campaign_id, "name": "Spring"}
    assert (data["recipient"], data["address"]) == (ada.pk, "ada@example.org")
    assert data["message"] is None
    assert not Call.objects.waiting().exists()


def test_a_single_message_is_named_as_the_api_named_it(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    pk = accept(
        to="ada@example.org", sender=make_sender(), content=Inline("Hi", text="Hi"), fields={},
        now=NOW,
    )  # fmt: skip
    send_all(Delivery.objects.get().run)

    work()

    [request] = receiver.requests
    data = request.json["data"]
    assert isinstance(data, dict)
    assert (data["message"], data["campaign"]) == (str(pk), None)


def test_a_click_says_where_it_led_and_by_whom(receiver: ScriptedHTTP, endpoint: Endpoint) -> None:
    readers = make_list()
    make_recipient(lists=[readers])
    run = make_run(make_campaign(lists=[readers]))
    delivery = Delivery.objects.get()
    number = 900
    Link.objects.create(version=run.version, number=number, target="https://example.org/a")
    Hit.objects.create(
        id=1, kind="click", run=run, delivery=delivery, link_number=number, at=NOW,
        verdict="person", rules=1,
    )  # fmt: skip

    work()

    [request] = [one for one in receiver.requests if one.json["type"] == "delivery.clicked"]
    data = request.json["data"]
    assert isinstance(data, dict)
    assert data["link"] == {"number": number, "url": "https://example.org/a"}
    assert data["by"] == "person"
    assert request.json["timestamp"] == NOW.isoformat()


def test_what_was_refused_is_told_again_with_the_same_id_until_it_is_taken(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    receiver.answer = DOWN
    call = make_call(endpoint)
    work()
    between = work(NOW + SECOND)
    receiver.answer = OK

    work(NOW + 7 * SECOND)

    call.refresh_from_db()
    assert between == 0
    assert (call.state, call.attempts, call.status) == ("done", 2, 200)
    assert ids(receiver) == [call.webhook_id] * 2


def test_of_one_recipient_the_later_event_waits_and_those_of_others_do_not(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    hers = [make_call(endpoint, lane=1) for _ in range(3)]
    his = make_call(endpoint, lane=2)
    receiver.choose = lambda one: DOWN if id_of(one) == hers[0].webhook_id else OK
    work()
    before = ids(receiver)
    receiver.choose = None

    work(NOW + 7 * SECOND)

    assert sorted(before) == sorted([hers[0].webhook_id, his.webhook_id])
    assert ids(receiver)[2:] == [call.webhook_id for call in hers]


def test_all_that_happens_to_many_is_told_to_each_in_order(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    calls = [make_call(endpoint, lane=number % 20) for number in range(200)]

    work()

    lane_of = {call.webhook_id: call.lane for call in calls}
    for lane in range(20):
        wanted = [call.webhook_id for call in calls if call.lane == lane]
        assert [one for one in ids(receiver) if lane_of[one] == lane] == wanted


def test_a_call_in_the_hands_of_a_dead_worker_is_made_when_its_lease_is_over(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    call = make_call(endpoint)
    claim(endpoint.pk, now=NOW)

    early = work(NOW + LEASE - SECOND)
    late = work(NOW + LEASE)

    assert (early, late) == (0, 1)
    assert ids(receiver) == [call.webhook_id]


def test_what_was_claimed_and_not_begun_was_no_attempt(endpoint: Endpoint) -> None:
    call = make_call(endpoint)
    claim(endpoint.pk, now=NOW)

    let_go([call.pk])

    call.refresh_from_db()
    assert (call.attempts, call.first_at, call.leased_until) == (0, None, None)


def test_of_an_endpoint_that_is_away_what_was_not_begun_is_given_back(
    receiver: ScriptedHTTP, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "THREADS", 1)
    monkeypatch.setattr(making, "GATHER", 0)
    receiver.answer = DOWN
    for _ in range(AHEAD):
        make_call(endpoint)

    work()

    attempts = Call.objects.values_list("attempts", flat=True)
    assert 0 in attempts
    assert max(attempts) == 1
    assert not Call.objects.filter(leased_until__isnull=False).exists()


def test_so_many_calls_of_one_endpoint_are_in_hands_and_no_more(endpoint: Endpoint) -> None:
    for _ in range(AHEAD + 5):
        make_call(endpoint)

    first = claim(endpoint.pk, now=NOW)
    second = claim(endpoint.pk, now=NOW)

    assert first
    assert len(first[1]) == AHEAD
    assert second is None


def test_a_call_is_given_up_a_day_after_it_was_first_made_and_not_before(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    call = make_call(endpoint)
    failed(endpoint, at=NOW)
    other = make_call(endpoint, at=NOW + DAY - SECOND)  # so that the endpoint is not to blame
    Endpoint.objects.update(failures=0, failing_since=None, rest_until=None)
    Call.objects.filter(pk=other.pk).update(next_at=NOW + 2 * DAY)
    Call.objects.filter(pk=call.pk).update(next_at=NOW + DAY - SECOND)

    failed(endpoint, at=NOW + DAY - SECOND)
    call.refresh_from_db()
    before, last = call.state, call.next_at
    Endpoint.objects.update(failures=0, failing_since=None, rest_until=None)
    failed(endpoint, at=NOW + DAY)

    call.refresh_from_db()
    assert (before, last) == (CallState.WAITING, NOW + DAY)
    assert (call.state, call.next_at) == (CallState.GIVEN_UP, None)
    assert Endpoint.objects.get().is_active
    assert "given up" in caplog.text


def test_an_endpoint_that_fails_rests_and_then_one_call_looks_whether_it_is_back(
    endpoint: Endpoint,
) -> None:
    for _ in range(REST_AFTER + 5):
        make_call(endpoint)
    failed(endpoint, at=NOW)
    current = Endpoint.objects.get()
    assert current.rest_until

    resting = claim(endpoint.pk, now=current.rest_until - SECOND)
    back = claim(endpoint.pk, now=current.rest_until + timedelta(minutes=1))

    assert resting is None
    assert back
    assert len(back[1]) == 1


def test_what_waited_is_told_at_once_when_an_endpoint_is_back(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    for _ in range(REST_AFTER + 5):
        make_call(endpoint)
    failed(endpoint, at=NOW)
    Call.objects.update(next_at=NOW + timedelta(hours=4))
    one = make_call(endpoint)
    Endpoint.objects.update(rest_until=NOW)

    work()

    assert len(receiver.requests) == REST_AFTER + 6
    assert ids(receiver)[0] == one.webhook_id
    current = Endpoint.objects.get()
    assert (current.failures, current.failing_since, current.rest_until) == (0, None, None)


def test_an_endpoint_that_fails_for_a_day_is_switched_off_and_that_is_said(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    make_call(endpoint)
    failed(endpoint, at=NOW)
    waiting = make_call(endpoint, at=NOW + timedelta(hours=23))
    Call.objects.exclude(pk=waiting.pk).update(next_at=NOW + DAY - SECOND)

    failed(endpoint, at=NOW + DAY - SECOND)
    before = Endpoint.objects.get().is_active
    Call.objects.update(next_at=NOW)
    Endpoint.objects.update(rest_until=None)
    failed(endpoint, at=NOW + DAY)

    current = Endpoint.objects.get()
    assert before
    assert (current.is_active, current.why_off) == (False, WhyOff.FAILING)
    assert set(Call.objects.values_list("state", flat=True)) == {"given_up"}
    assert "switched off" in caplog.text


def test_who_says_that_it_is_gone_is_told_nothing_more(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    receiver.answer = Answer(410)
    make_call(endpoint)

    work()
    note("delivery.sent", 1)
    work()

    current = Endpoint.objects.get()
    assert (current.is_active, current.why_off) == (False, WhyOff.GONE)
    assert len(receiver.requests) == 1


def test_one_that_hangs_keeps_no_other_waiting(receiver: ScriptedHTTP, endpoint: Endpoint) -> None:
    released = threading.Event()
    with ScriptedHTTP(Answer(hold=released)) as hanging:
        slow = make_endpoint(hanging.url, name="slow")
        for _ in range(20):
            make_call(slow)
            make_call(endpoint)
        last: list[Request] = []

        def answer(request: Request) -> Answer:
            last.append(request)
            if len(last) == 20:  # all of the other one's are told: only now it lets go
                released.set()
            return OK

        receiver.choose = answer
        work()

    assert len(receiver.requests) == 20


def test_a_secret_that_cannot_be_read_is_an_answer_and_stops_no_other(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    broken = make_endpoint(receiver.url, name="broken")
    Endpoint.objects.filter(pk=broken.pk).update(encrypted_secret="nonsense")
    lost, well = make_call(broken), make_call(endpoint)

    work()

    lost.refresh_from_db()
    assert (lost.state, lost.status) == ("waiting", None)
    assert "SECRET_KEY" in lost.answer
    assert ids(receiver) == [well.webhook_id]


def test_after_a_secret_was_renewed_both_sign_for_a_day(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    former = secrets.decrypt(endpoint.encrypted_secret)
    made = renew_secret(endpoint, now=NOW)
    make_call(endpoint)
    work(NOW + DAY - SECOND)
    make_call(endpoint)

    work(NOW + DAY)

    headers = [
        {name.lower(): value for name, value in one.headers.items()} for one in receiver.requests
    ]
    verified = [
        [is_signed(one.body, sent, secret) for secret in (former, made.secret)]
        for one, sent in zip(receiver.requests, headers, strict=True)
    ]
    assert verified == [[True, True], [False, True]]


def test_a_test_call_is_made_once_somebody_asks_for_it(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    make_call(endpoint, lane=1)
    call = send_test(endpoint, now=NOW)

    work()

    assert call.webhook_id in ids(receiver)
    assert "test" in told(receiver)


def test_what_was_told_can_be_told_again_with_its_id(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    call = make_call(endpoint)
    work()

    assert replay(endpoint, ids=[call.pk], now=NOW) == 1
    work()

    assert ids(receiver) == [call.webhook_id] * 2


def test_all_that_was_given_up_since_a_time_is_told_again_in_its_order(
    receiver: ScriptedHTTP, endpoint: Endpoint
) -> None:
    calls = [make_call(endpoint, lane=1, at=NOW + number * SECOND) for number in range(4)]
    Call.objects.update(state=CallState.GIVEN_UP, next_at=None)

    count = replay_given_up(endpoint, since=NOW + SECOND, now=NOW + DAY)
    work(NOW + DAY)

    assert count == 3
    assert ids(receiver) == [call.webhook_id for call in calls[1:]]


def test_an_endpoint_that_is_switched_off_is_neither_tested_nor_told_again(
    endpoint: Endpoint,
) -> None:
    change_endpoint(
        endpoint, name="CRM", url=endpoint.url, kinds=endpoint.kinds, is_active=False, now=NOW
    )

    with pytest.raises(Refused):
        send_test(endpoint, now=NOW)
    with pytest.raises(Refused):
        replay_given_up(endpoint, since=NOW, now=NOW)


def test_who_was_erased_meanwhile_is_not_named(receiver: ScriptedHTTP, endpoint: Endpoint) -> None:
    readers = make_list()
    make_recipient(lists=[readers])
    send_all(make_run(make_campaign(lists=[readers])))
    call = make_call(endpoint)
    Call.objects.update(state=CallState.DONE, answer="thanks for ada@example.org", next_at=None)

    erase("ada@example.org", source="test", now=NOW)
    work()

    call.refresh_from_db()
    assert "ada@example.org" not in call.answer
    assert receiver.requests
    assert not [one for one in receiver.requests if b"ada@example.org" in one.body]


def test_the_log_is_kept_as_long_as_the_installation_says(
    endpoint: Endpoint, settings: Any
) -> None:
    settings.WEBHOOK_CALL_DAYS = 7
    waiting = make_call(endpoint)
    old = make_call(endpoint)
    young = make_call(endpoint, at=NOW + SECOND)
    ended = Call.objects.filter(pk__in=[old.pk, young.pk])
    ended.update(state=CallState.DONE, next_at=None)

    assert forget_old(now=NOW + timedelta(days=7) + SECOND) == 1

    assert set(Call.objects.values_list("pk", flat=True)) == {waiting.pk, young.pk}
