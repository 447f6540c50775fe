from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_celery_results.models import TaskResult

from campaigns.models import Run
from recipients.admin.base import MOST_PAGES
from recipients.models import Suppression, SuppressionReason
from tests.console import superuser, text
from tests.factories import make_campaign, make_list, make_recipient, make_recipients, make_run
from tracking.admin import MEANINGS, RUNS_LISTED
from tracking.models import Delivery, DeliveryState

pytestmark = pytest.mark.django_db

DELIVERIES = "/admin/tracking/delivery/"


@pytest.fixture
def console() -> Client:
    return superuser()


@pytest.fixture
def run() -> Run:
    """Two queued deliveries, and a third that was left out."""
    readers = make_list()
    for address in ("ada@example.org", "bob@example.org", "gone@example.org"):
        make_recipient(address, lists=[readers])
    Suppression.objects.create(key="gone@example.org", reason=SuppressionReason.BOUNCE)
    return make_run(make_campaign("Spring"))


def found(console: Client, query: str = "") -> list[str]:
    result: Any = console.get(f"{DELIVERIES}{query}").context["cl"].result_list
    return [delivery.address for delivery in result]


def test_every_state_has_a_meaning() -> None:
    assert set(MEANINGS) == set(DeliveryState)


def test_deliveries_are_found_by_the_exact_address(console: Client, run: Run) -> None:
    assert found(console, "?q=ADA@example.org") == ["ada@example.org"]
    assert found(console, "?q=da@example.org") == []


def test_what_is_no_address_finds_nothing_and_says_so(console: Client, run: Run) -> None:
    answer = console.get(f"{DELIVERIES}?q=ada")

    assert list(answer.context["cl"].result_list) == []
    assert "'ada' cannot be searched: there is no @" in text(answer)


def test_deliveries_are_filtered_by_run(console: Client, run: Run) -> None:
    make_run(make_campaign("Other"))

    of_run = found(console, f"?run={run.pk}")

    assert sorted(of_run) == ["ada@example.org", "bob@example.org", "gone@example.org"]


def test_nobody_turns_pages_to_the_end_of_a_ledger(console: Client) -> None:
    last, beyond = (console.get(f"{DELIVERIES}?p={MOST_PAGES + more}") for more in (0, 1))

    assert last.status_code == 200
    assert (beyond.status_code, beyond["Location"]) == (302, f"{DELIVERIES}?e=1")


def test_a_run_can_be_chosen_that_is_not_among_the_newest(console: Client, run: Run) -> None:
    for number in range(RUNS_LISTED):
        make_run(make_campaign(f"Later {number}"), snapshot_taken=False)

    answer = console.get(f"{DELIVERIES}?run={run.pk}")

    [shown] = [spec for spec in answer.context["cl"].filter_specs if spec.title == "run"]
    assert (str(run.pk), str(run)) in shown.lookup_choices


def test_a_run_that_makes_no_sense_leads_back_to_the_list(console: Client, run: Run) -> None:
    answer = console.get(f"{DELIVERIES}?run=nonsense")

    assert (answer.status_code, answer["Location"]) == (302, f"{DELIVERIES}?e=1")


def test_a_delivery_says_what_its_state_means_and_links_its_task_result(
    console: Client, run: Run
) -> None:
    delivery = Delivery.objects.get(state=DeliveryState.SKIPPED)
    result = TaskResult.objects.get(task_id=str(delivery.task_id))

    answer = console.get(f"{DELIVERIES}{delivery.pk}/change/")

    assert "Left out on purpose. Reason: Suppressed." in text(answer)
    link = f"/admin/django_celery_results/taskresult/{result.pk}/change/"
    assert f'<a href="{link}">{delivery.task_id} (IGNORED)</a>' in answer.content.decode()
    assert console.get(link).status_code == 200


def test_a_delivery_whose_task_result_was_deleted_says_so(console: Client, run: Run) -> None:
    TaskResult.objects.all().delete()

    page = text(console.get(f"{DELIVERIES}{Delivery.objects.earliest('pk').pk}/change/"))

    assert "Deleted, as those of old runs are" in page


def test_task_results_are_found_by_task_id(console: Client, run: Run) -> None:
    delivery = Delivery.objects.earliest("pk")

    answer = console.get(f"/admin/django_celery_results/taskresult/?q={delivery.task_id}")

    [result] = answer.context["cl"].result_list
    assert result.task_id == str(delivery.task_id)


@pytest.mark.parametrize("path", [DELIVERIES, "/admin/django_celery_results/taskresult/"])
def test_millions_are_listed_without_counting_them(path: str, console: Client) -> None:
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    make_run(make_campaign("Few"))
    with CaptureQueriesContext(connection) as few:
        console.get(path)
    make_recipients(10, mailing_list=readers, prefix="more")
    make_run(make_campaign("Many"))

    with CaptureQueriesContext(connection) as many:
        console.get(path)

    assert len(many) == len(few)
    assert not [query for query in many.captured_queries if "COUNT(" in query["sql"]]


def test_nobody_writes_the_ledger_at_the_console(console: Client, run: Run) -> None:
    delivery = Delivery.objects.earliest("pk")

    answers = [
        console.post(f"{DELIVERIES}add/"),
        console.post(f"{DELIVERIES}{delivery.pk}/change/", {"state": "sent"}),
        console.post(f"{DELIVERIES}{delivery.pk}/delete/", {"post": "yes"}),
        console.post(f"/admin/tracking/runcounters/{run.pk}/change/", {"sent": "3"}),
        console.post(f"/admin/tracking/runcounters/{run.pk}/delete/", {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    action = {"action": "delete_selected", "_selected_action": delivery.pk, "post": "yes"}
    console.post(DELIVERIES, action)
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.QUEUED
