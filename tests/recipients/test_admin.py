import json
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from recipients.models import (
    Field,
    MailingList,
    Recipient,
    Segment,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
    Tag,
    Tagging,
)
from tests.console import superuser, text
from tests.factories import make_campaign, make_list, make_recipient, make_recipients
from tests.recipients.segments.asked import every, rule

pytestmark = pytest.mark.django_db

RECIPIENTS = "/admin/recipients/recipient/"
LISTS = "/admin/recipients/mailinglist/"
SUPPRESSIONS = "/admin/recipients/suppression/"


@pytest.fixture
def console() -> Client:
    return superuser()


def typed(**values: str) -> dict[str, str]:
    """Return what the form for a recipient posts, without subscriptions."""
    formset = {"subscription_set-TOTAL_FORMS": "0", "subscription_set-INITIAL_FORMS": "0"}
    return {"address": "ada@example.org", "fields": "{}"} | formset | values


def found(console: Client, path: str) -> list[Any]:
    return list(console.get(path).context["cl"].result_list)


# --- a recipient ------------------------------------------------------------------------------


def test_a_recipient_is_stored_as_an_import_would_store_it(console: Client) -> None:
    console.post(f"{RECIPIENTS}add/", typed(address=" Ada@Bücher.Example "))

    recipient = Recipient.objects.get()
    assert recipient.address == "Ada@xn--bcher-kva.example"
    assert recipient.key == "ada@xn--bcher-kva.example"
    assert recipient.domain == "xn--bcher-kva.example"
    assert not recipient.needs_smtputf8


def test_a_corrected_address_takes_its_key_along(console: Client) -> None:
    recipient = make_recipient("ada@example.org")

    console.post(f"{RECIPIENTS}{recipient.pk}/change/", typed(address="Zoë@example.net"))

    recipient.refresh_from_db()
    assert (recipient.key, recipient.domain) == ("zoë@example.net", "example.net")
    assert recipient.needs_smtputf8


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"address": "ada"}, "This is not an address: there is no @"),
        ({"address": "ADA@example.org"}, "There is a recipient with this address: ada@example.org"),
        ({"address": "b@example.org", "fields": "["}, "Enter a valid JSON"),
        ({"address": "b@example.org", "fields": "[1]"}, "Write an object of names and values"),
        ({"address": "b@example.org", "fields": '{"city": "Huế"}'}, "There is no field city"),
        ({"address": "b@example.org", "fields": r'{"x": "\u0000"}'}, "There is a NUL"),
        ({"address": "b@example.org", "fields": r'{"x": "\ud800"}'}, "half a character"),
        ({"address": "b@example.org", "fields": '{"x": NaN}'}, "a number without value"),
        ({"address": "b@example.org", "time_zone": "Mars"}, "Mars is no time zone"),
    ],
)
def test_what_is_wrong_is_an_error_of_the_form(
    values: dict[str, str], reason: str, console: Client
) -> None:
    make_recipient("ada@example.org")
    Field.objects.create(name="x")

    answer = console.post(f"{RECIPIENTS}add/", typed(**values))

    assert answer.status_code == 200
    assert reason in text(answer)
    assert Recipient.objects.count() == 1


def test_fields_are_shown_as_a_table(console: Client) -> None:
    recipient = make_recipient(fields={"city": "Huế", "plan": "", "note": "<b>x</b>"})

    page = console.get(f"{RECIPIENTS}{recipient.pk}/change/").content.decode()

    assert '<th scope="row">city</th>' in page
    assert "<td>&lt;b&gt;x&lt;/b&gt;</td>" in page
    assert "no value" in page


def test_a_changed_subscription_remembers_when(console: Client) -> None:
    recipient = make_recipient(lists=[make_list(), make_list("Other")])
    kept, left = Subscription.objects.order_by("pk")
    values = typed()
    values["subscription_set-TOTAL_FORMS"] = values["subscription_set-INITIAL_FORMS"] = "2"
    for number, (each, state) in enumerate([(kept, "confirmed"), (left, "unsubscribed")]):
        values |= {
            f"subscription_set-{number}-id": str(each.pk),
            f"subscription_set-{number}-recipient": str(recipient.pk),
            f"subscription_set-{number}-mailing_list": str(each.mailing_list_id),
            f"subscription_set-{number}-state": state,
        }

    console.post(f"{RECIPIENTS}{recipient.pk}/change/", values)

    changed = {each.pk: each.changed_at for each in Subscription.objects.all()}
    assert Subscription.objects.get(pk=left.pk).state == SubscriptionState.UNSUBSCRIBED
    assert changed[left.pk] > left.changed_at
    assert changed[kept.pk] == kept.changed_at


# --- the list of recipients -------------------------------------------------------------------


def test_recipients_are_found_by_their_whole_address_or_a_part(console: Client) -> None:
    ada, _ = make_recipient("ada@example.org"), make_recipient("xada@example.org")

    whole = found(console, f"{RECIPIENTS}?q=ADA@example.org")
    part = found(console, f"{RECIPIENTS}?q=ada@")

    assert whole == [ada]
    assert len(part) == 2


def test_recipients_are_filtered_by_list_and_suppression(console: Client) -> None:
    readers = make_list()
    ada = make_recipient("ada@example.org", lists=[readers])
    bob = make_recipient("bob@example.org")
    Suppression.objects.create(key="bob@example.org", reason=SuppressionReason.BOUNCE)

    assert found(console, f"{RECIPIENTS}?list={readers.pk}") == [ada]
    assert found(console, f"{RECIPIENTS}?suppressed=yes") == [bob]
    assert found(console, f"{RECIPIENTS}?suppressed=no") == [ada]


def test_a_filter_that_makes_no_sense_filters_nothing(console: Client) -> None:
    ada = make_recipient()

    assert found(console, f"{RECIPIENTS}?list=nonsense") == [ada]


@pytest.mark.parametrize("what", ["list", "tag", "segment"])
def test_of_a_list_a_tag_or_a_segment_that_is_gone_there_is_nobody(
    what: str, console: Client
) -> None:
    make_recipient(lists=[make_list()])
    Tag.objects.create(name="VIP")
    Segment.objects.create(name="All", rules=every(rule("address", "contains", "@")))

    assert found(console, f"{RECIPIENTS}?{what}=999999") == []


def test_many_recipients_are_listed_without_counting_them(console: Client) -> None:
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    with CaptureQueriesContext(connection) as few:
        console.get(RECIPIENTS)
    make_recipients(10, mailing_list=readers, prefix="more")

    with CaptureQueriesContext(connection) as many:
        console.get(RECIPIENTS)

    assert len(many) == len(few)
    assert not [query for query in many.captured_queries if "COUNT(" in query["sql"]]


# --- lists, suppressions, fields --------------------------------------------------------------


def test_a_list_that_somebody_is_on_or_a_campaign_uses_is_kept(console: Client) -> None:
    subscribed, used, empty = make_list("A"), make_list("B"), make_list("C")
    make_recipient(lists=[subscribed])
    make_campaign(lists=[used])

    answers = [
        console.post(f"{LISTS}{each.pk}/delete/", {"post": "yes"}).status_code
        for each in (subscribed, used, empty)
    ]

    assert answers == [403, 403, 302]
    assert list(MailingList.objects.order_by("name")) == [subscribed, used]


def test_a_list_says_how_many_are_confirmed(console: Client) -> None:
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    make_recipient("left@example.org", lists=[readers], state=SubscriptionState.UNSUBSCRIBED)

    assert "Confirmed recipients 3" in text(console.get(f"{LISTS}{readers.pk}/change/"))


def test_suppressions_are_found_by_address(console: Client) -> None:
    for key in ("ada@example.org", "bob@example.org"):
        Suppression.objects.create(key=key, reason=SuppressionReason.BOUNCE)

    assert [each.key for each in found(console, f"{SUPPRESSIONS}?q=Ada@example.org")] == [
        "ada@example.org"
    ]


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        (Field(name="x", kind="moon"), "field_kind_known"),
        (Field(name="x", kind="choice"), "field_choice_has_choices"),
        (Field(name="x", kind="text", choices=["a"]), "field_choice_has_choices"),
        (Tag(name="VIP"), "tag_name_unique"),
    ],
)
def test_the_tables_of_fields_and_tags_refuse_what_may_not_be(
    row: Field | Tag, constraint: str
) -> None:
    tag, ada = Tag.objects.create(name="VIP"), make_recipient()
    Tagging.objects.create(tag=tag, recipient=ada)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row.save(force_insert=True)
    with pytest.raises(IntegrityError, match="tagging_unique"), transaction.atomic():
        Tagging.objects.create(tag=tag, recipient=ada)
    with (
        pytest.raises(IntegrityError, match="recipient_tracking_consent_known"),
        transaction.atomic(),
    ):
        Recipient.objects.update(tracking_consent="maybe")


# --- values, tags and segments of recipients --------------------------------------------------


@pytest.fixture
def plan() -> Field:
    Field.objects.create(name="age", kind="number")
    Field.objects.create(name="born", kind="date")
    Field.objects.create(name="vip", kind="boolean")
    return Field.objects.create(name="plan", kind="choice", choices=["Free", "Pro"])


def test_values_of_a_recipient_are_read_by_the_kinds_of_the_fields(
    plan: Field, console: Client
) -> None:
    values = {"age": "18.5", "born": "2000-02-29", "vip": "yes", "plan": "pro"}

    console.post(f"{RECIPIENTS}add/", typed(fields=json.dumps(values)))

    assert Recipient.objects.get().fields == {
        "age": 18.5, "born": "2000-02-29", "vip": True, "plan": "Pro",
    }  # fmt: skip


def test_a_value_that_is_none_of_the_fields_kind_is_an_error(plan: Field, console: Client) -> None:
    answer = console.post(f"{RECIPIENTS}add/", typed(fields='{"plan": "Gold"}'))

    assert "plan: 'Gold' is none of Free, Pro." in text(answer)
    assert not Recipient.objects.exists()


@pytest.mark.parametrize(
    ("term", "is_found"),
    [
        ("plan:pro", True), ("plan: Pro ", True), ("age:18.50", True), ("born:2000-02-29", True),
        ("vip:yes", True), ("vip:no", False), ("plan:gold", False), ("age:old", False),
        ("plan:free", False), ("moon:full", False), ("plan:", False),
    ],
)  # fmt: skip
def test_recipients_are_found_by_a_value(
    term: str, is_found: bool, plan: Field, console: Client
) -> None:
    values = {"age": 18.5, "born": "2000-02-29", "vip": True, "plan": "Pro"}
    ada = make_recipient(fields=values)

    assert found(console, f"{RECIPIENTS}?q={term}") == [ada] * is_found


def test_tags_are_put_on_recipients_and_taken_off(console: Client) -> None:
    readers = make_list()
    *both, _other = make_recipients(3, mailing_list=readers)
    tag = Tag.objects.create(name="VIP")

    def act(action: str, chosen: str) -> str:
        ids = [str(each.pk) for each in both]
        values = {"action": action, "_selected_action": ids, "tag": chosen}
        return text(console.post(RECIPIENTS, values, follow=True))

    assert "Choose a tag beside the action." in act("add_tag", "")
    assert "who have the tag VIP: 2." in act("add_tag", str(tag.pk))
    act("add_tag", str(tag.pk))
    assert set(found(console, f"{RECIPIENTS}?tag={tag.pk}")) == set(both)
    assert "who had the tag VIP: 2." in act("remove_tag", str(tag.pk))
    assert found(console, f"{RECIPIENTS}?tag={tag.pk}") == []


def test_recipients_are_filtered_by_segment(console: Client) -> None:
    ada, _ = make_recipient("ada@example.org"), make_recipient("bob@example.org")
    segment = Segment.objects.create(name="A", rules=every(rule("address", "starts_with", "a")))
    broken = Segment.objects.create(name="Broken", rules=every(rule("tag", "has", 1)))

    assert found(console, f"{RECIPIENTS}?segment={segment.pk}") == [ada]
    answer = console.get(f"{RECIPIENTS}?segment={broken.pk}")
    assert "Broken: rule 1: Tag has: there is no such tag any more" in text(answer)
    assert list(answer.context["cl"].result_list) == []
