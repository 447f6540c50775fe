from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns import services
from campaigns.models import (
    Campaign,
    CampaignStatus,
    DomainGroup,
    DomainLimit,
    Gate,
    Priority,
    Run,
    RunStatus,
)
from tests.console import messages, superuser, text
from tests.factories import (
    make_campaign,
    make_list,
    make_recipient,
    make_run,
    make_segment,
    make_template,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def console() -> Client:
    return superuser()


@pytest.fixture
def campaign() -> Campaign:
    """A draft that could be sent."""
    make_recipient(lists=[make_list()])
    return make_campaign("Spring")


def url(campaign: Campaign, verb: str = "change") -> str:
    return f"/admin/campaigns/campaign/{campaign.pk}/{verb}/"


def test_a_campaigns_page_leads_to_where_it_is_checked_and_sent(
    console: Client, campaign: Campaign
) -> None:
    answer = console.get(url(campaign, "open"))

    assert f'href="{url(campaign, "open")}"' in console.get(url(campaign)).content.decode()
    assert answer["Location"] == f"/campaigns/{campaign.pk}/"


# --- editing ----------------------------------------------------------------------------------


def edit(campaign: Campaign, **changes: Any) -> dict[str, Any]:
    lists = [mailing_list.pk for mailing_list in campaign.lists.all()]
    values = {
        "name": campaign.name,
        "sender": campaign.sender_id,
        "template": campaign.template_id,
        "lists": lists,
        "priority": "campaign",
        "tracking": "full",
        "late_limit": "1 00:00:00",
        "unconfirmed_policy": "hold",
        "time_to_live": "3 00:00:00",
    }
    return values | changes


def test_a_campaign_needs_a_list_or_a_segment(console: Client, campaign: Campaign) -> None:
    answer = console.post(url(campaign), edit(campaign, lists=[]))

    assert "Choose a list or a segment: it says who gets the campaign." in text(answer)
    assert campaign.lists.count() == 1


def test_a_campaign_goes_to_segments_and_not_to_whom_it_excludes(
    console: Client, campaign: Campaign
) -> None:
    hanoi, suva, customers = make_segment(), make_segment("Suva"), make_list("Customers")
    chosen = {
        "segments": [hanoi.pk], "excluded_lists": [customers.pk], "excluded_segments": [suva.pk],
    }  # fmt: skip

    console.post(url(campaign), edit(campaign, lists=[], **chosen))

    campaign.refresh_from_db()
    assert (campaign.lists.count(), campaign.segments.get()) == (0, hanoi)
    assert (campaign.excluded_lists.get(), campaign.excluded_segments.get()) == (customers, suva)


def test_what_is_measured_and_what_becomes_of_what_is_in_doubt_is_chosen_on_its_page(
    console: Client, campaign: Campaign
) -> None:
    console.post(url(campaign), edit(campaign, tracking="anonymous", unconfirmed_policy="resend"))

    campaign.refresh_from_db()
    assert (campaign.tracking, campaign.unconfirmed_policy) == ("anonymous", "resend")


@pytest.mark.parametrize("kind", ["lists", "segments"])
def test_what_is_included_cannot_be_excluded_as_well(
    kind: str, console: Client, campaign: Campaign
) -> None:
    one = make_list().pk if kind == "lists" else make_segment("Readers").pk

    answer = console.post(url(campaign), edit(campaign, **{kind: [one], f"excluded_{kind}": [one]}))

    assert "Included as well: Readers. Choose one." in text(answer)
    assert not campaign.excluded_lists.exists()


def test_a_campaign_is_made_urgent(console: Client, campaign: Campaign) -> None:
    console.post(url(campaign), edit(campaign, priority="transactional"))

    campaign.refresh_from_db()
    assert campaign.priority == Priority.TRANSACTIONAL


def test_a_campaign_in_a_run_cannot_be_edited(console: Client, campaign: Campaign) -> None:
    make_run(campaign)

    page = console.get(url(campaign))
    answer = console.post(url(campaign), edit(campaign, name="Other"), follow=True)

    assert 'name="_save"' not in page.content.decode()
    assert messages(answer) == [
        "Nothing was saved. It is scheduled; nothing of it can be edited. A copy can."
    ]
    campaign.refresh_from_db()
    assert campaign.name == "Spring"


@pytest.mark.parametrize("status", [CampaignStatus.FINISHED, CampaignStatus.CANCELLED])
def test_a_campaign_that_has_ended_cannot_be_edited(
    status: CampaignStatus, console: Client, campaign: Campaign
) -> None:
    Campaign.objects.update(status=status)

    answer = console.post(url(campaign), edit(campaign, name="Other"), follow=True)

    assert f"It is {status}; nothing of it can be edited." in text(answer)


def test_a_scheduled_campaign_is_taken_back_before_it_is_edited(
    console: Client, campaign: Campaign
) -> None:
    now = timezone.now()
    services.schedule(campaign, now=now, at=now + timedelta(days=1))
    other = make_template("Other")

    answer = console.post(url(campaign), edit(campaign, template=other.pk), follow=True)

    assert messages(answer) == ["Nothing was saved. It is scheduled. Take it back to edit it."]
    campaign.refresh_from_db()
    assert campaign.template != other


def test_saving_does_not_undo_what_happened_while_somebody_typed(
    campaign: Campaign, rf: RequestFactory
) -> None:
    model_admin: Any = admin.site._registry[Campaign]
    stale = Campaign.objects.get(pk=campaign.pk)
    services.cancel(campaign, now=timezone.now())
    stale.name = "Typed"

    model_admin.save_model(rf.post("/"), stale, None, change=True)

    campaign.refresh_from_db()
    assert (campaign.name, campaign.status) == ("Typed", CampaignStatus.CANCELLED)


def test_a_campaign_in_a_run_cannot_be_deleted(console: Client, campaign: Campaign) -> None:
    make_run(campaign)

    answer = console.post(url(campaign, "delete"), {"post": "yes"})

    assert answer.status_code == 403
    assert Campaign.objects.exists()


# --- lists and runs ---------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["campaign", "run"])
def test_more_rows_take_no_more_queries(model: str, console: Client) -> None:
    path = reverse(f"admin:campaigns_{model}_changelist")
    make_recipient(lists=[make_list()])
    make_run(make_campaign("One"))
    with CaptureQueriesContext(connection) as few:
        console.get(path)
    for name in ("Two", "Three", "Four"):
        make_run(make_campaign(name))

    with CaptureQueriesContext(connection) as many:
        answer = console.get(path)

    assert len(answer.context["cl"].result_list) == 4
    assert len(many) == len(few)


def test_a_run_shows_its_counts_as_links_to_the_deliveries(
    console: Client, campaign: Campaign
) -> None:
    run = make_run(campaign)

    page = console.get(reverse("admin:campaigns_run_change", args=[run.pk])).content.decode()

    assert f'href="/ledger/?run={run.pk}&amp;state=queued"' in page


def test_nobody_writes_runs_at_the_console(console: Client, campaign: Campaign) -> None:
    run = make_run(campaign)

    answers = [
        console.post(reverse("admin:campaigns_run_add")),
        console.post(reverse("admin:campaigns_run_change", args=[run.pk]), {"status": "held"}),
        console.post(reverse("admin:campaigns_run_delete", args=[run.pk]), {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert Run.objects.get().status == RunStatus.SENDING


def test_a_limit_of_a_domain_is_that_of_its_group(console: Client) -> None:
    limits = "/admin/campaigns/domainlimit/"
    console.post(f"{limits}add/", {"group": "GMail.com", "per_second": "5"})
    limit = DomainLimit.objects.get()
    DomainLimit.objects.update(second_used=4)

    refused = console.post(f"{limits}add/", {"group": "no domain.org", "per_second": "5"})
    console.post(f"{limits}{limit.pk}/change/", {"group": "google", "per_hour": "90"})
    console.post("/admin/campaigns/domaingroup/add/", {"domain": "Corp.EXAMPLE", "group": "google"})

    assert limit.group == "google"
    assert "This is not an address" in text(refused)
    limit.refresh_from_db()
    assert (limit.per_second, limit.per_hour, limit.second_used) == (None, 90, 4)
    assert DomainGroup.objects.get().domain == "corp.example"


def test_a_run_that_waits_says_why_on_its_page_and_its_campaigns(console: Client) -> None:
    readers = make_list()
    make_recipient(lists=[readers])
    run = make_run(make_campaign(lists=[readers]))
    shut_until = timezone.now() + timedelta(minutes=5)
    Gate.objects.create(shut_until=shut_until, allowance=1, cause="rate_limited", answer="421 slow")

    pages = [
        text(console.get(f"/admin/campaigns/run/{run.pk}/change/")),
        text(console.get(f"/admin/campaigns/campaign/{run.campaign_id}/change/")),
    ]

    sentence = "Waiting: the server of EMAIL_URL limits how much we may send (421 slow); next try"
    assert [page.count(sentence) for page in pages] == [1, 1]
