"""Segments and suppression, as programs ask for them."""

from typing import Any

import pytest

from recipients.models import Field, LiftedSuppression, Segment, Suppression
from tests.api import ALL, problem, program
from tests.factories import make_campaign, make_list, make_recipient, make_segment

pytestmark = pytest.mark.django_db

HANOI = {"match": "all", "rules": [{"about": "field:city", "operator": "is", "value": "Hanoi"}]}


def test_a_segment_is_made_counted_changed_and_deleted() -> None:
    crm = program()
    Field.objects.create(name="city")
    make_recipient(fields={"city": "Hanoi"})

    made = crm.post("/segments", {"name": "Hanoi", "rules": HANOI})
    path = f"/segments/{made.json()['id']}"
    counted = crm.get(f"{path}/count").json()
    renamed = crm.patch(path, {"name": "In Hanoi"}).json()

    assert made.status_code == 201
    assert counted == {"count": 1}
    assert (renamed["name"], renamed["rules"]) == ("In Hanoi", made.json()["rules"])
    assert crm.delete(path).status_code == 204
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    "rules",
    [{}, {"match": "all", "rules": [{"about": "field:ghost", "operator": "is", "value": "x"}]}],
)
def test_rules_that_cannot_be_asked_are_refused(rules: dict[str, Any]) -> None:
    answer = program().post("/segments", {"name": "Hanoi", "rules": rules})

    assert [each["pointer"] for each in problem(answer)["errors"]] == ["/rules"]


def test_a_segment_that_is_used_stays() -> None:
    segment = make_segment()
    make_campaign(segments=[segment])

    assert problem(program().delete(f"/segments/{segment.pk}"))["status"] == 409


def test_a_key_of_some_lists_uses_no_segments() -> None:
    crm = program(lists=[make_list()])
    make_list("Donors")
    segment = make_segment()

    assert crm.get("/segments").json()["items"] == []
    assert crm.get(f"/segments/{segment.pk}/count").status_code == 404
    assert crm.post("/segments", {"name": "A", "rules": HANOI}).status_code == 403


def test_addresses_and_domains_are_suppressed_found_and_lifted() -> None:
    crm = program()
    sent = {"entries": ["Ada@example.org", "@spam.example"], "source": "the old provider"}

    added = crm.post("/suppressions", sent).json()
    again = crm.post("/suppressions", sent).json()
    [found] = crm.get("/suppressions?q=ada@example.org").json()["items"]
    [domain] = crm.get("/suppressions?domains=true").json()["items"]
    lifted = crm.post(f"/suppressions/{found['id']}/lift", {"why": "a mistake"})

    assert (added, again) == ({"added": 2, "known": 0}, {"added": 0, "known": 2})
    assert (found["address"], domain["address"]) == ("ada@example.org", "spam.example")
    assert lifted.status_code == 204
    assert LiftedSuppression.objects.get().why == "a mistake"
    assert crm.get(f"/suppressions/{found['id']}").status_code == 404


def test_where_one_entry_cannot_be_read_none_is_added() -> None:
    answer = program().post("/suppressions", {"entries": ["ada@example.org", "nobody at all"]})

    assert "line 2" in problem(answer)["errors"][0]["detail"]
    assert not Suppression.objects.exists()


def test_a_complaint_is_lifted_by_who_may_alone() -> None:
    crm = program()
    crm.post("/suppressions", {"entries": ["ada@example.org"], "reason": "complaint"})
    path = f"/suppressions/{Suppression.objects.get().pk}/lift"

    refused = crm.post(path, {"why": "they asked"})
    lifted = program(
        *ALL, "recipients.lift_complaint", scopes=[*ALL, "recipients.lift_complaint"]
    ).post(path, {"why": "they asked"})

    assert problem(refused)["status"] == 409
    assert lifted.status_code == 204
