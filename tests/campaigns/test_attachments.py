"""What may be attached: sizes, by the installation, the transport, the provider; clean files."""

from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from campaigns.models import (
    Campaign,
    CampaignAttachment,
    CampaignStatus,
    Plan,
    Run,
    RunAttachment,
    RunStatus,
    Transport,
    When,
)
from campaigns.sending import fire
from campaigns.sending.attaching import encoded_size
from campaigns.services import Refused, attach, cancel, schedule, set_transport_url
from templates_app.media import Refused as FileRefused
from templates_app.media import library, resolve
from templates_app.media.usage import used_by
from templates_app.models import MediaBlob, MediaFile, ScanState
from tests.clamd_server import ScriptedClamd
from tests.factories import (
    make_campaign,
    make_file,
    make_list,
    make_recipient,
    make_run,
    make_sender,
    make_template,
    set_routes,
)
from tests.templates_app.media.files import make_image

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("disk")]

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
POSTMARK = "backend:anymail.backends.postmark.EmailBackend?server_token=t"


def campaign_with(*files: MediaFile, html: str = "") -> Campaign:
    make_recipient(lists=[make_list()])
    template = make_template(html=f"{html}{{{{ unsubscribe_url }}}}") if html else None
    return make_campaign(attachments=files, template=template)


def large(size: int) -> MediaFile:
    return make_file("large.txt", b"a" * size)


def scheduled(campaign: Campaign) -> Campaign:
    return schedule(campaign, now=NOW, at=NOW)


def way_out(**options: Any) -> None:
    transport = Transport(name="Relay", **options)
    set_transport_url(transport, url="smtp://relay.example:25", now=NOW)
    set_routes(make_sender(), weights={transport: 1})


def test_a_message_has_as_much_as_the_installation_allows(settings: Settings) -> None:
    settings.MESSAGE_MB = 1
    fits = 700_000
    while encoded_size(fits + 1_000) + 6_000 < 1_000_000:
        fits += 1_000
    campaign = campaign_with(large(fits))

    assert scheduled(campaign).status == CampaignStatus.SCHEDULED
    library.replace(MediaFile.objects.get(), BytesIO(b"b" * (fits + 4_000)))
    with pytest.raises(Refused, match=r"1.0 MB as it is sent, and MESSAGE_MB allows 1 MB"):
        scheduled(campaign)


def test_a_message_has_as_much_as_its_transport_takes() -> None:
    way_out(message_mb=1)

    with pytest.raises(Refused, match="the transport Relay takes 1 MB at most"):
        scheduled(campaign_with(large(1_000_000)))

    Transport.objects.update(message_mb=2)
    assert scheduled(Campaign.objects.get())


def test_a_message_has_as_much_as_its_provider_takes(settings: Settings) -> None:
    settings.MESSAGE_MB, settings.EMAIL_URL = 100, POSTMARK

    with pytest.raises(Refused, match="the provider takes 10 MB at most"):
        scheduled(campaign_with(large(9_000_000)))


def test_what_is_refused_stays_a_draft_with_nothing_pinned(settings: Settings) -> None:
    settings.MESSAGE_MB = 1
    campaign = campaign_with(large(2_000_000))

    with pytest.raises(Refused):
        scheduled(campaign)

    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT
    assert CampaignAttachment.objects.get().blob is None


# --- malware -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [ScanState.PENDING, ScanState.ERROR, ScanState.OFF])
def test_what_the_scanner_has_not_seen_is_not_scheduled(
    clamd: ScriptedClamd, state: ScanState
) -> None:
    campaign = campaign_with(make_file("a.pdf"))
    MediaBlob.objects.update(scan=state)

    with pytest.raises(Refused, match=r"the attachment a\.pdf: the scanner has not seen it yet"):
        scheduled(campaign)

    MediaBlob.objects.update(scan=ScanState.CLEAN)
    assert scheduled(campaign)


def test_what_is_infected_is_not_scheduled_even_without_a_scanner() -> None:
    campaign = campaign_with(make_file("a.pdf"))
    MediaBlob.objects.update(scan=ScanState.INFECTED)

    with pytest.raises(Refused, match="found malware"):
        scheduled(campaign)


def test_an_image_of_the_template_has_to_be_clean_as_well() -> None:
    make_file("logo.png", make_image())
    campaign = campaign_with(html=f"<img src='{resolve('logo.png')}'>")
    MediaBlob.objects.update(scan=ScanState.INFECTED)

    with pytest.raises(Refused, match="an image or file in the template"):
        scheduled(campaign)


# --- who uses a file ---------------------------------------------------------------------------


def test_a_file_stays_as_long_as_a_campaign_may_send_it() -> None:
    file = make_file("a.pdf")
    campaign = campaign_with(file)
    assert [use.label for use in used_by(file)] == ["campaign Spring"]

    run = make_run(campaign, now=NOW)
    with pytest.raises(FileRefused, match="is used by campaign Spring; take it out there first"):
        library.delete(file)

    cancel(campaign, now=NOW)
    library.delete(file)
    assert not CampaignAttachment.objects.exists()
    assert Run.objects.get().attachments.get().name == "a.pdf"
    assert run.attachments.get().blob == MediaBlob.objects.get()


def test_a_file_stays_as_long_as_a_scheduled_content_shows_it() -> None:
    file = make_file("logo.png", make_image())
    campaign = scheduled(campaign_with(html=f"<img src='{resolve('logo.png')}'>"))
    campaign.template.source = "other"
    campaign.template.save()

    assert [use.label for use in used_by(file)] == ["campaign Spring"]

    cancel(campaign, now=NOW)
    assert used_by(file) == []


def test_a_rename_changes_nothing_for_who_attaches_a_file() -> None:
    file = make_file("a.pdf")
    campaign = campaign_with(file)

    library.move(file, folder="Docs", name="Plan.pdf")

    assert make_run(campaign, now=NOW).attachments.get().name == "Plan.pdf"


# --- the command -------------------------------------------------------------------------------


def create(*paths: str) -> Campaign:
    make_recipient(lists=[make_list()])
    make_template()
    attached = [word for path in paths for word in ("--attach", path)]
    said = StringIO()
    audience = ["--list", "Readers", "--sender", "news@example.org"]
    call_command(
        "create_campaign", "Spring", "--template", "Newsletter", *audience, *attached, stdout=said
    )
    return Campaign.objects.get(pk=int(said.getvalue()))


def test_files_are_attached_by_their_paths_in_their_order() -> None:
    files = [make_file("Docs/b.pdf"), make_file("a.txt", b"a")]

    campaign = create("Docs/b.pdf", "a.txt")

    rows = CampaignAttachment.objects.wanted_by(campaign.pk)
    assert [row.file for row in rows] == files


def test_a_path_that_is_not_in_the_library_makes_no_campaign() -> None:
    with pytest.raises(CommandError, match=r"there is no file 'no\.pdf' in the media library"):
        create("no.pdf")

    assert not Campaign.objects.exists()


# --- the page of a campaign --------------------------------------------------------------------


def change(client: Client, campaign: Campaign, **changes: Any) -> Any:
    values = {
        "name": campaign.name,
        "sender": campaign.sender_id,
        "template": campaign.template_id,
        "lists": [make_list().pk],
        "priority": "campaign",
        "tracking": "full",
        "late_limit": "1 00:00:00",
        "unconfirmed_policy": "hold",
        "time_to_live": "3 00:00:00",
    }
    return client.post(f"/admin/campaigns/campaign/{campaign.pk}/change/", values | changes)


def test_files_are_chosen_on_the_page_of_a_campaign(admin_client: Client) -> None:
    first, second = make_file("a.pdf"), make_file("b.txt", b"b")
    campaign = campaign_with(first)

    assert change(admin_client, campaign, attached=[second.pk]).status_code == 302

    assert [row.file for row in campaign.attachments.all()] == [second]
    page = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").content.decode()
    assert f'<option value="{second.pk}" selected>b.txt</option>' in page
    assert f'<option value="{first.pk}">a.pdf</option>' in page


def test_a_scheduled_campaign_sends_what_it_was_scheduled_with() -> None:
    first, second = make_file("a.pdf"), make_file("b.txt", b"b")
    campaign = campaign_with(first)
    schedule(campaign, now=NOW, cron="0 9 * * *")

    attach(campaign, files=[second])

    later = NOW + timedelta(days=1)
    run = fire.fire(campaign.pk, now=later)
    assert [row.name for row in RunAttachment.objects.filter(run=run)] == ["a.pdf"]
    assert used_by(first)
    Run.objects.update(status=RunStatus.COMPLETED)
    schedule(campaign, now=later, cron="0 9 * * *")
    run = fire.fire(campaign.pk, now=later + timedelta(days=1))
    assert [row.name for row in RunAttachment.objects.filter(run=run)] == ["b.txt"]
    Run.objects.update(status=RunStatus.COMPLETED)
    assert not used_by(first)


def test_a_campaign_that_ended_shows_what_it_attached(admin_client: Client) -> None:
    campaign = campaign_with(make_file("Docs/a.pdf"))
    cancel(campaign, now=NOW)

    page = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/")

    assert page.status_code == 200
    assert "Docs/a.pdf" in page.content.decode()
    with pytest.raises(Refused, match="has been cancelled already"):
        attach(campaign, files=[])


def test_a_file_that_cannot_be_sent_is_said_where_the_campaign_is_scheduled(
    admin_client: Client, settings: Settings
) -> None:
    settings.MESSAGE_MB = 1
    campaign = campaign_with(large(1_000_000))

    Plan.objects.create(campaign=campaign, when=When.NOW, time_zone="UTC")
    url = f"/campaigns/{campaign.pk}/confirm/"
    shown = admin_client.get(url).context["form"].initial
    answer = admin_client.post(url, shown)

    assert answer.status_code == 422
    assert "A message would have 1.4 MB as it is sent" in answer.content.decode()


def test_the_limit_of_a_transport_is_set_on_its_page(admin_client: Client) -> None:
    values = {"name": "Relay", "url": "smtp://relay.example:25", "message_mb": "7"}

    admin_client.post("/transports/new/", values)

    assert Transport.objects.get().message_mb == 7
