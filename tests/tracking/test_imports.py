import io

import pytest
from django.utils import timezone

from recipients.importing import undoing
from recipients.importing.at_once import import_file
from recipients.models import Import, Recipient
from tests.factories import make_campaign, make_list, make_run
from tracking.models import Delivery

pytestmark = pytest.mark.django_db


def imported() -> Import:
    return import_file(
        io.BytesIO(b"email\nada@example.org\nbob@example.org\n"),
        name="x.csv",
        mailing_list=make_list(),
        clock=timezone.now,
    )


def test_an_import_is_not_undone_once_something_was_sent_to_whom_it_brought() -> None:
    importing = imported()
    make_run(make_campaign(lists=[make_list()]))
    Delivery.objects.filter(address="bob@example.org").update(attempts=1)

    with pytest.raises(undoing.CannotUndo, match="were sent something"):
        undoing.undo(importing, now=timezone.now())

    assert Recipient.objects.count() == 2


def test_an_import_is_undone_while_its_recipients_only_wait() -> None:
    importing = imported()
    make_run(make_campaign(lists=[make_list()]))

    assert undoing.undo(importing, now=timezone.now()) == 2

    assert set(Delivery.objects.values_list("state", flat=True)) == {"queued"}
