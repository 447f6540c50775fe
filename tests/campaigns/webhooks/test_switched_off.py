"""Who is told by mail that a webhook was switched off: once, and not never."""

import email
import email.policy
from datetime import timedelta
from email.message import EmailMessage

import pytest
from django.contrib.auth.models import Permission, User
from pytest_django import Settings

from campaigns.webhooks import switched_off
from campaigns.webhooks.calling import Answer
from campaigns.webhooks.endpoints import change_endpoint
from campaigns.webhooks.making import Result, claim, record
from campaigns.webhooks.switched_off import AGAIN, TIME_TO_LIVE
from config.accounts.models import Profile
from recipients.models import MailingList
from tests.campaigns.webhooks.steps import NOW, make_call, make_endpoint
from tests.factories import make_list, make_sender
from tests.smtp_server import ScriptedSMTP, defer
from tracking.models import Endpoint, WhyOff

pytestmark = pytest.mark.django_db

DAY = timedelta(hours=24)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def way_out(smtp: ScriptedSMTP, settings: Settings) -> None:
    settings.EMAIL_URL = smtp.url
    make_sender()


@pytest.fixture
def linh() -> User:
    return someone("linh")


def someone(name: str, *, permission: str = "change_endpoint") -> User:
    user = User.objects.create_user(name, email=f"{name}@example.org")
    user.user_permissions.add(Permission.objects.get(codename=permission))
    return user


def told(smtp: ScriptedSMTP) -> list[EmailMessage]:
    return [
        email.message_from_bytes(each.data, policy=email.policy.default) for each in smtp.messages
    ]


def to(smtp: ScriptedSMTP) -> list[str]:
    return [str(each["To"]) for each in told(smtp)]


def answered(endpoint: Endpoint, status: int) -> None:
    """Have its calls that are due answered so."""
    found = claim(endpoint.pk, now=NOW)
    assert found
    record(endpoint.pk, [Result(call, Answer(status, "")) for call in found[1]], now=NOW)


def gone(name: str = "CRM") -> Endpoint:
    """Return an endpoint that was switched off for it answered with 410."""
    endpoint = make_endpoint(name=name)
    make_call(endpoint)
    answered(endpoint, 410)
    endpoint.refresh_from_db()
    assert endpoint.why_off == WhyOff.GONE
    return endpoint


def tell(at: timedelta = timedelta(0)) -> int:
    return switched_off.tell_staff(clock=lambda: NOW + at)


def test_who_may_switch_it_on_again_is_told_once_what_was_switched_off_and_why(
    linh: User, smtp: ScriptedSMTP
) -> None:
    someone("viewer", permission="view_endpoint")
    endpoint = make_endpoint(name="Shop <1>")
    Endpoint.objects.update(failures=1, failing_since=NOW - DAY)
    for _ in range(3):
        make_call(endpoint)
    answered(endpoint, 503)

    first, again = tell(), tell(2 * AGAIN)

    [message] = told(smtp)
    assert (first, again) == (1, 0)
    assert (message["To"], message["Subject"]) == (
        "linh@example.org",
        "Webhook switched off: Shop <1>",
    )
    [text, html] = [part.get_content() for part in message.walk() if not part.is_multipart()]
    for said in (
        "URL: https://hooks.example.org/",
        "Why: for a day no call succeeded",
        "No call has succeeded since: 28 Feb 2026, 09:00 UTC",
        "Calls given up: 3",
        f"http://localhost:8000/webhooks/{endpoint.pk}/",
    ):
        assert said in text
    assert "“Shop &lt;1&gt;” off" in html


def test_it_is_told_in_the_language_of_who_gets_it(linh: User, smtp: ScriptedSMTP) -> None:
    Profile.objects.create(user=linh, language="vi")
    gone()

    tell()

    [message] = told(smtp)
    assert message["Subject"] == "Webhook đã bị tắt: CRM"
    [text, _html] = [part.get_content() for part in message.walk() if not part.is_multipart()]
    assert "Số lời gọi đã bỏ: 1" in text


def test_who_has_no_address_or_left_or_may_not_see_it_is_not_told(
    linh: User, smtp: ScriptedSMTP
) -> None:
    User.objects.filter(pk=someone("silent").pk).update(email="")
    User.objects.filter(pk=someone("former").pk).update(is_active=False)
    make_list("Donors")
    MailingList.objects.update(is_limited=True)
    linh.user_permissions.add(Permission.objects.get(codename="see_limited_lists"))
    someone("outsider")
    gone()

    tell()

    assert to(smtp) == ["linh@example.org"]


def test_what_nobody_took_is_told_again_in_an_hour_and_not_before(
    linh: User, smtp: ScriptedSMTP, caplog: pytest.LogCaptureFixture
) -> None:
    gone()
    smtp.script(defer())

    counts = [tell(), tell(AGAIN - SECOND), tell(AGAIN), tell(2 * AGAIN)]

    assert counts == [0, 0, 1, 0]
    assert "was not sent to a user" in caplog.text


def test_what_was_claimed_by_a_worker_that_died_is_told_in_an_hour(
    linh: User, smtp: ScriptedSMTP
) -> None:
    endpoint = gone()
    assert switched_off.claim(endpoint, now=NOW)  # and it dies

    counts = [tell(), tell(AGAIN)]

    assert counts == [0, 1]
    assert to(smtp) == ["linh@example.org"]


def test_two_workers_tell_it_once(linh: User) -> None:
    endpoint = gone()

    assert [switched_off.claim(endpoint, now=NOW) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("status", [200, 410, 503])
def test_how_a_call_ends_that_was_under_way_when_it_was_switched_off_tells_nobody_again(
    status: int, linh: User, smtp: ScriptedSMTP
) -> None:
    endpoint = make_endpoint()
    for _ in range(3):
        make_call(endpoint)
    found = claim(endpoint.pk, now=NOW)
    assert found
    first, second, third = found[1]
    record(endpoint.pk, [Result(first, Answer(410, ""))], now=NOW)

    record(endpoint.pk, [Result(second, Answer(status, ""))], now=NOW)
    before = tell()
    record(endpoint.pk, [Result(third, Answer(status, ""))], now=NOW)

    assert (before, tell()) == (1, 0)
    assert Endpoint.objects.get().why_off == WhyOff.GONE


@pytest.mark.parametrize("changed", [{"is_active": True}, {"url": "https://new.example.org/"}])
def test_what_somebody_looks_after_meanwhile_is_not_told(
    changed: dict[str, object], linh: User, smtp: ScriptedSMTP
) -> None:
    endpoint = gone()
    same = {"name": "CRM", "url": endpoint.url, "kinds": endpoint.kinds, "is_active": False}
    change_endpoint(endpoint, now=NOW, **{**same, **changed})  # type: ignore[arg-type]

    assert tell() == 0
    assert not smtp.messages


def test_that_nobody_can_be_told_is_in_the_log_and_at_last_it_is_left_at_that(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone()

    tell(TIME_TO_LIVE - SECOND)
    before = Endpoint.objects.get().notice_due_at
    tell(TIME_TO_LIVE + AGAIN)

    assert before == NOW + TIME_TO_LIVE - SECOND + AGAIN
    assert Endpoint.objects.get().notice_due_at is None
    assert "nobody with an address can be told that webhook CRM is switched off" in caplog.text
