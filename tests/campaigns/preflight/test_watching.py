import logging
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from campaigns import tasks
from campaigns.models import Campaign, CampaignStatus, Sender, SenderCheck
from campaigns.preflight import watching
from campaigns.preflight.senders import World
from templates_app.services import freeze
from tests.console import staff, superuser, text
from tests.dns_server import DNSServer
from tests.factories import make_campaign, make_sender

NOW = datetime(2026, 3, 1, 3, 20, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
WELL = {
    " ns": ["a.root-servers.net."],
    "shore.org soa": ["ns.shore.org. admin.shore.org. 1 1 1 1 1"],
    "shore.org mx": ["10 mx.shore.org."],
    "shore.org txt": ['"v=spf1 mx -all"'],
    "mx.shore.org a": ["203.0.113.9"],
    "_dmarc.shore.org txt": ['"v=DMARC1; p=none; rua=mailto:dmarc@shore.org"'],
}
pytestmark = pytest.mark.django_db


@pytest.fixture
def sender(settings: Settings) -> Sender:
    settings.EMAIL_URL = "backend:django.core.mail.backends.dummy.EmailBackend"
    return make_sender("The Shore <news@shore.org>")


def look(sender: Sender, *, now: datetime = NOW, **zone: list[str]) -> list[str]:
    """Look at a sender; return the names of the errors that it has then."""
    with DNSServer(
        {**WELL, **{f"shore.org {kind}": said for kind, said in zone.items()}}
    ) as server:
        world = World(resolver=server.resolver, spamd="")
        watching.check(sender.pk, clock=lambda: now, world=world)
    return [each.name for each in watching.errors_of(SenderCheck.objects.get())]


def schedule(sender: Sender) -> None:
    campaign = make_campaign(sender=sender)
    version = freeze(campaign.template)
    Campaign.objects.update(status=CampaignStatus.SCHEDULED, version=version, next_fire_at=LATER)


def test_an_error_that_appears_anew_is_told_once(
    sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, watching.__name__)
    told = []
    nights: list[dict[str, list[str]]] = [{}, {"txt": []}, {"txt": []}, {}, {"txt": []}]

    for night, zone in enumerate(nights):
        watching.want([sender.pk], now=NOW)
        look(sender, now=NOW + timedelta(days=night), **zone)
        told.append([record.getMessage() for record in caplog.records])
        caplog.clear()

    said = "sender The Shore <news@shore.org>: shore.org has 0 SPF records instead of one"
    assert told == [[], [f"{said} (spf-record)"], [], [], [f"{said} (spf-record)"]]
    assert SenderCheck.objects.get().checked_at == NOW + timedelta(days=4)


def test_a_check_is_one_workers_and_what_is_wanted_meanwhile_is_done_once_more(
    sender: Sender,
) -> None:
    watching.want([sender.pk], now=NOW)

    first, second = (watching.claim(sender.pk, now=NOW) for _ in range(2))
    late = watching.claim(sender.pk, now=NOW + watching.LEASE)
    watching.want([sender.pk], now=NOW + timedelta(seconds=1))
    assert first is not None
    assert late is not None
    lost = watching.record(first, [], now=NOW)
    after_the_lost_one = SenderCheck.objects.get().checked_at
    watching.record(late, [], now=NOW)

    assert second is None
    assert lost == []
    assert after_the_lost_one is None
    check = SenderCheck.objects.get()
    assert (check.checked_at, check.leased_until) == (NOW, None)
    assert check.wanted_at == NOW + timedelta(seconds=1)
    assert watching.claim(sender.pk, now=NOW) is not None


def test_a_sender_that_is_deleted_meanwhile_is_no_fault(sender: Sender) -> None:
    watching.want([sender.pk], now=NOW)
    claimed = watching.claim(sender.pk, now=NOW)
    sender.delete()

    assert claimed is not None
    assert watching.record(claimed, [], now=NOW) == []
    watching.check(claimed.pk, clock=lambda: NOW)


def test_at_night_those_are_looked_at_by_whom_something_is_going_to_be_sent(
    sender: Sender, broker: redis.Redis
) -> None:
    make_sender("Nobody's <other@shore.org>")
    schedule(sender)

    tasks.check_senders()

    assert broker.llen("imports") == 1
    assert [check.sender for check in SenderCheck.objects.free(now=timezone.now())] == [sender]


def test_the_sweep_finds_new_senders_and_lost_messages(sender: Sender, broker: redis.Redis) -> None:
    waiting: list[int] = []

    def sweep() -> None:
        tasks.sweep_preflights()
        waiting.append(int(broker.llen("imports")))

    sweep()
    sweep()
    SenderCheck.objects.update(wanted_at=timezone.now() - tasks.PREFLIGHT_PATIENCE)
    sweep()

    assert waiting == [1, 1, 2]


def test_saved_on_its_page_it_is_looked_at_and_shows_what_was_found(
    sender: Sender,
    broker: redis.Redis,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    console, url = superuser(), f"/senders/{sender.pk}/"
    before = text(console.get(url))
    typed = {"address": "news@shore.org", "display_name": "Shore"}
    routes = {"routes-TOTAL_FORMS": "0", "routes-INITIAL_FORMS": "0"}

    with django_capture_on_commit_callbacks(execute=True):
        console.post(url, typed | routes)
    saved = text(console.get(url))
    look(sender, txt=[])
    after = text(console.get(url))

    assert "are asked when the sender is saved" in before
    assert "They are being asked now." in saved
    assert broker.llen("imports") == 1
    assert "were asked on 1 Mar 2026, 03:20" in after
    assert "Shore.org has 0" not in after
    assert "shore.org has 0 SPF records instead of one. spf-record" in after
    assert "They are being asked now." not in after


def test_the_start_page_tells_of_errors_while_something_is_going_to_be_sent(
    sender: Sender,
) -> None:
    def told(client: Client) -> bool:
        said = "Receivers may refuse what news@shore.org sends: shore.org has 0 SPF"
        return said in text(client.get("/"))

    root, few = superuser(), staff("campaigns.view_run")
    watching.want([sender.pk], now=NOW)
    look(sender, txt=[])
    idle = told(root)
    schedule(sender)
    awaited = told(root), told(few)
    watching.want([sender.pk], now=NOW)
    look(sender)

    assert not idle
    assert awaited == (True, False)
    assert not told(root)
