"""Webhooks, as programs subscribe to what happens."""

from datetime import UTC, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import secrets
from config.accounts.models import AuditEntry, IdempotentAnswer
from tests.api import Program, problem, program
from tests.campaigns.webhooks.steps import NOW, make_call, make_endpoint
from tests.factories import make_list
from tracking.models import Call, CallState, Endpoint, WhyOff

pytestmark = pytest.mark.django_db

WEBHOOKS = "/webhooks"
SENT = {"name": "CRM", "url": "https://hooks.example.org/in", "kinds": ["delivery.sent"]}
SECOND = timedelta(seconds=1)


@pytest.fixture
def crm() -> Program:
    return program()


def pointers(answer: Any) -> list[str]:
    return [each["pointer"] for each in problem(answer)["errors"]]


def test_a_webhook_is_made_and_this_answer_alone_has_its_secret(crm: Program) -> None:
    made = crm.post(WEBHOOKS, SENT)
    read = crm.get(made["Location"])

    endpoint = Endpoint.objects.get()
    secret = secrets.decrypt(endpoint.encrypted_secret)
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    assert made.json()["secret"] == secret
    assert made.json() == {**read.json(), "secret": secret}
    assert (endpoint.url, endpoint.kinds, endpoint.is_active) == (SENT["url"], SENT["kinds"], True)
    assert secret not in crm.get(WEBHOOKS).content.decode()


def test_a_request_whose_answer_had_a_secret_is_done_once_and_its_secret_is_not_kept(
    crm: Program,
) -> None:
    made = crm.post(WEBHOOKS, SENT, idempotency_key="a-1")
    again = crm.post(WEBHOOKS, SENT, idempotency_key="a-1")
    renewed = crm.post(f"{made['Location']}/secret", idempotency_key="a-2")
    twice = crm.post(f"{made['Location']}/secret", idempotency_key="a-2")

    endpoint = Endpoint.objects.get()
    for refused in (again, twice):
        assert problem(refused)["status"] == 409
        assert "renew the secret" in problem(refused)["detail"]
    assert again["Location"] == made["Location"]
    assert secrets.decrypt(endpoint.encrypted_secret) == renewed.json()["secret"]
    assert secrets.decrypt(endpoint.encrypted_former_secret) == made.json()["secret"]
    kept = [bytes(each.body) for each in IdempotentAnswer.objects.all()]
    assert len(kept) == 2
    assert not [each for each in kept if b"whsec_" in each]


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"url": "http://hooks.example.org/"}, "/url"),
        ({"url": "https://anna:hunter2@hooks.example.org/"}, "/url"),
        ({"name": "taken"}, "/name"),
        ({"name": "of two\nlines"}, "/name"),  # it stands in the subject of a message
        ({"kinds": []}, "/kinds"),
        ({"kinds": ["delivery.eaten"]}, "/kinds/0"),
    ],
)
def test_what_the_page_refuses_is_refused_with_its_place(
    sent: dict[str, Any], pointer: str, crm: Program
) -> None:
    make_endpoint(name="taken")
    mine = make_endpoint(name="mine")

    made, changed = crm.post(WEBHOOKS, {**SENT, **sent}), crm.patch(f"{WEBHOOKS}/{mine.pk}", sent)

    assert (pointers(made), pointers(changed)) == ([pointer], [pointer])
    assert Endpoint.objects.count() == 2


def test_a_webhook_is_changed_by_who_saw_it_as_it_is_and_deleted(crm: Program) -> None:
    path = f"{WEBHOOKS}/{make_endpoint().pk}"
    read = crm.get(path)

    changed = crm.patch(path, {"name": "renamed", "is_active": False}, if_match=read["ETag"])
    late = crm.patch(path, {"name": "lost"}, if_match=read["ETag"])
    deleted = crm.delete(path, if_match=changed["ETag"])

    assert (changed.json()["name"], changed.json()["is_active"]) == ("renamed", False)
    assert changed.json()["kinds"] == sorted(read.json()["kinds"])
    assert (late.status_code, deleted.status_code) == (412, 204)
    assert not Endpoint.objects.exists()


def test_one_that_was_switched_off_says_why_and_begins_anew_when_it_is_switched_on(
    crm: Program,
) -> None:
    path = f"{WEBHOOKS}/{make_endpoint().pk}"
    Endpoint.objects.update(
        is_active=False, why_off=WhyOff.FAILING, failures=9, failing_since=NOW, rest_until=NOW
    )

    before = crm.get(path).json()
    after = crm.patch(path, {"is_active": True}).json()

    assert (before["why_off"], before["failing_since"]) == ("failing", "2026-03-01T09:00:00Z")
    assert (after["why_off"], after["failing_since"], after["is_active"]) == (None, None, True)


def test_a_test_is_asked_for_unless_it_is_switched_off(crm: Program) -> None:
    path = f"{WEBHOOKS}/{make_endpoint().pk}"

    asked = crm.post(f"{path}/test")
    Endpoint.objects.update(is_active=False)
    refused = crm.post(f"{path}/test")

    assert (asked.status_code, asked.json()["kind"], asked.json()["state"]) == (
        202,
        "test",
        "waiting",
    )
    assert problem(refused)["detail"] == "It is switched off."
    assert [call.webhook_id for call in Call.objects.all()] == [asked.json()["webhook_id"]]


def test_the_log_has_pages_and_is_filtered_by_state_and_kind(crm: Program) -> None:
    endpoint, other = make_endpoint(), make_endpoint(name="other")
    calls = [make_call(endpoint, kind=kind) for kind in ("delivery.sent", "test", "test")]
    make_call(other)
    Call.objects.filter(pk=calls[1].pk).update(state=CallState.DONE, next_at=None, status=204)
    path = f"{WEBHOOKS}/{endpoint.pk}/calls"

    first = crm.get(f"{path}?limit=2").json()
    rest = crm.get(f"{path}?limit=2&cursor={first['next']}").json()
    tests = crm.get(f"{path}?kind=test&state=waiting").json()["items"]

    ids = [each["id"] for each in (*first["items"], *rest["items"])]
    assert ids == [call.pk for call in reversed(calls)]
    assert rest["next"] is None
    assert first["items"][1]["status"] == 204
    assert [each["id"] for each in tests] == [calls[2].pk]
    assert crm.get(f"{path}?kind=lunch").status_code == 422


def test_calls_are_made_again_one_by_one_or_all_that_were_given_up_since_a_time(
    crm: Program,
) -> None:
    endpoint = make_endpoint()
    calls = [make_call(endpoint, at=NOW + number * SECOND) for number in range(4)]
    of_another = make_call(make_endpoint(name="other"))
    Call.objects.update(state=CallState.GIVEN_UP, next_at=None)
    path = f"{WEBHOOKS}/{endpoint.pk}/replay"
    since = (NOW + 2 * SECOND).astimezone(UTC).isoformat()

    named = crm.post(path, {"calls": [calls[0].pk, of_another.pk]}).json()
    since_then = crm.post(path, {"given_up_since": since}).json()
    again = crm.post(path, {"calls": [calls[0].pk]}).json()

    assert (named, since_then, again) == ({"count": 1}, {"count": 2}, {"count": 0})
    assert set(Call.objects.waiting()) == {calls[0], *calls[2:]}


@pytest.mark.parametrize("sent", [{}, {"calls": [1], "given_up_since": "2026-03-01T09:00:00Z"}])
def test_what_is_made_again_is_said_in_one_way(sent: dict[str, Any], crm: Program) -> None:
    answer = crm.post(f"{WEBHOOKS}/{make_endpoint().pk}/replay", sent)

    assert problem(answer)["status"] == 422


def test_a_key_of_some_lists_has_no_webhooks() -> None:
    crm = program(lists=[make_list()])
    make_list("Donors")
    path = f"{WEBHOOKS}/{make_endpoint().pk}"

    assert crm.get(WEBHOOKS).json()["items"] == []
    assert crm.get(f"{path}/calls").status_code == 404
    assert crm.patch(path, {"url": "https://elsewhere.example.org/"}).status_code == 404
    assert crm.post(WEBHOOKS, SENT).status_code == 403


def test_what_a_program_does_with_webhooks_is_in_the_audit_log_without_the_secret(
    crm: Program,
) -> None:
    made = crm.post(WEBHOOKS, SENT).json()
    crm.post(f"{WEBHOOKS}/{made['id']}/secret")
    crm.patch(f"{WEBHOOKS}/{made['id']}", {"name": "renamed"})
    crm.delete(f"{WEBHOOKS}/{made['id']}")

    entries = AuditEntry.objects.of("tracking.endpoint", str(made["id"])).order_by("pk")
    assert [each.act for each in entries] == ["added", "changed", "changed", "deleted"]
    assert {each.origin for each in entries} == {"api"}
    assert "whsec_" not in str(list(entries.values_list("before", "after")))


def test_a_page_of_many_webhooks_asks_no_more_than_one_of_one(crm: Program) -> None:
    counts = []
    for name in ("first", "second", "third"):
        make_call(make_endpoint(name=name))
        with CaptureQueriesContext(connection) as captured:
            crm.get(WEBHOOKS)
        counts.append(len(captured))

    assert counts[2] == counts[1]
