from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from recipients.merging import merge
from recipients.models import ConsentEvent, Field, Recipient, Subscription, SuppressionReason, Tag
from recipients.suppression import suppress
from tests.api import problem, program
from tests.factories import make_list, make_recipient, make_recipients, make_segment

pytestmark = pytest.mark.django_db

PEOPLE = "/recipients"


def test_a_recipient_is_added_by_an_address_and_changed_by_what_another_system_calls_them() -> None:
    crm = program()
    Field.objects.create(name="city")
    Tag.objects.create(name="VIP")

    added = crm.post(PEOPLE, {"address": "Ada@Example.org", "external_id": "c-7", "tags": ["VIP"]})
    moved = crm.post(
        PEOPLE, {"address": "ada@new.example", "external_id": "c-7", "fields": {"city": "Hanoi"}}
    )

    assert (added.status_code, moved.status_code) == (201, 200)
    assert added["Location"] == f"/api/v1/recipients/{added.json()['id']}"
    assert moved.json()["id"] == added.json()["id"]
    found = crm.get(added["Location"]).json()
    assert (found["address"], found["fields"]) == ("ada@new.example", {"city": "Hanoi"})
    assert (found["tags"], found["suppressed"]) == (["VIP"], None)


def test_recipient_external_id_unique() -> None:
    make_recipient("ada@example.org")
    make_recipient("bea@example.org")  # of many that have none
    Recipient.objects.filter(key="ada@example.org").update(external_id="7")

    with pytest.raises(IntegrityError, match="recipient_external_id_unique"):
        Recipient.objects.filter(key="bea@example.org").update(external_id="7")


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"address": "nobody"}, "/address"),
        ({"external_id": "unknown"}, "/address"),
        ({"address": "ada@example.org", "time_zone": "Mars/Crater"}, "/time_zone"),
        ({"address": "ada@example.org", "fields": {"ghost": 1}}, "/fields/ghost"),
        ({"address": "ada@example.org", "fields": {"age": "old"}}, "/fields/age"),
        ({"address": "ada@example.org", "tags": ["ghost"]}, "/tags"),
        ({"address": "ada@example.org", "external_id": "x" * 201}, "/external_id"),
        ({"address": "ada@example.org", "lists": [1]}, "/declaration"),
        ({"address": "ada@example.org", "lists": [98765], "declaration": "a form"}, "/lists"),
        (
            {"address": "ada@example.org", "lists": [1], "declaration": "ada@example.org said so"},
            "/declaration",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_of_it_is_stored(
    sent: dict[str, Any], pointer: str
) -> None:
    Field.objects.create(name="age", kind="number")

    answer = program().post(PEOPLE, sent)

    assert answer.status_code == 422
    assert [each["pointer"] for each in problem(answer)["errors"]] == [pointer]
    assert not Recipient.objects.exists()


def test_who_comes_onto_a_list_has_it_in_the_consent_ledger() -> None:
    readers = make_list()
    sent = {"address": "ada@example.org", "lists": [readers.pk], "declaration": "form of the shop"}

    answer = program().post(PEOPLE, sent)

    assert Subscription.objects.get().recipient_id == answer.json()["id"]
    assert "form of the shop" in ConsentEvent.objects.get().source


def test_ten_thousand_are_saved_in_one_request_with_as_many_statements_as_two() -> None:
    crm, readers = program(), make_list()
    Field.objects.create(name="first_name")

    def sent(count: int, prefix: str) -> dict[str, Any]:
        people = [
            {"address": f"{prefix}{n}@example.org", "fields": {"first_name": f"R{n}"}}
            for n in range(count)
        ]
        return {"recipients": people, "lists": [readers.pk], "declaration": "moved from the CRM"}

    with CaptureQueriesContext(connection) as few:
        crm.post(f"{PEOPLE}/bulk", sent(2, "a"))
    with CaptureQueriesContext(connection) as many:
        answer = crm.post(f"{PEOPLE}/bulk", sent(10_000, "b"))

    assert answer.json() == {
        "created": 10_000,
        "updated": 0,
        "unchanged": 0,
        "subscribed": 10_000,
        "refused": [],
    }
    assert Subscription.objects.filter(mailing_list=readers).count() == 10_002
    assert len(many) <= len(few) + 15  # rows of subscriptions and events are written in batches


def test_of_many_those_that_are_wrong_are_named_and_the_others_are_saved() -> None:
    crm = program()
    Field.objects.create(name="city")
    make_recipient("known@example.org", fields={"city": "Hue"})
    make_recipient("same@example.org", fields={"city": "Hue"})
    suppress("x@x.example", reason=SuppressionReason.MANUAL, source="", now=timezone.now())

    answer = crm.post(
        f"{PEOPLE}/bulk",
        {
            "recipients": [
                {"address": "new@example.org"},
                {"address": "bad"},
                {"address": "NEW@example.org"},
                {"address": "known@example.org", "fields": {"city": "Hanoi"}},
                {"address": "same@example.org", "fields": {"city": "Hue"}},
                {"address": "known@example.org", "fields": {"city": "Paris"}},
            ]
        },
    ).json()

    assert {name: answer[name] for name in ("created", "updated", "unchanged")} == {
        "created": 1,
        "updated": 1,
        "unchanged": 1,
    }
    assert [(each["index"], each["pointer"]) for each in answer["refused"]] == [
        (1, "/address"),
        (2, ""),
        (5, ""),
    ]
    assert Recipient.objects.get(key="known@example.org").fields == {"city": "Hanoi"}


def test_who_asked_to_be_forgotten_is_not_brought_back() -> None:
    crm = program()
    pk = crm.post(PEOPLE, {"address": "ada@example.org"}).json()["id"]

    erased = crm.delete(f"{PEOPLE}/{pk}")
    back = crm.post(PEOPLE, {"address": "ada@example.org"})

    assert (erased.status_code, back.status_code) == (204, 422)
    assert "asked to be forgotten" in problem(back)["errors"][0]["detail"]
    assert crm.get(f"{PEOPLE}/{pk}").status_code == 404


def test_what_is_given_changes_and_the_rest_stays() -> None:
    crm = program()
    for name in ("city", "first_name"):
        Field.objects.create(name=name)
    ada = make_recipient(fields={"city": "Hue", "first_name": "Ada"})

    answer = crm.patch(f"{PEOPLE}/{ada.pk}", {"fields": {"city": None}, "language": "vi"})

    assert answer.json()["fields"] == {"city": "", "first_name": "Ada"}
    assert answer.json()["language"] == "vi"


def test_an_address_of_somebody_else_is_refused() -> None:
    crm = program()
    make_recipient("bea@example.org")
    ada = make_recipient("ada@example.org")

    answer = crm.patch(f"{PEOPLE}/{ada.pk}", {"address": "bea@example.org"})

    assert problem(answer)["errors"] == [
        {"pointer": "/address", "detail": "Somebody else has this address."}
    ]


def test_recipients_are_found_by_what_is_asked() -> None:
    crm, readers = program(), make_list()
    ada = make_recipient("ada@example.org", lists=[readers], fields={"city": "Hanoi"})
    bea = make_recipient("bea@example.org")
    Recipient.objects.filter(pk=bea.pk).update(external_id="7")
    segment = make_segment(city="Hanoi")

    def ids(query: str) -> list[int]:
        return [each["id"] for each in crm.get(f"{PEOPLE}?{query}").json()["items"]]

    assert ids("") == [bea.pk, ada.pk]
    assert ids("address=ADA@example.org") == [ada.pk]
    assert ids("external_id=7") == [bea.pk]
    assert ids(f"list={readers.pk}") == [ada.pk]
    assert ids(f"segment={segment.pk}") == [ada.pk]
    assert ids("q=be") == [bea.pk]
    assert ids("q=city:Hanoi") == [ada.pk]
    assert problem(crm.get(f"{PEOPLE}?list=98765"))["errors"][0]["pointer"] == "/list"


def test_pages_of_ten_thousand_cost_the_same_and_show_everybody_once() -> None:
    crm, readers = program(), make_list()
    make_recipients(10_000, mailing_list=readers)
    seen: list[int] = []
    costs = set()
    cursor = ""

    while True:
        with CaptureQueriesContext(connection) as queries:
            page = crm.get(f"{PEOPLE}?limit=200&cursor={cursor}").json()
        costs.add(len(queries))
        seen += [each["id"] for each in page["items"]]
        if not (cursor := page["next"] or ""):
            break

    assert len(seen) == len(set(seen)) == 10_000
    assert costs == {max(costs)} or costs == {max(costs), max(costs) - 1}  # the last use is noted
    assert not any("COUNT(" in each["sql"].upper() for each in queries)


def test_a_cursor_is_of_its_question_alone_and_cannot_be_made_up() -> None:
    crm, readers = program(), make_list()
    make_recipients(3, mailing_list=readers)
    cursor = crm.get(f"{PEOPLE}?limit=1").json()["next"]

    other = crm.get(f"{PEOPLE}?limit=1&list={readers.pk}&cursor={cursor}")
    forged = crm.get(f"{PEOPLE}?limit=1&cursor={cursor[:-1]}")

    assert (other.status_code, forged.status_code) == (422, 422)
    assert crm.get(f"{PEOPLE}?limit=2&cursor={cursor}").json()["next"] is None


def test_a_key_of_some_lists_sees_who_is_on_them_and_touches_nobody_else() -> None:
    readers, donors = make_list("Readers"), make_list("Donors")
    ada = make_recipient("ada@example.org", lists=[readers])
    bea = make_recipient("bea@example.org", lists=[donors])
    crm = program(lists=[readers])

    assert [each["id"] for each in crm.get(PEOPLE).json()["items"]] == [ada.pk]
    assert [each["id"] for each in crm.get("/lists").json()["items"]] == [readers.pk]
    assert crm.get(f"{PEOPLE}/{bea.pk}").status_code == 404
    refused = problem(crm.post(PEOPLE, {"address": "bea@example.org", "language": "vi"}))
    assert refused["errors"][0]["detail"] == "There is somebody like this whom you may not see."
    joined = crm.post(
        f"/lists/{readers.pk}/subscriptions", {"recipients": [bea.pk], "declaration": "x"}
    )
    assert joined.json() == {"changed": 0}
    assert crm.post("/lists", {"name": "Mine"}).status_code == 403


def test_who_becomes_a_part_of_another_one_leaves_them_the_name_of_the_other_system() -> None:
    kept, gone = make_recipient("ada@example.org"), make_recipient("ada@old.example")
    Recipient.objects.filter(pk=gone.pk).update(external_id="c-7")

    merge(kept.pk, gone.pk, by="mai", now=timezone.now())

    crm = program()
    [found] = crm.get(f"{PEOPLE}?external_id=c-7").json()["items"]
    assert found["id"] == kept.pk
    refused = crm.post(PEOPLE, {"address": "ada@old.example"})
    assert "instead of this one" in problem(refused)["errors"][0]["detail"]
