from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.models import Gate, Run, RunStatus, Transport
from campaigns.sending import instance
from campaigns.services import schedule
from tests.console import staff, superuser, text
from tests.factories import make_campaign, make_list, make_recipient, make_run
from tracking.models import RunCounters

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_client() -> Client:
    return superuser()


def asks_again(client: Client) -> bool:
    return 'hx-trigger="every' in client.get("/").content.decode()


def test_who_is_not_logged_in_is_asked_to(client: Client) -> None:
    answer = client.get("/")

    assert (answer.status_code, answer["Location"]) == (302, "/account/login/?next=/")


def test_an_empty_installation_says_what_to_do(admin_client: Client) -> None:
    page = text(admin_client.get("/"))

    assert "Three steps to the first campaign" in page
    assert not asks_again(admin_client)


def test_what_has_a_page_of_staffs_own_is_not_looked_for_in_the_console(
    admin_client: Client,
) -> None:
    empty = admin_client.get("/").content.decode()
    make_recipient(lists=[make_list()])
    now = timezone.now()
    schedule(make_campaign("Later"), now=now, at=now + timedelta(hours=1))

    page = admin_client.get("/").content.decode()

    assert "/admin/campaigns/" not in empty + page
    assert empty.count('href="/campaigns/new/"') == 2


def test_staff_who_may_not_see_runs_are_told_so() -> None:
    make_recipient(lists=[make_list()])
    make_run(make_campaign("Secret plan"))

    page = text(staff().get("/"))

    assert "You may not see the runs" in page
    assert "Secret plan" not in page


def test_a_run_shows_its_state_and_its_numbers(admin_client: Client) -> None:
    make_recipient(lists=[make_list()])
    make_run(make_campaign("Spring"))

    answer = admin_client.get("/")

    assert "Spring Sending 0 % 0 of 1 · 0 % Queued 1" in text(answer)
    assert "?run=" in answer.content.decode()


def test_a_run_without_counters_is_shown(admin_client: Client) -> None:
    make_recipient(lists=[make_list()])
    make_run(make_campaign("Spring"), snapshot_taken=False)

    page = text(admin_client.get("/"))

    assert "Spring Preparing" in page
    assert "Nobody counted yet" in page


def test_the_page_asks_again_only_while_something_can_change(admin_client: Client) -> None:
    make_recipient(lists=[make_list()])
    run = make_run(make_campaign())

    answers = {}
    for status in RunStatus:
        Run.objects.filter(pk=run.pk).update(status=status)
        answers[status.value] = asks_again(admin_client)

    assert [status for status, again in answers.items() if not again] == ["completed", "cancelled"]


def test_what_is_sent_next_is_shown_with_its_time(admin_client: Client) -> None:
    make_recipient(lists=[make_list()])
    campaign = make_campaign("Digest")
    now = timezone.now()
    schedule(campaign, now=now, at=now + timedelta(days=1), time_zone="Asia/Ho_Chi_Minh")

    page = text(admin_client.get("/"))

    assert "Next seven days Digest" in page
    assert "Asia/Ho Chi Minh" in page
    assert asks_again(admin_client)


def test_more_runs_take_no_more_queries(admin_client: Client) -> None:
    make_recipient(lists=[make_list()])
    make_run(make_campaign("One"))
    instance.check()  # that answer holds for a second: it is asked for here, and not below
    instance._last.looked_at += 3_600
    with CaptureQueriesContext(connection) as few:
        admin_client.get("/")
    for name in ("Two", "Three", "Four"):
        make_run(make_campaign(name))

    with CaptureQueriesContext(connection) as many:
        admin_client.get("/")

    instance._last.looked_at -= 3_600
    assert len(many) == len(few)


def test_a_name_cannot_bring_markup_along(admin_client: Client) -> None:
    make_recipient(lists=[make_list()])
    make_run(make_campaign("<script>alert(1)</script>"))

    page = admin_client.get("/").content.decode()

    assert "<script>" not in page


def test_what_needs_a_person_comes_first(admin_client: Client) -> None:
    make_recipient(lists=[make_list()])
    run = make_run(make_campaign("Spring"))
    Run.objects.filter(pk=run.pk).hold("it is too late")
    RunCounters.objects.filter(run=run).update(unconfirmed=3, queued=0)

    page = text(admin_client.get("/"))

    assert "Needs attention Spring: it is too late Held" in page
    assert "Spring: of 3 messages nobody knows whether they arrived. In doubt" in page


def test_a_transport_that_refuses_us_needs_a_person(admin_client: Client) -> None:
    make_recipient(lists=[make_list()])
    make_run(make_campaign("Spring"))
    transport = Transport.objects.create(name="relay")
    until = timezone.now() + timedelta(minutes=5)
    Gate.objects.create(transport=transport, cause="connection", shut_until=until)

    page = text(admin_client.get("/"))

    assert "relay: Waiting: transport relay cannot be reached" in page


def test_the_part_that_changes_is_sent_once(admin_client: Client) -> None:
    make_recipient(lists=[make_list()])
    make_run(make_campaign("Spring"))
    asked = {"HX-Request": "true"}
    first = admin_client.get("/-/now/", headers=asked)

    again = admin_client.get("/-/now/", headers={**asked, "HX-PTag": first["HX-PTag"]})

    assert first.content.decode().strip().startswith('<div id="now"')
    assert (again.status_code, again.content) == (304, b"")


def test_the_part_opened_by_itself_leads_to_the_page(admin_client: Client) -> None:
    answer = admin_client.get("/-/now/")

    assert (answer.status_code, answer["Location"]) == (302, "/")
