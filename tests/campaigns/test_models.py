from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Model

from campaigns.models import Campaign, Run, Sender, Transport
from templates_app.models import TemplateVersion
from tests.factories import make_campaign, make_list, make_recipient, make_run

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def run(db: None) -> Run:
    readers = make_list()
    make_recipient(lists=[readers])
    return make_run(make_campaign(lists=[readers]), now=NOW)


@pytest.mark.parametrize(
    ("model", "changes", "constraint"),
    [
        (Campaign, {"status": "lost"}, "campaign_status_known"),
        (Campaign, {"priority": "low"}, "campaign_priority_known"),
        (Campaign, {"version": None}, "campaign_scheduled_has_version"),
        (
            Campaign,
            {"status": "finished", "next_fire_at": NOW},
            "campaign_fires_only_when_scheduled",
        ),
        (
            Campaign,
            {"is_stream": True, "status": "finished", "next_fire_at": None},
            "campaign_stream_or_template",
        ),
        (
            Campaign,
            {"is_stream": True, "template": None, "status": "scheduled"},
            "campaign_stream_never_fires",
        ),
        (Run, {"status": "lost"}, "run_status_known"),
    ],
)
def test_the_table_refuses_a_row_that_says_nonsense(
    model: type[Model], changes: dict[str, object], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model._default_manager.update(**changes)


@pytest.mark.parametrize(
    ("twin", "constraint"),
    [
        (Sender(display_name="News", address="news@example.org"), "sender_mailbox_unique"),
        (Transport(name="Relay", encrypted_url="x"), "transport_name_unique"),
        (Campaign(name="Twin", is_stream=True, sender_id=-1), "campaign_stream_unique"),
        (
            TemplateVersion(number=0, digest="d", subject="S", source={}),
            "template_version_inline_unique",
        ),
    ],
)
def test_the_table_refuses_a_twin(twin: Model, constraint: str) -> None:
    sender = Sender.objects.get()
    Campaign.objects.create(name="Messages", is_stream=True, sender=sender)
    TemplateVersion.objects.create(number=0, digest="d", subject="S", source={})
    if isinstance(twin, Campaign):
        twin.sender = sender
    Transport.objects.create(name="Relay", encrypted_url="y")

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        twin.save(force_insert=True)
