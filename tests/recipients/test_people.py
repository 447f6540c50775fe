"""What staff do with recipients while others do the same."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction
from django.utils import timezone

from recipients import people
from recipients.addresses import parse_address
from recipients.models import ConsentEvent, Recipient, Subscription
from tests.factories import make_list, make_recipient
from tests.live import wait_until
from tests.threads import in_a_connection_of_its_own, waiting_for_locks

pytestmark = pytest.mark.django_db(transaction=True)


def add() -> Recipient:
    typed = people.Typed(parse_address("ada@example.org"), {})
    return people.add(typed, lists=(), source="staff 1", now=timezone.now())


def test_who_is_added_by_two_at_once_is_there_once_and_the_slower_is_told() -> None:
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            make_recipient("ada@example.org")
            adding = threads.submit(in_a_connection_of_its_own, add)
            wait_until(waiting_for_locks, "the address is looked for, and waits")
        with pytest.raises(people.Known, match="there is a recipient with this address"):
            adding.result()


def test_who_is_put_on_a_list_by_two_at_once_is_on_it_once() -> None:
    readers, ada = make_list(), make_recipient()

    def subscribe() -> int:
        return people.subscribe([ada.pk], readers, source="staff 1", now=timezone.now())

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            first = subscribe()
            second = threads.submit(in_a_connection_of_its_own, subscribe)
            wait_until(waiting_for_locks, "the recipient is held, and waits")
        assert (first, second.result()) == (1, 0)

    assert Subscription.objects.count() == ConsentEvent.objects.count() == 1
