from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import OperationalError
from django.db.models import F
from pytest_django.fixtures import Settings

from campaigns import services
from campaigns.models import Campaign, CampaignStatus, Page, Run, RunStatus, Sender, Transport
from campaigns.secrets import Undecipherable
from campaigns.sending import domain_gates, pages, reconcile
from campaigns.sending.claim import claim
from campaigns.sending.fire import fire
from campaigns.sending.way_out import transport_of
from campaigns.services import Refused
from recipients.models import Field, SubscriptionState, Suppression
from templates_app import pieces
from templates_app.models import EmailTemplate, Layout, Snippet
from templates_app.services import save_template
from tests.factories import (
    make_campaign,
    make_list,
    make_recipient,
    make_recipients,
    make_run,
    make_sender,
    make_template,
)
from tracking.models import Delivery, RunCounters
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def campaign() -> Campaign:
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    return make_campaign(lists=[readers])


def test_scheduling_freezes_the_content(campaign: Campaign) -> None:
    services.schedule(campaign, now=NOW, at=LATER)
    EmailTemplate.objects.update(subject="Edited")

    campaign.refresh_from_db()
    assert (campaign.status, campaign.next_fire_at) == (CampaignStatus.SCHEDULED, LATER)
    assert campaign.version is not None
    assert campaign.version.subject == "News"


def test_scheduling_again_moves_the_time_and_takes_the_content_of_now(campaign: Campaign) -> None:
    services.schedule(campaign, now=NOW, at=LATER)
    EmailTemplate.objects.update(subject="Edited")

    services.schedule(campaign, now=NOW, at=LATER + timedelta(days=1))

    campaign.refresh_from_db()
    assert campaign.next_fire_at == LATER + timedelta(days=1)
    assert campaign.version is not None
    assert (campaign.version.number, campaign.version.subject) == (2, "Edited")


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ({}, "say when"),
        ({"at": NOW - timedelta(seconds=61)}, "is in the past"),
        ({"at": LATER, "time_zone": "Mars/Olympus"}, "'Mars/Olympus' is no time zone"),
        ({"cron": "every day"}, "'every day' is no crontab expression"),
        ({"cron": "0 8 30 2 *"}, "is no crontab expression"),
    ],
)
def test_a_time_that_means_nothing_is_refused_and_nothing_is_saved(
    campaign: Campaign, when: dict[str, object], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        services.schedule(campaign, now=NOW, **when)  # type: ignore[arg-type]

    campaign.refresh_from_db()
    assert (campaign.status, campaign.version) == (CampaignStatus.DRAFT, None)


def test_a_time_that_has_just_passed_is_taken(campaign: Campaign) -> None:
    services.schedule(campaign, now=NOW, at=NOW - timedelta(seconds=60))

    assert Campaign.objects.due(now=NOW).exists()


def test_a_campaign_that_would_reach_nobody_is_refused() -> None:
    readers = make_list()
    make_recipient("left@example.org", lists=[readers], state=SubscriptionState.UNSUBSCRIBED)
    make_recipient("new@example.org", lists=[readers], state=SubscriptionState.PENDING)
    make_recipient("never@example.org", lists=[readers])
    Suppression.objects.create(key="never@example.org", reason="complaint")

    with pytest.raises(Refused, match="3 in Readers, of these 1 suppressed, 1 unsubscribed, 1 opt"):
        services.schedule(make_campaign(lists=[readers]), now=NOW, at=LATER)


def test_a_template_with_a_field_that_no_recipient_has_is_refused_with_its_line() -> None:
    readers = make_list()
    make_recipient(lists=[readers])
    template = make_template(html="<p>Hello</p>\n<p>{{ frist_name }}</p>")
    Field.objects.create(name="first_name")

    with pytest.raises(Refused, match=r"line 2: unknown field 'frist_name'.*'first_name'"):
        services.schedule(make_campaign(lists=[readers], template=template), now=NOW, at=LATER)


@pytest.mark.parametrize("status", [CampaignStatus.FINISHED, CampaignStatus.CANCELLED])
def test_a_campaign_that_has_ended_is_not_scheduled_again(
    campaign: Campaign, status: CampaignStatus
) -> None:
    Campaign.objects.update(status=status)

    with pytest.raises(Refused, match=f"has been {status} already"):
        services.schedule(campaign, now=NOW, at=LATER)


def test_a_campaign_that_has_begun_is_not_scheduled_again(campaign: Campaign) -> None:
    make_run(campaign, now=NOW)

    with pytest.raises(Refused, match="has been sent already"):
        services.schedule(campaign, now=NOW, at=LATER)


def test_a_recurring_campaign_can_get_new_content_between_its_runs(campaign: Campaign) -> None:
    services.schedule(campaign, now=NOW, cron="0 8 * * *")
    first = fire(campaign.pk, now=LATER + timedelta(days=1))
    EmailTemplate.objects.update(subject="Edited")

    services.schedule(campaign, now=LATER + timedelta(days=1), cron="0 8 * * *")
    second = fire(campaign.pk, now=LATER + timedelta(days=2))

    subjects = [run.version.subject for run in Run.objects.filter(pk__in=[first, second])]
    assert sorted(subjects) == ["Edited", "News"]


def test_a_draft_may_have_no_audience_yet_and_is_not_scheduled_like_that() -> None:
    draft = services.create_campaign("Spring", sender=make_sender(), template=make_template())

    with pytest.raises(Refused, match="there is no list and no segment"):
        services.schedule(draft, now=NOW, at=NOW)


def test_a_campaign_that_was_taken_back_is_a_draft_and_does_not_fire(campaign: Campaign) -> None:
    services.schedule(campaign, now=NOW, at=NOW)

    services.withdraw(campaign)

    assert campaign.status == CampaignStatus.DRAFT
    assert fire(campaign.pk, now=NOW) is None


def test_a_campaign_that_has_departed_is_not_taken_back(campaign: Campaign) -> None:
    make_run(campaign)

    with pytest.raises(Refused, match="has departed already; pause or cancel it"):
        services.withdraw(campaign)

    assert Campaign.objects.get().status == CampaignStatus.SCHEDULED


def test_a_recurring_campaign_is_taken_back_between_its_runs(campaign: Campaign) -> None:
    services.schedule(campaign, now=NOW, cron="0 9 * * *")
    run_id = fire(campaign.pk, now=NOW + timedelta(days=1))

    services.withdraw(campaign)

    assert run_id == Run.objects.get().pk
    assert Run.objects.get().status == RunStatus.PREPARING
    assert Campaign.objects.get().next_fire_at is None


@pytest.mark.parametrize(
    "mailbox",
    ["", "News", "News <news>", "a@b.example, c@d.example", "News\r\nBcc: x <a@b.example>"],
)
def test_a_sender_that_is_no_mailbox_is_refused(mailbox: str) -> None:
    with pytest.raises(Refused, match="sender"):
        services.get_sender(mailbox)

    assert not Sender.objects.exists()


def test_a_sender_is_made_once() -> None:
    first = services.get_sender("News <news@Example.org>")

    assert services.get_sender("News <news@example.org>") == first
    assert (first.display_name, first.address, first.domain) == (
        "News",
        "news@example.org",
        "example.org",
    )


def test_pausing_holds_claims_and_resuming_sends_open_pages_anew(campaign: Campaign) -> None:
    run = make_run(campaign, now=NOW)
    [page] = pages.open_next(run.pk, now=NOW)
    ids = [one for chunk in page.chunks for one in chunk]

    services.pause(campaign)
    held = claim(run.pk, ids, now=NOW, lease_for=timedelta(minutes=1)).deliveries
    resumed = services.resume(campaign, now=NOW)

    assert held == []
    assert resumed == [run.pk]
    assert [page.chunks for page in pages.open_next(run.pk, now=NOW)] == [[[one] for one in ids]]


def test_a_held_run_is_prepared_once_a_person_says_go(campaign: Campaign) -> None:
    run = make_run(campaign, now=NOW, snapshot_taken=False)
    Run.objects.update(status=RunStatus.HELD)

    services.resume(campaign, now=NOW)

    run.refresh_from_db()
    assert run.status == RunStatus.PREPARING


def test_cancelling_leaves_no_delivery_open(campaign: Campaign) -> None:
    run = make_run(campaign, now=NOW)
    claim(run.pk, [Delivery.objects.order_by("pk")[0].pk], now=NOW, lease_for=timedelta(minutes=1))

    assert services.cancel(campaign, now=NOW) == 2

    run.refresh_from_db()
    campaign.refresh_from_db()
    assert (campaign.status, run.status) == (CampaignStatus.CANCELLED, RunStatus.CANCELLED)
    assert str(RunCounters.objects.get()) == "1 sending, 2 cancelled"
    assert disagreements([run.pk], kept_since=None) == []


@pytest.mark.parametrize(
    ("verb", "reason"),
    [("pause", "nothing to pause"), ("resume", "neither paused nor held")],
)
def test_what_makes_no_sense_for_a_draft_is_refused(
    campaign: Campaign, verb: str, reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        getattr(services, verb)(campaign, **({"now": NOW} if verb == "resume" else {}))


def test_of_a_large_run_the_sweep_cancels_what_a_person_does_not_wait_for(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(campaign, now=NOW)
    monkeypatch.setattr(reconcile, "_SLICE", 1)
    monkeypatch.setattr(reconcile, "cancel_open", partial(reconcile.cancel_open, most=2))

    count = services.cancel(campaign, now=NOW)
    left = list(Delivery.objects.open().values_list("pk", flat=True))
    claimed = claim(run.pk, left, now=NOW, lease_for=timedelta(minutes=1)).deliveries
    swept = reconcile.cancel_left_over(run.pk, now=NOW)

    assert (count, len(left), claimed, swept) == (3, 1, [], 1)
    assert str(RunCounters.objects.get()) == "3 cancelled"
    assert disagreements([run.pk], kept_since=None) == []


@pytest.mark.django_db(transaction=True)
def test_a_campaign_is_cancelled_though_those_of_others_cannot_be_lined_up_anew(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(campaign)
    RunCounters.objects.filter(run=run).update(queued=F("queued") - 1, retry=1)

    def failing(*, now: datetime) -> None:
        raise OperationalError("no such luck")

    monkeypatch.setattr(domain_gates, "shorten", failing)

    services.cancel(campaign, now=NOW)

    campaign.refresh_from_db()
    assert campaign.status == "cancelled"


def test_cancelling_twice_is_refused(campaign: Campaign) -> None:
    services.cancel(campaign, now=NOW)

    with pytest.raises(Refused, match="has been cancelled already"):
        services.cancel(campaign, now=NOW)
    assert not Page.objects.exists()


def test_a_transports_credentials_are_stored_encrypted() -> None:
    transport = Transport(name="Relay")

    services.set_transport_url(transport, url="smtp://user:s3cret@relay.example:2525")

    assert "s3cret" not in Transport.objects.get().encrypted_url
    sender = services.get_sender("News <news@example.org>", transport=transport)
    assert transport_of(sender) is transport_of(sender)


def test_a_transport_url_that_cannot_be_used_is_refused_without_repeating_the_password() -> None:
    with pytest.raises(Refused, match="transport Relay: ") as refusal:
        services.set_transport_url(Transport(name="Relay"), url="ftp://user:s3cret@relay.example")

    assert "s3cret" not in str(refusal.value)
    assert not Transport.objects.exists()


def test_credentials_survive_a_new_secret_key_while_the_old_one_is_a_fallback(
    settings: Settings,
) -> None:
    transport = Transport(name="Relay")
    services.set_transport_url(transport, url="smtp://relay.example:2525")
    sender = services.get_sender("News <news@example.org>", transport=transport)
    old = settings.SECRET_KEY

    settings.SECRET_KEY = "n" * 50
    settings.SECRET_KEY_FALLBACKS = [old]
    transport_of(sender)
    settings.SECRET_KEY_FALLBACKS = []

    with pytest.raises(Undecipherable, match="enter the credentials again"):
        transport_of(sender)


def test_nothing_that_is_edited_changes_what_is_scheduled() -> None:
    snippet = Snippet(name="footer", kind="html", source="<i>Nome</i>")
    pieces.save(snippet, known=())
    layout = Layout(name="Ours", kind="html", source="<b>{{ content }}</b>")
    pieces.save(layout, known=())
    template = EmailTemplate(
        name="Letter",
        kind="markdown",
        subject="Spring",
        source='Hi\n\n{% include "footer" %}',
        layout=layout,
    )
    save_template(template, known=())
    campaign = make_campaign(template=template)
    make_recipient(lists=[campaign.lists.get()])
    services.schedule(campaign, now=NOW, at=LATER)
    assert campaign.version
    scheduled = campaign.version.html

    snippet.source = "<i>Oslo</i>"
    pieces.save(snippet, known=())
    layout.source = "<u>{{ content }}</u>"
    pieces.save(layout, known=())
    template.subject = "Autumn"
    edited = save_template(template, known=())

    version = Campaign.objects.get().version
    assert version
    assert (version.subject, version.html) == ("Spring", scheduled)
    assert "<b>" in scheduled
    assert "Nome" in scheduled
    assert (edited.subject, "Oslo" in edited.html, "<u>" in edited.html) == ("Autumn", True, True)
