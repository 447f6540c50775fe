from collections import Counter

import psycopg
import pytest
from django.db import connection

from campaigns.models import Run, RunStatus
from campaigns.sending.complete import complete
from campaigns.webhooks.outbox import collect
from recipients.models import Import, ImportStatus, MailingList
from recipients.services import unsubscribe
from tests.campaigns.webhooks.steps import NOW, make_endpoint, note
from tests.factories import make_campaign, make_list, make_recipient, make_recipients, make_run
from tracking import ledger
from tracking.feedback import Fact
from tracking.feedback import note as note_fact
from tracking.models import (
    Call,
    Delivery,
    Endpoint,
    EventKind,
    EventSource,
    Happened,
    Happening,
    Hit,
)

MOVE = """
    SELECT delivery.id, delivery.state AS from_state, %(target)s AS to_state
      FROM tracking_delivery delivery WHERE delivery.run_id = %(run)s ORDER BY id FOR UPDATE
"""
CHANGES = """
    skip_reason = CASE WHEN picked.to_state = 'skipped' THEN 'suppressed' ELSE '' END,
    lease = gen_random_uuid(), next_attempt_at = %(now)s
"""


def move(run: Run, target: str) -> None:
    ledger.move(run.pk, pick=MOVE, changes=CHANGES, params={"target": target}, now=NOW)


def send_all(run: Run) -> None:
    move(run, "sending")
    move(run, "sent")


def make_readers(count: int = 3) -> MailingList:
    readers = make_list()
    make_recipients(count, mailing_list=readers)
    return readers


@pytest.mark.django_db
def test_nothing_is_noted_where_nobody_wants_to_be_told() -> None:
    make_endpoint(kinds=["delivery.failed", "import.finished"])
    Endpoint.objects.create(name="off", url="", kinds=["delivery.sent"], is_active=False)
    run = make_run(make_campaign(lists=[make_readers()]))

    send_all(run)

    assert not Happening.objects.exists()


@pytest.mark.django_db
def test_what_one_statement_sends_is_one_row_however_many_messages_it_is() -> None:
    make_endpoint(kinds=["delivery.sent"])
    run = make_run(make_campaign(lists=[make_readers(30)]))

    send_all(run)

    [noted] = Happening.objects.all()
    assert noted.kind == "delivery.sent"
    assert noted.subjects == list(Delivery.objects.order_by("pk").values_list("pk", flat=True))


@pytest.mark.django_db
@pytest.mark.parametrize("target", ["skipped", "failed"])
def test_who_is_left_out_of_a_queue_and_what_fails_is_told(target: str) -> None:
    make_endpoint()
    run = make_run(make_campaign(lists=[make_readers(1)]))
    Happening.objects.all().delete()

    move(run, target)

    assert [noted.kind for noted in Happening.objects.all()] == [f"delivery.{target}"]


@pytest.mark.django_db
def test_what_comes_back_is_noted_with_the_message_that_it_is_about() -> None:
    make_endpoint(kinds=[kind for kind in Happened if kind.startswith("delivery.")])
    run = make_run(make_campaign(lists=[make_readers(1)]))
    send_all(run)
    Happening.objects.all().delete()
    delivery = Delivery.objects.get()

    for kind in (EventKind.DELIVERED, EventKind.BOUNCED, EventKind.COMPLAINED, EventKind.DELAYED):
        fact = Fact(kind=kind, source=EventSource.MAIL, source_key=kind, at=NOW)
        note_fact(delivery, fact, now=NOW)

    noted = {each.kind: each.deliveries for each in Happening.objects.all()}
    assert noted == {
        "delivery.delivered": [delivery.pk],
        "delivery.bounced": [delivery.pk],
        "delivery.complained": [delivery.pk],
    }


@pytest.mark.django_db
def test_opens_and_clicks_are_noted_but_no_head_request_and_none_of_nobody() -> None:
    make_endpoint()
    common = {"run_id": 1, "at": NOW, "verdict": "person", "rules": 1}

    Hit.objects.bulk_create(
        [
            Hit(id=1, kind="open", delivery_id=5, **common),
            Hit(id=2, kind="click", delivery_id=5, link_number=0, **common),
            Hit(id=3, kind="click", delivery_id=6, link_number=0, **common),
            Hit(id=4, kind="open", delivery_id=5, is_head=True, **common),
            Hit(id=5, kind="open", delivery_id=None, **common),
        ]
    )

    noted = {each.kind: (each.subjects, each.deliveries) for each in Happening.objects.all()}
    assert noted == {"delivery.opened": ([1], [5]), "delivery.clicked": ([2, 3], [5, 6])}


@pytest.mark.django_db
def test_a_run_begins_is_held_and_ends_and_somebody_leaves_a_list() -> None:
    make_endpoint(kinds=["run.started", "run.held", "run.completed", "recipient.unsubscribed"])
    readers = make_list()
    ada = make_recipient(lists=[readers])
    run = make_run(make_campaign(lists=[readers]))

    Run.objects.filter(pk=run.pk).hold("a reason")
    Run.objects.filter(pk=run.pk).update(status=RunStatus.SENDING)
    send_all(run)
    complete(run.pk, now=NOW)
    unsubscribe(ada, lists=[readers], source="test", now=NOW)

    noted = [(each.kind, each.recipient_id) for each in Happening.objects.order_by("pk")]
    assert noted == [
        ("run.started", None),
        ("run.held", None),
        ("run.completed", None),
        ("recipient.unsubscribed", ada.pk),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "is_noted"),
    [
        (ImportStatus.DONE, True),
        (ImportStatus.FAILED, True),
        (ImportStatus.STOPPED, False),
        (ImportStatus.CHECKED, False),
    ],
)
def test_an_import_is_told_of_when_it_is_done_or_failed(
    status: ImportStatus, is_noted: bool
) -> None:
    make_endpoint()
    importing = Import.objects.create(file_name="a.csv", sha256="", size=1)

    importing.status = status
    importing.save()

    noted = list(Happening.objects.values_list("kind", "subjects"))
    assert noted == [("import.finished", [importing.pk])] * is_noted


@pytest.mark.django_db
def test_each_endpoint_gets_a_call_for_each_event_that_it_wants_with_one_id_for_all() -> None:
    both = [make_endpoint(name=name, kinds=["delivery.sent"]) for name in ("CRM", "Archive")]
    other = make_endpoint(name="Billing", kinds=["delivery.failed"])
    note("delivery.sent", 7, 8)

    assert collect(now=NOW) == (1, 4)

    for endpoint in both:
        assert list(endpoint.calls.order_by("pk").values_list("subject", flat=True)) == [7, 8]
    assert not other.calls.exists()
    assert set(Counter(Call.objects.values_list("event", flat=True)).values()) == {2}
    assert not Happening.objects.exists()


@pytest.mark.django_db
def test_of_one_recipient_all_calls_are_in_one_lane_whatever_they_are_about() -> None:
    make_endpoint(kinds=["delivery.sent", "delivery.bounced", "recipient.unsubscribed"])
    readers = make_list()
    ada, bob = make_recipient(lists=[readers]), make_recipient("bob@example.org", lists=[readers])
    send_all(make_run(make_campaign(lists=[readers])))
    theirs = Delivery.objects.get(recipient=ada)
    bounce = Fact(kind=EventKind.BOUNCED, source=EventSource.MAIL, source_key="1", at=NOW)
    note_fact(theirs, bounce, now=NOW)
    unsubscribe(ada, lists=[readers], source="test", now=NOW)

    collect(now=NOW)

    lanes = Call.objects.order_by("pk").values_list("kind", "lane")
    assert Counter(lane for _, lane in lanes) == {ada.pk * 4: 3, bob.pk * 4: 1}
    assert [kind for kind, lane in lanes if lane == ada.pk * 4] == [
        "delivery.sent",
        "delivery.bounced",
        "recipient.unsubscribed",
    ]


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_late_is_told_though_later_blocks_were_taken_before() -> None:
    make_endpoint(kinds=["delivery.sent"])
    settings = connection.settings_dict
    place = {"host": settings["HOST"], "port": settings["PORT"], "dbname": settings["NAME"]}
    login = {"user": settings["USER"], "password": settings["PASSWORD"]}
    with psycopg.connect(**{k: v for k, v in (place | login).items() if v}) as late:
        late.execute(
            "INSERT INTO tracking_happening (kind, subjects) VALUES ('delivery.sent','{1}')"
        )
        note("delivery.sent", 2)
        collect(now=NOW)
        before = set(Call.objects.values_list("subject", flat=True))

        late.commit()
        collect(now=NOW)

    assert before == {2}
    assert set(Call.objects.values_list("subject", flat=True)) == {1, 2}


@pytest.mark.django_db
def test_a_hundred_thousand_messages_are_taken_a_few_blocks_at_a_time() -> None:
    make_endpoint(kinds=["delivery.sent"])
    for first in range(0, 100_000, 1_000):
        note("delivery.sent", *range(first, first + 1_000))

    first_look = collect(now=NOW, blocks=50)
    second_look = collect(now=NOW, blocks=50)

    assert (first_look, second_look) == ((50, 50_000), (50, 50_000))
    assert collect(now=NOW) == (0, 0)
    assert Call.objects.values("event").distinct().count() == 100_000
