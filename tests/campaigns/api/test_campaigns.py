"""Campaigns and what became of them, as programs ask for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.models import Campaign, CampaignStatus, Run, RunStatus
from tests.api import Program, problem, program
from tests.factories import (
    make_campaign,
    make_delivery,
    make_list,
    make_past_run,
    make_recipient,
    make_recipients,
    make_run,
    make_sender,
    make_template,
)
from tracking.models import DeliveryState

pytestmark = pytest.mark.django_db

CAMPAIGNS = "/campaigns"


def draft(crm: Program, **given: Any) -> dict[str, Any]:
    readers = make_list()
    make_recipient(lists=[readers])
    sent = {
        "name": "Spring",
        "sender": make_sender().pk,
        "template": make_template().pk,
        "lists": [readers.pk],
        **given,
    }
    made: dict[str, Any] = crm.post(CAMPAIGNS, sent).json()
    return made


def accepted(crm: Program, path: str) -> list[str]:
    return [each["name"] for each in crm.get(f"{path}/look").json()["warnings"]]


def test_a_campaign_is_made_changed_and_scheduled() -> None:
    crm = program()
    made = draft(crm, time_to_live="P1D", priority="transactional")
    path = f"{CAMPAIGNS}/{made['id']}"
    at = (timezone.now() + timedelta(days=2)).replace(microsecond=0)

    changed = crm.patch(path, {"name": "Summer"}).json()
    look = crm.get(f"{path}/look").json()
    scheduled = crm.post(
        f"{path}/schedule",
        {"when": "at", "at": at.isoformat(), "accepted": accepted(crm, path)},
    )

    assert (changed["name"], changed["lists"], changed["time_to_live"]) == (
        "Summer",
        made["lists"],
        "P1DT00H00M00S",
    )
    assert look["receiving"] == 1
    assert (scheduled.status_code, scheduled.json()["status"]) == (200, "scheduled")
    assert datetime.fromisoformat(scheduled.json()["next_fire_at"]) == at
    assert Campaign.objects.get().version


def test_what_is_scheduled_is_taken_back_before_it_is_changed() -> None:
    crm = program()
    path = f"{CAMPAIGNS}/{draft(crm)['id']}"
    sent = {"when": "cron", "cron": "0 9 * * MON", "accepted": accepted(crm, path)}
    assert crm.post(f"{path}/schedule", sent).status_code == 200

    refused = crm.patch(path, {"name": "Summer"})
    back = crm.post(f"{path}/withdraw").json()

    assert problem(refused)["status"] == 409
    assert back["status"] == "draft"
    assert crm.patch(path, {"name": "Summer"}).status_code == 200
    assert crm.delete(path).status_code == 204


def test_another_audience_or_content_than_was_looked_at_stops_it() -> None:
    crm = program()
    path = f"{CAMPAIGNS}/{draft(crm)['id']}"
    names = accepted(crm, path)

    fewer = crm.post(f"{path}/schedule", {"when": "now", "accepted": names, "receiving": 7})
    other = crm.post(f"{path}/schedule", {"when": "now", "accepted": names, "fingerprint": "x"})

    assert "6 fewer people" in problem(fewer)["detail"]
    assert "was changed" in problem(other)["detail"]
    assert Campaign.objects.get().status == CampaignStatus.DRAFT


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"when": "at"}, "/at"),
        ({"when": "cron"}, "/cron"),
        ({"when": "now", "hours_from": "09:00"}, "/hours_until"),
        ({"when": "at", "at": "2030-01-01T09:00"}, "/at"),
        ({"when": "soon"}, "/when"),
    ],
)
def test_a_time_that_is_none_is_named(sent: dict[str, Any], pointer: str) -> None:
    crm = program()

    answer = crm.post(f"{CAMPAIGNS}/{make_campaign().pk}/schedule", sent)

    assert [each["pointer"] for each in problem(answer)["errors"]] == [pointer]


def test_a_campaign_that_cannot_be_is_refused_field_by_field() -> None:
    sent = {"name": "Spring\nBcc: x", "sender": 98765, "template": 98765, "attachments": [98765]}

    answer = program().post(CAMPAIGNS, sent)

    pointers = {each["pointer"] for each in problem(answer)["errors"]}
    assert pointers == {"/name", "/sender", "/template", "/attachments"}
    assert not Campaign.objects.exists()


def test_a_run_is_paused_resumed_and_cancelled(broker: Any) -> None:
    crm = program()
    readers = make_list()
    make_recipient(lists=[readers])
    run = make_run(make_campaign(lists=[readers]))
    path = f"{CAMPAIGNS}/{run.campaign_id}"

    [paused] = crm.post(f"{path}/pause").json()
    again = crm.post(f"{path}/pause")
    [resumed] = crm.post(f"{path}/resume").json()
    cancelled = crm.post(f"{path}/cancel").json()

    assert (paused["status"], resumed["status"]) == ("paused", "sending")
    assert problem(again)["status"] == 409
    assert cancelled == {"status": "cancelled", "runs": [run.pk]}
    assert Run.objects.get().status == RunStatus.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_what_is_cancelled_has_no_open_delivery_after_the_commit() -> None:
    readers = make_list()
    make_recipient(lists=[readers])
    run = make_run(make_campaign(lists=[readers]))
    crm = program()

    crm.post(f"{CAMPAIGNS}/{run.campaign_id}/cancel", idempotency_key="a-1")
    again = crm.post(f"{CAMPAIGNS}/{run.campaign_id}/cancel", idempotency_key="a-1")

    assert again.json() == {"status": "cancelled", "runs": [run.pk]}
    counts = crm.get(f"/runs/{run.pk}").json()["counts"]
    assert {state: count for state, count in counts.items() if count} == {"cancelled": 1}


def test_reports_and_the_ledger_say_what_a_run_came_to() -> None:
    crm = program()
    run = make_past_run(make_campaign(), sent=2, failed=1, clicks_people=1)
    ada = make_recipient()
    delivery = make_delivery(run, ada)

    report = crm.get(f"/runs/{run.pk}/report").json()
    [found] = crm.get(f"/deliveries?q={ada.address}").json()["items"]

    assert (report["sent"], report["failed"], report["clicks"]["people"]) == (2, 1, 1)
    assert crm.get(f"{CAMPAIGNS}/{run.campaign_id}/report").json() == report
    assert (found["id"], found["state"]) == (delivery.pk, DeliveryState.SENT)
    assert crm.get(f"/deliveries/{delivery.pk}").json() == found
    assert crm.get(f"/deliveries/{delivery.pk}/events").json() == {"items": [], "next": None}
    assert crm.get(f"/events?run={run.pk}").json()["items"] == []
    [shown] = crm.get(f"/runs?campaign={run.campaign_id}&status=completed").json()["items"]
    assert (shown["id"], shown["counts"]["sent"]) == (run.pk, 2)
    assert crm.get(f"/runs/{run.pk}/links").json() == []
    assert problem(crm.get("/deliveries?q=what"))["errors"][0]["pointer"] == "/q"


def test_the_ledger_is_read_page_by_page_each_delivery_once() -> None:
    crm, run = program(), make_past_run(make_campaign())
    people = make_recipients(51, mailing_list=make_list())
    written = [make_delivery(run, each).pk for each in people]
    asked = f"/deliveries?run={run.pk}"

    first = crm.get(asked).json()
    last = crm.get(f"{asked}&cursor={first['next']}").json()

    pages = [each["id"] for page in (first, last) for each in page["items"]]
    assert pages == sorted(written, reverse=True)
    assert (len(first["items"]), last["next"]) == (50, None)
    other = crm.get(f"/deliveries?cursor={first['next']}")
    assert problem(other)["errors"][0]["pointer"] == "/cursor"


def test_a_key_of_some_lists_sees_the_campaigns_to_these_alone() -> None:
    readers, donors = make_list("Readers"), make_list("Donors")
    mine = make_campaign("Mine", lists=[readers])
    theirs = make_past_run(
        make_campaign("Theirs", lists=[donors]), at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    delivery = make_delivery(theirs, make_recipient(lists=[donors]))
    crm = program(lists=[readers])

    assert [each["id"] for each in crm.get(CAMPAIGNS).json()["items"]] == [mine.pk]
    assert crm.get("/runs").json()["items"] == []
    assert crm.get(f"/deliveries/{delivery.pk}").status_code == 404
    assert crm.get(f"/deliveries?run={theirs.pk}").json()["items"] == []
    assert crm.get("/events").json()["items"] == []
    aimed = crm.patch(f"{CAMPAIGNS}/{mine.pk}", {"lists": [donors.pk]})
    assert problem(aimed)["errors"][0]["pointer"] == "/lists"
