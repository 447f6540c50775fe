from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone

from campaigns.models import Campaign, Run
from recipients.models import MailingList
from templates_app.services import freeze
from tests.factories import make_campaign, make_list, make_recipient, make_run, make_template
from tracking.models import (
    Call,
    DeliveryEvent,
    DomainTally,
    Endpoint,
    Happening,
    Hit,
    HourTally,
    InboundMessage,
    Link,
    LinkTally,
    Mailbox,
    ReasonTally,
    UserAgent,
    WebhookEvent,
)

pytestmark = pytest.mark.django_db

NOW = timezone.now()
Row = Callable[..., Model]


def hit(**changes: Any) -> Model:
    values = {"id": 1, "kind": "open", "at": NOW, "verdict": "person", "rules": 1, "run_id": 1}
    return Hit(**{**values, **changes})


def event(**changes: Any) -> Model:
    values = {"kind": "bounced", "source": "mail", "source_key": "1", "at": NOW}
    return DeliveryEvent(**{**values, "delivery_id": 1, "run_id": 1, **changes})


def inbound(**changes: Any) -> Model:
    return InboundMessage(**{"digest": b"1", "origin": "pipe", "received_at": NOW, **changes})


def webhook(**changes: Any) -> Model:
    values = {"provider": "mailgun", "key": b"1", "event_type": "bounced", "received_at": NOW}
    return WebhookEvent(**{**values, "payload": {}, **changes})


def endpoint(**changes: Any) -> Model:
    return Endpoint(**{"name": "CRM", "url": "", "kinds": [], **changes})


def happening(**changes: Any) -> Model:
    return Happening(**{"kind": "delivery.sent", "subjects": [1], **changes})


def call(**changes: Any) -> Model:
    to = Endpoint.objects.create(name="Archive", kinds=[])
    values = {"endpoint": to, "event": uuid4(), "kind": "test", "at": NOW, "next_at": NOW}
    return Call(**{**values, **changes})


def campaign() -> Campaign:
    readers = make_list()
    make_recipient(lists=[readers])
    return make_campaign(lists=[readers])


@pytest.mark.parametrize(
    ("row", "changes", "constraint"),
    [
        (hit, {"kind": "reply", "link_number": 1}, "hit_kind_known"),
        (hit, {"verdict": "both"}, "hit_verdict_known"),
        (hit, {"link_number": 1}, "hit_click_has_link"),
        (event, {"kind": "lost"}, "delivery_event_kind_known"),
        (event, {"category": "bad"}, "delivery_event_category_known"),
        (event, {"source": "rumour"}, "delivery_event_source_known"),
        (inbound, {"status": "read"}, "inbound_message_status_known"),
        (endpoint, {"kinds": ["delivery.lost"]}, "endpoint_kinds_known"),
        (endpoint, {"is_active": True, "why_off": "gone"}, "endpoint_off_for_a_reason"),
        (endpoint, {"is_active": False, "why_off": "tired"}, "endpoint_off_for_a_reason"),
        (endpoint, {"failures": 1}, "endpoint_failing_has_time"),
        (endpoint, {"failing_since": NOW}, "endpoint_failing_has_time"),
        (endpoint, {"notice_due_at": NOW}, "endpoint_notice_of_failing"),
        (
            endpoint,
            {"notice_due_at": NOW, "failing_since": NOW, "failures": 1},
            "endpoint_notice_of_failing",
        ),
        (
            endpoint,
            {"notice_due_at": NOW, "is_active": False, "why_off": "gone"},
            "endpoint_notice_of_failing",
        ),
        (happening, {"kind": "test"}, "happening_kind_known"),
        (call, {"kind": "delivery.lost"}, "call_kind_known"),
        (call, {"state": "lost"}, "call_state_known"),
        (call, {"next_at": None}, "call_waiting_has_time"),
    ],
)
def test_words_that_nobody_knows_are_refused(
    row: Row, changes: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row(**changes).save()


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        (event, "delivery_event_told_once"),
        (inbound, "inbound_message_once"),
        (webhook, "webhook_once"),
        (endpoint, "endpoint_name_unique"),
        (lambda: Mailbox(address="imaps://a"), "mailbox_unique"),
        (lambda: UserAgent(text="Mozilla/5.0"), "user_agent_unique"),
    ],
)
def test_what_is_told_twice_is_kept_once(row: Row, constraint: str) -> None:
    row().save()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row().save()


def test_a_run_has_one_tally_of_a_kind_and_a_version_one_link_of_a_number() -> None:
    run = make_run(campaign())
    version = freeze(make_template("Other"), by="ada")
    rows: list[tuple[str, Row]] = [
        ("domain_tally_unique", lambda: DomainTally(run=run, domain="example.org")),
        ("hour_tally_unique", lambda: HourTally(run=run, hour=NOW)),
        ("link_tally_unique", lambda: LinkTally(run=run, number=1)),
        ("reason_tally_unique", lambda: ReasonTally(run=run, kind="bounced", reason="rate")),
        ("link_number_unique", lambda: Link(version=version, number=1, target="https://a.org")),
    ]

    for constraint, row in rows:
        row().save()
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            row().save()


def test_how_much_is_measured_is_one_of_three_words() -> None:
    run = make_run(campaign())
    refused = {
        "mailing_list_tracking_known": MailingList.objects.all(),
        "campaign_tracking_known": Campaign.objects.all(),
        "run_tracking_known": Run.objects.filter(pk=run.pk),
    }

    for constraint, rows in refused.items():
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            rows.update(tracking="some")
