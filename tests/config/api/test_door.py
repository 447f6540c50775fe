"""What every request of the API comes through."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone
from ninja.openapi.schema import OpenAPISchema
from pytest_django import Settings

from config.accounts.models import ApiKey, AuditEntry, IdempotentAnswer
from config.accounts.roles import Role
from config.api import idempotency, limits
from config.api.access import OPERATIONS, PUBLIC, operation_of
from config.api.api import api
from recipients import privacy
from recipients.addresses import parse_address
from recipients.api import lists as list_endpoints
from recipients.forms.lists import ListForm
from recipients.models import MailingList
from tests.api import ALL, Program, problem, program
from tests.config.accounts.test_roles import who_may
from tests.console import staff
from tests.factories import make_list

pytestmark = pytest.mark.django_db

LISTS = "/lists"
SCHEMA: OpenAPISchema = api.get_openapi_schema(path_prefix="/api/v1/")
DESCRIBED = {
    f"{method.upper()} {path.removeprefix('/api/v1')}"
    for path, methods in SCHEMA["paths"].items()
    for method in methods
}


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def address(operation: str) -> str:
    """Return the path of an operation, about what is not there."""
    path = operation.partition(" ")[2]
    # Single messages are known by a UUID.
    pk = str(UUID(int=7)) if path.startswith("/messages/") else "987654321"
    return "/".join(pk if part.startswith("{") else part for part in path.split("/"))


def ask(crm: Program, operation: str) -> Any:
    method = operation.partition(" ")[0].lower()
    given: list[Any] = [] if method in {"get", "delete"} else [{}]
    return getattr(crm, method)(address(operation), *given)


# --- who may -----------------------------------------------------------------------------------


def test_the_table_names_every_operation_and_no_other() -> None:
    assert set(OPERATIONS) | {name for name in PUBLIC if name.startswith("POST")} == DESCRIBED


@pytest.mark.parametrize("role", [*Role, "nobody"])
def test_every_operation_is_done_for_those_roles_alone(role: str) -> None:
    user = User.objects.create_user("mai")
    if role != "nobody":
        user.groups.add(Group.objects.get(name=role))
    crm = program(user=user)

    answers = {name: ask(crm, name).status_code for name in OPERATIONS}

    may = {
        name for name, needs in OPERATIONS.items() if all(role in who_may(n) for n in needs.split())
    }
    assert {name for name, status in answers.items() if status != 403} == may
    assert max(answers.values()) < 500


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a_key_does_what_it_is_for_alone_even_that_of_a_superuser(operation: str) -> None:
    root = User.objects.create_superuser("root")
    needed = OPERATIONS[operation].split()
    with_all = program(user=root)
    without = program(user=User.objects.get(), scopes=set(ALL) - {needed[0]})

    refused = ask(without, operation)

    assert ask(with_all, operation).status_code != 403
    assert problem(refused)["permission"] == needed[0]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer gdw_000000000000_x", "Bearer gdw_\0_x"],
)
def test_who_shows_no_key_is_told_how(header: str, client: Client) -> None:
    answer = client.get("/api/v1/lists", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert "Bearer" in problem(answer)["detail"] or "not known" in problem(answer)["detail"]


def test_a_cookie_opens_nothing() -> None:
    assert staff(*ALL).get("/api/v1/lists").status_code == 401


@pytest.mark.parametrize("end", ["revoked", "expired", "inactive"])
def test_a_key_that_has_ended_opens_nothing(end: str) -> None:
    crm, now = program(), timezone.now()
    assert crm.get(LISTS).status_code == 200
    match end:
        case "revoked":
            ApiKey.objects.update(revoked_at=now)
        case "expired":
            ApiKey.objects.update(expires_at=now)
        case _:
            User.objects.update(is_active=False)

    assert crm.get(LISTS).status_code == 401


def test_where_the_last_list_of_a_key_is_deleted_it_opens_no_other() -> None:
    readers, _ = make_list("Readers"), make_list("Donors")
    crm = program(lists=[readers])
    readers.delete()

    assert crm.get(LISTS).json()["items"] == []


def test_what_a_key_does_is_its_users_and_its_own_doing() -> None:
    crm = program()

    crm.post(LISTS, {"name": "Readers"})

    entry = AuditEntry.objects.get(kind="recipients.mailinglist", act="added")
    assert (entry.actor, entry.origin) == ("robot0: CRM", "api")
    assert entry.user_id == User.objects.get().pk


def test_that_a_key_was_used_is_written_down_once_in_a_minute() -> None:
    crm = program()
    crm.get(LISTS)
    first = ApiKey.objects.get().last_used_at

    crm.get(LISTS)

    assert first
    assert ApiKey.objects.get().last_used_at == first
    assert not AuditEntry.objects.filter(kind="accounts.apikey", act="changed").exists()


# --- what is wrong -----------------------------------------------------------------------------


def test_what_goes_wrong_is_always_a_problem(client: Client) -> None:
    crm = program()

    assert problem(client.get("/api/v1/nowhere"))["title"] == "Not Found"
    assert problem(client.get("/api/v1/"))["status"] == 404
    assert problem(crm.get("/lists/0x7"))["status"] == 404
    wrong = crm.put(LISTS, {})
    assert (problem(wrong)["status"], wrong["Allow"]) == (405, "GET, HEAD, POST")
    assert problem(crm.post(LISTS, "{"))["status"] == 400
    assert problem(crm.post(LISTS, '{"name": "\\u0000"}'))["status"] == 400
    assert problem(crm.post(LISTS, '{"name": "\\ud800"}'))["status"] == 400
    assert problem(crm.post(LISTS, {}))["errors"][0]["pointer"] == "/name"
    assert problem(crm.get("/lists?limit=0"))["errors"][0]["pointer"] == "/limit"


def test_a_fault_of_ours_is_told_and_nothing_of_it_is_done(monkeypatch: Any) -> None:
    def breaks(form: Any) -> None:
        form.instance.save()
        raise RuntimeError("of ours")

    monkeypatch.setattr(ListForm, "save", breaks)
    crm = program()
    crm._client.raise_request_exception = False

    answer = crm.post(LISTS, {"name": "Readers"})

    assert problem(answer)["status"] == 500
    assert "of ours" not in str(problem(answer))
    assert not MailingList.objects.exists()


def test_a_body_that_is_too_large_is_not_read() -> None:
    answer = program()._client.post(
        "/api/v1/lists", b"{}", content_type="application/json", CONTENT_LENGTH=str(10**9)
    )

    assert problem(answer)["status"] == 413


# --- how often ---------------------------------------------------------------------------------


def three_within_a_minute() -> list[Any]:
    """Ask three times by a new key; again where another minute of the clock has begun meanwhile."""
    while True:
        crm, minute = program(), time.time() // limits.WINDOW
        answers = [crm.get(LISTS) for _ in range(3)]
        if time.time() // limits.WINDOW == minute:
            return answers


def test_who_asks_too_often_is_told_when_to_come_back(settings: Settings) -> None:
    settings.API_RATE_LIMIT = 2
    other = program()

    answers = three_within_a_minute()

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"minute";q=2;w=60'
    assert answers[0]["RateLimit"].startswith('"minute";r=1;t=')
    assert problem(answers[2])["title"] == "Too Many Requests"
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
    assert other.get(LISTS).status_code == 200


def test_another_minute_begins_anew_at_its_first_second() -> None:
    quotas = [limits.take("key 0", at=at) for at in (59.0, 59.9, 60.0)]

    assert [each.limit - each.remaining for each in quotas] == [1, 2, 1]
    assert [each.reset for each in quotas] == [1, 1, 60]


def wrong(number: int) -> Program:
    return Program(f"gdw_000000000000_{number}")


def within_a_minute(requests: Callable[[], list[Any]]) -> list[Any]:
    """Return what is answered; again where another minute of the clock has begun meanwhile."""
    while True:
        cache.clear()
        minute = time.time() // limits.WINDOW
        answers = requests()
        if time.time() // limits.WINDOW == minute:
            return answers


def test_who_guesses_is_not_looked_at_any_more_whatever_they_show() -> None:
    crm = program()

    answers = within_a_minute(
        lambda: [*(wrong(number).get(LISTS) for number in range(20)), crm.get(LISTS)]
    )

    assert [each.status_code for each in answers] == [401] * 20 + [429]
    assert 1 <= int(answers[20]["Retry-After"]) <= 60
    assert "Too many keys" in problem(answers[20])["detail"]


def test_a_key_that_has_ended_shuts_out_whoever_shows_it_and_nobody_beside_them() -> None:
    crm, ended = program(), wrong(1)

    answers = within_a_minute(lambda: [*(ended.get(LISTS) for _ in range(21)), crm.get(LISTS)])

    assert [each.status_code for each in answers] == [401] * 20 + [429, 200]


def test_who_guesses_shuts_out_no_other_address() -> None:
    crm = program()
    elsewhere = Client(REMOTE_ADDR="192.0.2.7", headers={"Authorization": f"Bearer {crm.secret}"})

    answers = within_a_minute(
        lambda: [
            *(wrong(number).get(LISTS) for number in range(20)),
            elsewhere.get("/api/v1/lists"),
        ]
    )

    assert [each.status_code for each in answers] == [401] * 20 + [200]


def test_who_may_guess_again_is_who_has_waited() -> None:
    for number in range(20):
        limits.fail("192.0.2.8", shown=str(number), at=119.0)

    assert limits.wait_of("192.0.2.8", shown="20", at=119.0) == 1
    assert limits.wait_of("192.0.2.8", shown="20", at=120.0) == 0


@pytest.fixture
def redis_away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_here", limits._Here())
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    }


@pytest.mark.usefixtures("redis_away")
def test_while_redis_is_away_each_process_counts_wrong_keys() -> None:
    for number in range(20):
        limits.fail("192.0.2.9", shown=str(number), at=30.0)

    assert limits.wait_of("192.0.2.9", shown="20", at=30.0) == 30


@pytest.mark.usefixtures("redis_away")
def test_while_redis_is_away_each_process_counts_and_nobody_waits_for_it(
    settings: Settings,
) -> None:
    settings.API_RATE_LIMIT = 2

    answers = three_within_a_minute()

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert limits._here.is_asked()


# --- once --------------------------------------------------------------------------------------


def test_a_request_that_is_sent_again_is_done_once_and_answered_alike() -> None:
    crm = program()

    first = crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1")
    again = crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1")

    assert (again.status_code, again.content) == (201, first.content)
    assert (again["Idempotency-Replayed"], "Idempotency-Replayed" in first) == ("true", False)
    assert MailingList.objects.count() == 1


def test_a_key_of_a_request_is_not_for_another_one() -> None:
    crm = program()
    crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1")

    other = crm.post(LISTS, {"name": "Donors"}, idempotency_key="a-1")

    assert problem(other)["status"] == 422
    assert program().post(LISTS, {"name": "Donors"}, idempotency_key="a-1").status_code == 201


def test_what_was_refused_is_looked_at_anew() -> None:
    crm, readers = program(), make_list("Readers")
    refused = crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1")
    readers.delete()

    again = crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1")

    assert (refused.status_code, again.status_code) == (422, 201)


def test_what_breaks_leaves_neither_effect_nor_answer(monkeypatch: Any) -> None:
    crm = program()

    def breaks(**_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(IdempotentAnswer.objects, "create", breaks)
        crm._client.raise_request_exception = False
        broken = crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1")

    assert broken.status_code == 500
    assert not MailingList.objects.exists()
    assert crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_a_request_that_is_under_way_is_not_begun_again(monkeypatch: Any) -> None:
    crm = program()
    save, inside, go_on = list_endpoints._save, threading.Event(), threading.Event()

    def slowly(*given: Any) -> MailingList:
        inside.set()
        assert go_on.wait(30)
        return save(*given)

    def first() -> None:
        answers.append(crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1"))
        connection.close()

    answers: list[Any] = []
    monkeypatch.setattr(list_endpoints, "_save", slowly)
    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(30)

    under_way = crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1")
    go_on.set()
    thread.join(30)

    assert problem(under_way)["status"] == 409
    assert answers[0].status_code == 201
    assert crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1").content == answers[0].content


@pytest.mark.parametrize("key", ["x" * 256, "é"])
def test_a_key_of_a_request_that_cannot_be_kept_is_refused(key: str) -> None:
    assert program().post(LISTS, {"name": "A"}, idempotency_key=key).status_code == 400


def test_answers_are_kept_for_a_day() -> None:
    crm, now = program(), timezone.now()
    crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1")
    kept = IdempotentAnswer.objects.get().created_at + idempotency.KEPT_FOR

    assert idempotency.forget_old(now=now) == 0
    IdempotentAnswer.objects.update(created_at=now - idempotency.KEPT_FOR)
    anew = crm.post(LISTS, {"name": "Readers"}, idempotency_key="a-1")

    assert problem(anew)["errors"][0]["pointer"] == "/name"  # there is one of this name
    assert idempotency.forget_old(now=kept) == 1


def test_answers_that_name_somebody_go_with_them() -> None:
    crm = program()
    people = ("ada@example.org", "zoë@example.org", "bea@example.org")
    for number, address in enumerate(people):
        added = crm.post("/recipients", {"address": address}, idempotency_key=f"a-{number}")
        assert added.status_code == 201

    for address in ("ada@example.org", "zoë@example.org"):
        privacy.erase(parse_address(address).key, source="asked for it", now=timezone.now())

    [left] = IdempotentAnswer.objects.all()
    assert b"bea@example.org" in bytes(left.body)


def test_idempotent_answer_unique() -> None:
    program().post(LISTS, {"name": "Readers"}, idempotency_key="a-1")
    row = IdempotentAnswer.objects.get()
    row.pk = None

    with pytest.raises(IntegrityError, match="idempotent_answer_unique"):
        row.save()


# --- its description ---------------------------------------------------------------------------


def test_the_description_and_its_page_are_served_here_and_for_everybody(client: Client) -> None:
    page = client.get("/api/v1/docs").content.decode()

    assert client.get("/api/v1/openapi.json").json()["openapi"].startswith("3.")
    assert "https://" not in page
    for file in ("/static/ninja/swagger-ui-bundle.js", "/static/godwit/api-docs.js"):
        assert file in page
        assert client.get(file).status_code == 200


def test_every_operation_says_what_it_asks_for_and_what_it_refuses() -> None:
    for path, methods in SCHEMA["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path.removeprefix('/api/v1')}"
            assert operation["description"], name
            assert {"401", "403", "404", "422", "429"} <= {*map(str, operation["responses"])}, name
    ids = [each["operationId"] for methods in SCHEMA["paths"].values() for each in methods.values()]
    assert len(set(ids)) == len(ids)


def test_an_operation_is_named_by_method_and_path(rf: Any) -> None:
    assert operation_of(rf.get("/")) == "GET /"
