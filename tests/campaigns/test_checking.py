import pytest
import redis
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from campaigns.models import AcceptedWarning, Campaign, Preflight
from campaigns.preflight import jobs
from campaigns.preflight.senders import World
from recipients.models import Field, Recipient
from templates_app.models import EmailTemplate, TemplateVersion
from tests.console import messages, staff, superuser, text
from tests.factories import (
    make_campaign,
    make_list,
    make_recipient,
    make_recipients,
    make_sender,
    make_template,
)

pytestmark = pytest.mark.django_db

OFFLINE = World(resolver=lambda: None, spamd="")


@pytest.fixture
def console() -> Client:
    return superuser()


@pytest.fixture
def campaign(settings: Settings) -> Campaign:
    """One that has a warning: there is no postal address."""
    settings.SITE_URL = "https://news.shore.org"
    make_recipient(lists=[make_list()])
    return make_campaign("Spring", sender=make_sender("The Shore <news@shore.org>"))


def url(campaign: Campaign, page: str = "check") -> str:
    return f"/campaigns/{campaign.pk}/{page}/"


def test_the_page_says_what_was_found_where_it_is_mended_and_what_is_to_come(
    console: Client, campaign: Campaign
) -> None:
    page = console.get(url(campaign))

    said = text(page)
    assert "It can be scheduled when each warning is mended, or accepted by its name." in said
    assert "no-postal-address Source: there is no postal address" in said
    assert "What takes a moment was not looked at yet" in said
    mend = f"/templates/{campaign.template_id}/edit/"
    assert f'href="{mend}"' in page.content.decode()


def test_to_look_at_the_page_writes_nothing(console: Client, campaign: Campaign) -> None:
    EmailTemplate.objects.update(subject="Not saved as a version yet")
    versions = list(TemplateVersion.objects.all())

    console.get(url(campaign))

    assert list(TemplateVersion.objects.all()) == versions
    assert not Preflight.objects.exists()


def test_it_is_reached_from_the_campaign(console: Client, campaign: Campaign) -> None:
    assert f'href="{url(campaign)}"' in console.get(f"/campaigns/{campaign.pk}/").content.decode()


def test_a_preflight_is_begun_followed_and_stopped(
    console: Client,
    campaign: Campaign,
    broker: redis.Redis,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        console.post(url(campaign), {"start": ""})
    page = console.get(url(campaign))
    begun = text(page)
    stopped = console.post(url(campaign), {"stop": ""}, follow=True)

    assert "Running Begun by root, " in begun
    assert "0 of 4 steps · 0 messages" in begun
    assert broker.llen("imports") == 4
    assert messages(stopped) == ["The preflight is stopped."]
    asking = 'hx-trigger="every 2s'
    assert [asking in each.content.decode() for each in (page, stopped)] == [True, False]
    # What somebody ticks would be gone with the next refreshing.
    accept = "Accept these warnings"
    assert [accept in text(each) for each in (page, stopped)] == [False, True]
    assert Preflight.objects.get().status == "stopped"


def test_what_is_out_of_date_is_said_to_be(console: Client, campaign: Campaign) -> None:
    jobs.start(campaign, by="ada", now=timezone.now())
    EmailTemplate.objects.update(subject="Newer")

    assert "It is out of date:" in text(console.get(url(campaign)))


def test_a_warning_is_accepted_by_name(console: Client, campaign: Campaign) -> None:
    answer = console.post(url(campaign), {"accept": "", "name": "no-postal-address"}, follow=True)

    accepted = AcceptedWarning.objects.get()
    assert (accepted.name, accepted.accepted_by) == ("no-postal-address", "root")
    assert "Accepted by root, " in text(answer)
    assert "Nothing keeps this campaign from being scheduled." in text(answer)


@pytest.mark.parametrize("names", [[], ["no-such"]])
def test_what_is_no_warning_is_not_accepted(
    console: Client, campaign: Campaign, names: list[str]
) -> None:
    answer = console.post(url(campaign), {"accept": "", "name": names}, follow=True)

    [message] = messages(answer)
    assert "ick the warnings" in message or "there is no warning no-such" in message.lower()
    assert not AcceptedWarning.objects.exists()


def test_who_may_only_look_may_not_act(campaign: Campaign) -> None:
    client = staff("campaigns.view_campaign")

    page, answer = client.get(url(campaign)), client.post(url(campaign), {"start": ""})

    assert (page.status_code, answer.status_code) == (200, 403)
    assert "Run the preflight" not in text(page)
    assert not Preflight.objects.exists()


def test_who_may_not_see_campaigns_does_not_see_it(campaign: Campaign) -> None:
    assert staff("recipients.view_recipient").get(url(campaign)).status_code == 403


def test_recipients_are_linked_for_those_who_may_see_them(
    campaign: Campaign, console: Client
) -> None:
    Field.objects.create(name="city")
    EmailTemplate.objects.update(source="{{ city }}")
    now = timezone.now()
    preflight = jobs.start(Campaign.objects.get(), by="ada", now=now)
    jobs.work(preflight.pk, clock=lambda: now, seconds=60, world=OFFLINE)

    of_all = console.get(url(campaign))
    of_few = staff("campaigns.view_campaign").get(url(campaign))

    person = Recipient.objects.get().pk
    link = f'<a href="/recipients/{person}/">recipient {person}</a>'
    assert link in of_all.content.decode()
    assert link not in of_few.content.decode()
    assert f"Some of them: recipient {person}" in text(of_few)


def test_content_with_a_fault_is_told(console: Client, campaign: Campaign) -> None:
    EmailTemplate.objects.update(source="{% if %}")

    assert "The template has a fault: source, line 1" in text(console.get(url(campaign)))


# --- scheduling -------------------------------------------------------------------------------


def test_confirming_asks_nothing_where_there_is_no_warning(console: Client) -> None:
    readers = make_list()
    make_recipients(1, mailing_list=readers)
    campaign = make_campaign(lists=[readers], template=make_template(html="<p>Hello</p>"))

    assert "Send in spite of" not in text(console.get(url(campaign, "confirm")))
