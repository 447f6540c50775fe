import pytest

from recipients.models import MailingList, SubscriptionState
from tests.api import problem, program
from tests.factories import make_list, make_recipient

pytestmark = pytest.mark.django_db

LISTS = "/lists"


def test_a_list_is_made_read_and_changed() -> None:
    crm = program()

    made = crm.post(LISTS, {"name": "Readers", "is_public": True})
    pk = made.json()["id"]
    changed = crm.patch(f"{LISTS}/{pk}", {"description": "News of birds"})

    assert made.status_code == 201
    assert changed.json()["name"] == "Readers"
    assert changed.json()["is_public"]
    assert crm.get(f"{LISTS}/{pk}").json() == changed.json()


def test_a_list_that_cannot_be_is_refused_in_the_words_of_its_form() -> None:
    make_list("Readers")

    answer = program().post(LISTS, {"name": "Readers"})

    assert problem(answer)["errors"][0]["pointer"] == "/name"
    assert MailingList.objects.count() == 1


def test_who_read_something_else_changes_nothing() -> None:
    crm, readers = program(), make_list()
    read = crm.get(f"{LISTS}/{readers.pk}")
    changed = crm.patch(f"{LISTS}/{readers.pk}", {"description": "a"}, if_match=read["ETag"])

    late = crm.patch(f"{LISTS}/{readers.pk}", {"description": "b"}, if_match=read["ETag"])

    assert (changed.status_code, late.status_code) == (200, 412)
    assert MailingList.objects.get().description == "a"
    again = crm.patch(f"{LISTS}/{readers.pk}", {"description": "b"}, if_match=changed["ETag"])
    assert again.status_code == 200


def test_what_is_as_it_was_is_not_sent_again() -> None:
    crm, readers = program(), make_list()
    tag = crm.get(f"{LISTS}/{readers.pk}")["ETag"]

    same = crm.get(f"{LISTS}/{readers.pk}", if_none_match=tag)

    assert (same.status_code, same.content) == (304, b"")
    assert crm.get(f"{LISTS}/{readers.pk}", if_none_match='"other"').status_code == 200


def test_people_are_put_onto_a_list_and_taken_off_and_do_not_come_back() -> None:
    crm, readers, ada = program(), make_list(), make_recipient()
    path = f"{LISTS}/{readers.pk}"
    joining = {"recipients": [ada.pk, 98765], "declaration": "form of the shop"}

    on = crm.post(f"{path}/subscriptions", joining).json()
    off = crm.post(f"{path}/unsubscriptions", {"recipients": [ada.pk]}).json()
    again = crm.post(f"{path}/subscriptions", joining).json()

    assert (on, off, again) == ({"changed": 1}, {"changed": 1}, {"changed": 0})
    [left] = crm.get(f"{path}/subscriptions?state=unsubscribed").json()["items"]
    assert (left["recipient"], left["state"]) == (ada.pk, SubscriptionState.UNSUBSCRIBED)
    assert crm.get(f"{path}/subscriptions?state=confirmed").json()["items"] == []
    [own] = crm.get(f"/recipients/{ada.pk}/subscriptions").json()["items"]
    assert own == left
