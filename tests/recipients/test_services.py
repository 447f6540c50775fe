import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from recipients.models import (
    Field,
    MailingList,
    Recipient,
    Subscription,
    Suppression,
)
from recipients.services import unsubscribe
from tests.factories import make_list, make_recipient

pytestmark = pytest.mark.django_db


def test_unsubscribing_says_what_it_changed() -> None:
    readers, others = make_list(), make_list("Others")
    ada = make_recipient(lists=[readers, others])

    left = [unsubscribe(ada, lists=[readers], source="test", now=timezone.now()) for _ in range(2)]

    assert left == [1, 0]
    assert not Recipient.objects.subscribed_to(readers).exists()
    assert Recipient.objects.subscribed_to(others).get() == ada


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        (
            Recipient(address="a@b.example", key="ada@example.org", domain="x"),
            "recipient_key_unique",
        ),
        (Recipient(address="x", key="x", domain="x"), "recipient_key_is_address"),
        (Recipient(address="a@x.example", key="a@x.example"), "recipient_key_is_address"),
        (MailingList(name="Readers"), "mailing_list_name_unique"),
        (Suppression(key="s@example.org", reason="whim"), "suppression_reason_known"),
        (Suppression(key="taken@example.org", reason="manual"), "suppression_key_unique"),
        (Field(name="taken"), "field_name_unique"),
    ],
)
def test_the_tables_refuse_what_may_not_be(row: Recipient | MailingList, constraint: str) -> None:
    make_recipient(lists=[make_list()])
    Suppression.objects.create(key="taken@example.org", reason="manual")
    Field.objects.create(name="taken")

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row.save(force_insert=True)


def test_a_subscription_is_unique_and_in_a_known_state() -> None:
    readers = make_list()
    ada = make_recipient(lists=[readers])

    with pytest.raises(IntegrityError, match="subscription_unique"), transaction.atomic():
        Subscription.objects.create(recipient=ada, mailing_list=readers, state="pending")
    with pytest.raises(IntegrityError, match="subscription_state_known"), transaction.atomic():
        Subscription.objects.update(state="maybe")


def test_a_lists_identifier_is_its_own() -> None:
    readers = make_list()

    with (
        pytest.raises(IntegrityError, match="mailing_list_identifier_unique"),
        transaction.atomic(),
    ):
        MailingList.objects.create(name="Other", identifier=readers.identifier)
