import pytest
from django.utils import timezone

from tests.factories import make_campaign, make_list, make_recipient, make_run
from tracking.feedback import Fact, note
from tracking.models import Category, Delivery, DeliveryEvent, EventKind, EventSource

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def delivery() -> Delivery:
    readers = make_list()
    make_recipient("ada@example.org", lists=[readers])
    make_run(make_campaign(lists=[readers]))
    return Delivery.objects.get()


def bounce(key: str = "1") -> Fact:
    return Fact(
        kind=EventKind.BOUNCED,
        source=EventSource.MAIL,
        source_key=key,
        at=NOW,
        category=Category.MAILBOX_FULL,
        enhanced_status_code="4.2.2",
    )


def test_a_fact_is_noted_once_however_often_it_is_told(delivery: Delivery) -> None:
    told = [note(delivery, bounce(key), now=NOW) for key in ("1", "1", "2")]

    assert told == [True, False, True]
    first = DeliveryEvent.objects.uncounted().first()
    assert first
    assert (first.delivery, first.recipient_id) == (delivery, delivery.recipient_id)
    assert (first.category, first.enhanced_status_code) == ("mailbox_full", "4.2.2")
