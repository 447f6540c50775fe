from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import secrets
from config.health import backlogs
from config.health.facts import State
from recipients.models import MailingList
from tests.campaigns.webhooks.steps import make_call, make_endpoint
from tests.console import messages, staff, superuser, text
from tracking.models import Call, CallState, Endpoint, WhyOff

pytestmark = pytest.mark.django_db

WEBHOOKS = "/webhooks/"
TYPED = {"name": "CRM", "url": "https://hooks.example.org/in", "kinds": ["delivery.sent"]}


@pytest.fixture
def console() -> Client:
    return superuser()


def post(console: Client, path: str, **typed: Any) -> Any:
    return console.post(f"{WEBHOOKS}{path}", typed, follow=True)


def test_a_webhook_is_made_and_its_secret_is_shown_once(console: Client) -> None:
    answer = console.post(f"{WEBHOOKS}new/", TYPED)

    endpoint = Endpoint.objects.get()
    secret = secrets.decrypt(endpoint.encrypted_secret)
    assert (endpoint.url, endpoint.kinds) == (TYPED["url"], TYPED["kinds"])
    assert endpoint.is_active
    assert secret in answer.content.decode()
    for page in ("", f"{endpoint.pk}/", f"{endpoint.pk}/edit/"):
        assert secret not in console.get(f"{WEBHOOKS}{page}").content.decode()


def test_who_does_not_see_everybody_is_offered_none_and_makes_none() -> None:
    console = staff("tracking.view_endpoint", "tracking.add_endpoint")
    before = console.get(WEBHOOKS)
    MailingList.objects.create(name="Donors", is_limited=True)

    after = console.get(WEBHOOKS)

    assert "Add a webhook" in text(before)
    assert "Add a webhook" not in text(after)
    assert console.post(f"{WEBHOOKS}new/", TYPED).status_code == 403
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hooks.example.org/", "begins with https://"),
        ("ftp://hooks.example.org/", "begins with https://"),
        ("https://anna:hunter2@hooks.example.org/", "Leave name and password out"),
        ("https://hooks.example.org:99999/", "It is no URL"),
        ("https://hooks.example.org/a b", "characters that a URL has not"),
    ],
)
def test_a_url_that_is_not_called_is_refused(url: str, reason: str, console: Client) -> None:
    answer = console.post(f"{WEBHOOKS}new/", {**TYPED, "url": url})

    assert answer.status_code == 422
    assert reason in text(answer)
    assert not Endpoint.objects.exists()


def test_without_an_event_or_with_a_name_that_is_taken_nothing_is_made(console: Client) -> None:
    make_endpoint(name="CRM")

    answers = [
        console.post(f"{WEBHOOKS}new/", TYPED),
        console.post(f"{WEBHOOKS}new/", {**TYPED, "name": "other", "kinds": []}),
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert Endpoint.objects.count() == 1


def test_what_is_changed_and_switched_off_is_kept_and_a_new_secret_is_shown(
    console: Client,
) -> None:
    endpoint = make_endpoint()
    former = endpoint.encrypted_secret

    post(console, f"{endpoint.pk}/edit/", **{**TYPED, "name": "renamed"})
    answer = post(console, f"{endpoint.pk}/secret/")

    endpoint.refresh_from_db()
    assert (endpoint.name, endpoint.is_active) == ("renamed", False)
    assert endpoint.encrypted_former_secret == former
    assert secrets.decrypt(endpoint.encrypted_secret) in answer.content.decode()


def test_one_that_was_switched_off_for_failing_begins_anew_when_it_is_switched_on(
    console: Client,
) -> None:
    endpoint = make_endpoint()
    now = timezone.now()
    Endpoint.objects.update(
        is_active=False, why_off=WhyOff.FAILING, failures=9, failing_since=now, rest_until=now
    )

    before = text(console.get(f"{WEBHOOKS}{endpoint.pk}/"))
    post(console, f"{endpoint.pk}/edit/", **TYPED, is_active="on")

    endpoint.refresh_from_db()
    assert "For a day no call succeeded" in before
    assert (endpoint.is_active, endpoint.why_off, endpoint.failures) == (True, "", 0)


def test_the_log_is_filtered_and_says_how_calls_ended(console: Client) -> None:
    endpoint = make_endpoint()
    lost, taken = make_call(endpoint, kind="delivery.failed"), make_call(endpoint)
    Call.objects.filter(pk=lost.pk).update(
        state=CallState.GIVEN_UP, next_at=None, status=503, answer="out of <b>order</b>"
    )

    every = text(console.get(f"{WEBHOOKS}{endpoint.pk}/"))
    given_up = text(console.get(f"{WEBHOOKS}{endpoint.pk}/?state=given_up"))
    tests = text(console.get(f"{WEBHOOKS}{endpoint.pk}/?kind=test"))

    assert lost.webhook_id in every
    assert taken.webhook_id in every
    assert "503 out of <b>order</b>" in given_up
    assert taken.webhook_id not in given_up
    assert lost.webhook_id not in tests


def test_a_test_is_asked_for_and_calls_are_made_again(console: Client) -> None:
    endpoint = make_endpoint()
    calls = [make_call(endpoint, at=timezone.now()) for _ in range(3)]
    Call.objects.update(state=CallState.GIVEN_UP, next_at=None)

    post(console, f"{endpoint.pk}/test/")
    post(console, f"{endpoint.pk}/replay/", call=str(calls[0].pk))
    between = Call.objects.waiting().count()
    said = messages(post(console, f"{endpoint.pk}/replay/", since=timezone.localdate()))

    assert between == 2
    assert Call.objects.waiting().count() == 4
    assert said == ["2 calls are made again."]


def test_one_that_is_switched_off_says_so_instead_of_being_tested(console: Client) -> None:
    endpoint = make_endpoint()
    Endpoint.objects.update(is_active=False)

    answer = post(console, f"{endpoint.pk}/test/")

    assert messages(answer) == ["It is switched off."]
    assert not Call.objects.exists()


def test_one_that_is_deleted_takes_its_log_along(console: Client) -> None:
    endpoint = make_endpoint()
    make_call(endpoint)

    post(console, f"{endpoint.pk}/delete/")

    assert not Endpoint.objects.exists()
    assert not Call.objects.exists()


def test_health_says_what_fails_what_was_switched_off_and_what_was_given_up() -> None:
    now = timezone.now()
    endpoint = make_endpoint()
    well = backlogs.calls(now=now)
    Call.objects.filter(pk=make_call(endpoint).pk).update(
        state=CallState.GIVEN_UP, next_at=None, last_at=now - timedelta(hours=23)
    )
    given_up = backlogs.calls(now=now)
    Endpoint.objects.update(failures=1, failing_since=now)
    failing = backlogs.calls(now=now)
    Endpoint.objects.update(is_active=False, why_off=WhyOff.FAILING)
    off = backlogs.calls(now=now)

    states = [fact.state for fact in (well, given_up, failing, off)]
    assert states == [State.GOOD, State.ATTENTION, State.ATTENTION, State.BAD]
    assert "CRM" in failing.text
    assert "CRM" in off.text


def test_a_webhooks_page_is_in_the_language_of_who_reads_it(console: Client) -> None:
    endpoint = make_endpoint(kinds=["delivery.sent"])

    page = text(console.get(f"{WEBHOOKS}{endpoint.pk}/", headers={"accept-language": "vi"}))

    assert "Thư đã được gửi" in page
    assert "Đang bật" in page
