import io
import threading

import pytest
from django.db import IntegrityError, connection, transaction

from recipients.csv_reader import BadLine, RecipientReader
from recipients.models import (
    Field,
    MailingList,
    Recipient,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from recipients.services import ImportReport, import_recipients, suppress, unsubscribe
from tests.factories import make_list, make_recipient

pytestmark = pytest.mark.django_db


def load(text: str, *, mailing_list: MailingList) -> tuple[ImportReport, list[BadLine]]:
    bad: list[BadLine] = []
    reader = RecipientReader(io.StringIO(text))
    return import_recipients(reader, mailing_list=mailing_list, on_bad_line=bad.append), bad


def test_good_lines_are_imported_and_bad_ones_named() -> None:
    readers = make_list()

    report, bad = load(
        "email,name\nada@example.org,Ada\nwrong,X\nADA@example.org,Twice\n", mailing_list=readers
    )

    assert report == ImportReport(new=1, duplicates=1, invalid=1)
    assert [line.line for line in bad] == [3]
    ada = Recipient.objects.get()
    assert (ada.address, ada.key, ada.domain) == (
        "ada@example.org",
        "ada@example.org",
        "example.org",
    )
    assert ada.fields == {"name": "Ada"}
    assert Recipient.objects.subscribed_to(readers).get() == ada
    assert Field.objects.get().name == "name"


def test_importing_a_file_again_changes_nothing() -> None:
    text = "email,name\nada@example.org,Ada\nbob@example.org,\n"
    readers = make_list()
    load(text, mailing_list=readers)
    before = list(Recipient.objects.order_by("pk").values())

    report, _ = load(text, mailing_list=readers)

    assert report == ImportReport(unchanged=2)
    assert list(Recipient.objects.order_by("pk").values()) == before


def test_a_new_value_overwrites_and_a_blank_one_does_not() -> None:
    readers = make_list()
    load("email,name,city\nada@example.org,Ada,Rome\n", mailing_list=readers)

    report, _ = load("email,name,city,team\nada@example.org,,Oslo,\n", mailing_list=readers)

    assert report == ImportReport(changed=1)
    assert Recipient.objects.get().fields == {"name": "Ada", "city": "Oslo", "team": ""}


def test_an_import_never_brings_back_who_has_left_or_is_suppressed() -> None:
    readers = make_list()
    left = make_recipient("left@example.org", lists=[readers])
    unsubscribe(left, lists=[readers])
    suppress("never@example.org", reason=SuppressionReason.COMPLAINT, source="test")

    report, _ = load("email\nleft@example.org\nnever@example.org\n", mailing_list=readers)

    assert report == ImportReport(new=1, unchanged=1, suppressed=1)
    assert Subscription.objects.get(recipient=left).state == SubscriptionState.UNSUBSCRIBED
    assert not Recipient.objects.not_suppressed().filter(key="never@example.org").exists()


def test_more_rows_than_a_batch_are_all_imported() -> None:
    lines = "".join(f"r{n}@example.org\n" for n in range(4_500))

    report, _ = load(f"email\n{lines}r1@example.org\n", mailing_list=make_list())

    assert report == ImportReport(new=4_500, duplicates=1)
    assert Subscription.objects.count() == Recipient.objects.count() == 4_500


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_people_at_once_make_each_of_them_once() -> None:
    text = "email\n" + "".join(f"r{n}@example.org\n" for n in range(3_000))
    readers = make_list()
    start = threading.Barrier(2)

    def run() -> None:
        start.wait()
        load(text, mailing_list=readers)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Recipient.objects.count() == Subscription.objects.count() == 3_000


def test_unsubscribing_says_what_it_changed() -> None:
    readers, others = make_list(), make_list("Others")
    ada = make_recipient(lists=[readers, others])

    assert [unsubscribe(ada, lists=[readers]), unsubscribe(ada, lists=[readers])] == [1, 0]
    assert not Recipient.objects.subscribed_to(readers).exists()
    assert Recipient.objects.subscribed_to(others).get() == ada


def test_suppressing_keeps_the_first_reason() -> None:
    assert suppress("a@example.org", reason=SuppressionReason.COMPLAINT, source="first")
    assert not suppress("a@example.org", reason=SuppressionReason.MANUAL, source="second")

    assert Suppression.objects.get().source == "first"


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
