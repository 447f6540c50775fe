"""Figures by mail: what ended, to who may see it, once."""

import email
import email.policy
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.urls import reverse
from pytest_django import Settings

from campaigns import summaries
from campaigns.models import ReportFrequency, ReportSubscription
from config.accounts.models import Profile
from tests.console import staff
from tests.factories import make_campaign, make_past_run
from tests.smtp_server import ScriptedSMTP, defer

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
SEVEN = datetime(2026, 12, 7, 7, tzinfo=UTC)  # a Monday


@pytest.fixture(autouse=True)
def way_out(smtp: ScriptedSMTP, settings: Settings) -> None:
    settings.EMAIL_URL = smtp.url


@pytest.fixture
def linh() -> User:
    return User.objects.create_user(
        "linh", email="linh@example.org", is_staff=True, is_superuser=True
    )


def asked(
    user: User, frequency: ReportFrequency = ReportFrequency.DAILY, *, since: datetime
) -> ReportSubscription:
    summaries.subscribe(user, [frequency], now=since)
    return ReportSubscription.objects.get()


def send(now: datetime) -> int:
    return summaries.send_due(clock=lambda: now)


def test_a_summary_tells_what_ended_since_the_last_one(linh: User, smtp: ScriptedSMTP) -> None:
    asked(linh, since=SEVEN - DAY)
    campaign = make_campaign("Spring <sale>")
    make_past_run(campaign, at=SEVEN - DAY, sent=999)  # told before
    run = make_past_run(campaign, at=SEVEN, sent=200, opens_people=50, clicks_people=9)
    make_past_run(campaign, at=SEVEN + timedelta(seconds=1), sent=999)  # told tomorrow

    assert send(SEVEN + timedelta(hours=1)) == 1

    [sent] = smtp.messages
    message = email.message_from_bytes(sent.data, policy=email.policy.default)
    assert (message["To"], message["Subject"]) == (
        "linh@example.org",
        "Spring <sale>: sent 200, clicked 9",
    )
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    html = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    report = f"http://localhost:8000{reverse('campaigns:run_report', args=[run.pk])}"
    assert "Opened: 25.0 % · 50 of 200" in text
    assert report in text
    assert f'<a href="{report}">Spring &lt;sale&gt;' in html
    assert "999" not in text


def test_a_summary_speaks_the_language_of_who_gets_it(linh: User, smtp: ScriptedSMTP) -> None:
    Profile.objects.create(user=linh, language="vi")
    asked(linh, since=SEVEN - DAY)
    make_past_run(make_campaign("Spring"), at=SEVEN, sent=2000, clicks_people=9)

    send(SEVEN)

    [sent] = smtp.messages
    message = email.message_from_bytes(sent.data, policy=email.policy.default)
    assert message["Subject"] == "Spring: đã gửi 2.000, lượt nhấp 9"
    [text, html] = [part.get_content() for part in message.walk() if not part.is_multipart()]
    assert "Đã hủy đăng ký: 0" in text
    assert "Đã hủy đăng ký</th>" in html


def test_a_summary_is_sent_once_also_where_its_worker_dies(linh: User, smtp: ScriptedSMTP) -> None:
    subscription = asked(linh, since=SEVEN - DAY)
    make_past_run(make_campaign(), at=SEVEN, sent=1)
    assert summaries.claim(subscription, until=SEVEN)  # and it dies

    sent = send(SEVEN), send(SEVEN + DAY - timedelta(seconds=1))

    assert sent == (0, 0)
    assert not summaries.claim(subscription, until=SEVEN)
    assert smtp.messages == []


def test_a_summary_that_was_put_off_is_sent_later(linh: User, smtp: ScriptedSMTP) -> None:
    asked(linh, since=SEVEN - DAY)
    make_past_run(make_campaign(), at=SEVEN, sent=1)
    smtp.script(defer())

    first, problem = send(SEVEN), ReportSubscription.objects.get().problem
    second = send(SEVEN + timedelta(minutes=1))

    assert (first, second) == (0, 1)
    assert problem.startswith("to be tried again")
    assert ReportSubscription.objects.get().problem == ""


@pytest.mark.parametrize(
    ("frequency", "before", "due"),
    [
        (ReportFrequency.DAILY, SEVEN - timedelta(seconds=1), SEVEN - DAY),
        (ReportFrequency.DAILY, SEVEN, SEVEN),
        (ReportFrequency.WEEKLY, SEVEN - timedelta(seconds=1), SEVEN - 7 * DAY),
        (ReportFrequency.WEEKLY, SEVEN, SEVEN),
        (ReportFrequency.WEEKLY, SEVEN + 6 * DAY, SEVEN),
    ],
)
def test_a_summary_is_due_at_seven(
    frequency: ReportFrequency, before: datetime, due: datetime
) -> None:
    subscription = ReportSubscription(frequency=frequency, last_sent_at=SEVEN)

    assert summaries.due_at(subscription, now=before) == due


def test_a_run_is_told_a_day_after_its_end(linh: User, smtp: ScriptedSMTP) -> None:
    asked(linh, ReportFrequency.AFTER_RUN, since=SEVEN - DAY)
    make_past_run(make_campaign(), at=SEVEN, sent=1)

    sent = [send(SEVEN + DAY - timedelta(seconds=1)), send(SEVEN + DAY), send(SEVEN + 2 * DAY)]

    assert sent == [0, 1, 0]


def test_nothing_is_sent_where_no_run_has_ended(linh: User, smtp: ScriptedSMTP) -> None:
    asked(linh, since=SEVEN - DAY)

    assert send(SEVEN) == 0
    assert ReportSubscription.objects.get().last_sent_at == SEVEN


def test_who_may_not_see_reports_any_more_is_told_nothing(linh: User, smtp: ScriptedSMTP) -> None:
    asked(linh, since=SEVEN - DAY)
    make_past_run(make_campaign(), at=SEVEN, sent=1)
    User.objects.update(is_superuser=False)

    assert send(SEVEN) == 0
    assert ReportSubscription.objects.get().problem == "the user may not see reports"
    assert smtp.messages == []


def test_staff_choose_on_a_page_when_they_are_told() -> None:
    client = staff("campaigns.view_run", "campaigns.view_campaign")
    page = reverse("campaigns:report_summaries")

    client.post(page, {"frequency": ["daily", "after_run", "hourly"]})
    client.post(page, {"frequency": ["daily", "weekly"]})

    kept = ReportSubscription.objects.order_by("frequency")
    assert [each.frequency for each in kept] == ["daily", "weekly"]
    assert client.get(page).content.decode().count(" checked") == 2


@pytest.mark.parametrize(
    ("frequency", "constraint"),
    [
        ("daily", "report_subscription_unique"),
        ("hourly", "report_subscription_frequency_known"),
    ],
)
def test_the_database_refuses_what_cannot_be(linh: User, frequency: str, constraint: str) -> None:
    asked(linh, since=SEVEN)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ReportSubscription.objects.create(user=linh, frequency=frequency, last_sent_at=SEVEN)
