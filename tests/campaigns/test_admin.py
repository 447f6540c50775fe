from datetime import timedelta
from typing import Any

import pytest
import redis
from django.contrib import admin
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from campaigns import secrets, services
from campaigns.models import (
    Campaign,
    CampaignStatus,
    DomainGroup,
    DomainLimit,
    Gate,
    Priority,
    Run,
    RunStatus,
    Sender,
    Transport,
)
from recipients.models import Field, SubscriptionState
from tests.console import messages, staff, superuser, text
from tests.factories import (
    make_campaign,
    make_list,
    make_recipient,
    make_run,
    make_segment,
    make_template,
)
from tests.smtp_server import ScriptedSMTP, refuse

pytestmark = pytest.mark.django_db

VERBS = ("schedule", "test", "pause", "resume", "cancel")


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


def offered(client: Client, campaign: Campaign) -> list[str]:
    page = client.get(url(campaign)).content.decode()
    return [verb for verb in VERBS if f'href="{url(campaign, verb)}"' in page]


# --- schedule ---------------------------------------------------------------------------------


def test_a_campaign_is_scheduled_at_a_time_in_a_zone(console: Client, campaign: Campaign) -> None:
    answers = {"when": "at", "date": "2099-07-01", "time": "09:00", "time_zone": "Europe/Berlin"}

    answer = console.post(url(campaign, "schedule"), answers, follow=True)

    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SCHEDULED
    assert campaign.next_fire_at is not None
    assert campaign.next_fire_at.isoformat() == "2099-07-01T07:00:00+00:00"
    [message] = messages(answer)
    assert message.startswith("It is sent on Wed 1 Jul 2099, 09:00 Europe/Berlin (07:00 UTC).")
    assert message.endswith("The content is frozen as Template of Spring v1.")


def test_a_campaign_is_scheduled_now(console: Client, campaign: Campaign) -> None:
    before = timezone.now()

    console.post(url(campaign, "schedule"), {"when": "now", "time_zone": "UTC"})

    campaign.refresh_from_db()
    assert campaign.next_fire_at is not None
    assert before <= campaign.next_fire_at <= timezone.now()


def test_a_campaign_is_scheduled_by_a_crontab(console: Client, campaign: Campaign) -> None:
    answers = {"when": "cron", "cron": "0 9 * * MON", "time_zone": "Asia/Ho_Chi_Minh"}

    console.post(url(campaign, "schedule"), answers)

    campaign.refresh_from_db()
    assert (campaign.cron, campaign.time_zone) == ("0 9 * * MON", "Asia/Ho_Chi_Minh")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"when": "at"}, "Say at which date."),
        ({"when": "cron", "cron": "whenever"}, "'whenever' is no crontab expression"),
        ({"when": "at", "date": "2001-01-01", "time": "09:00"}, "is in the past"),
    ],
)
def test_what_cannot_be_scheduled_stays_a_draft_and_the_page_says_why(
    answers: dict[str, str], reason: str, console: Client, campaign: Campaign
) -> None:
    answer = console.post(url(campaign, "schedule"), {"time_zone": "UTC"} | answers)

    assert answer.status_code == 422
    assert reason in text(answer)
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT


def test_a_campaign_that_nobody_would_get_is_refused(console: Client) -> None:
    campaign = make_campaign()

    answer = console.post(url(campaign, "schedule"), {"when": "now", "time_zone": "UTC"})

    assert "Nobody can be mailed: nobody is in Readers." in text(answer)


def test_the_page_says_how_many_could_be_mailed(console: Client) -> None:
    first, second = make_list("First"), make_list("Second")
    make_recipient("a@example.org", lists=[first, second])
    make_recipient("b@example.org", lists=[second])
    make_recipient("c@example.org", lists=[make_list("Third")])
    campaign = make_campaign(lists=[first, second])

    page = text(console.get(url(campaign, "schedule")))

    assert "to First, Second: 2 could be mailed at this moment" in page


# --- pause, resume, cancel --------------------------------------------------------------------


def test_a_run_is_paused_resumed_and_cancelled(
    console: Client,
    campaign: Campaign,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    run = make_run(campaign)

    states = []
    for verb in ("pause", "resume", "cancel"):
        with django_capture_on_commit_callbacks() as wakes:
            answer = console.post(url(campaign, verb), follow=True)
        run.refresh_from_db()
        states.append((run.status, len(wakes), messages(answer)[0]))

    assert states == [
        ("paused", 0, "Paused. What a worker holds at this moment still goes out."),
        ("sending", 1, "It goes on."),
        ("cancelled", 0, "Cancelled. Recipients who will not be mailed: 1."),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_resumed_is_woken_at_once(
    console: Client, campaign: Campaign, broker: redis.Redis
) -> None:
    make_run(campaign)
    services.pause(campaign)

    console.post(url(campaign, "resume"))

    assert broker.llen("maintenance") == 1


@pytest.mark.django_db(transaction=True)
def test_a_run_is_resumed_though_the_broker_is_away(
    console: Client, campaign: Campaign, no_broker: None
) -> None:
    run = make_run(campaign)
    services.pause(campaign)

    answer = console.post(url(campaign, "resume"), follow=True)

    run.refresh_from_db()
    assert run.status == "sending"
    assert messages(answer) == ["It goes on."]


@pytest.mark.parametrize("verb", VERBS)
def test_to_look_at_the_page_of_a_verb_does_nothing(
    verb: str, console: Client, campaign: Campaign
) -> None:
    run = make_run(campaign)

    answer = console.get(url(campaign, verb))

    assert answer.status_code == 200
    run.refresh_from_db()
    campaign.refresh_from_db()
    assert (run.status, campaign.status) == (RunStatus.SENDING, CampaignStatus.SCHEDULED)


@pytest.mark.parametrize(
    ("verb", "reason"),
    [("pause", "there is nothing to pause"), ("resume", "neither paused nor held")],
)
def test_a_refusal_stands_on_the_page(
    verb: str, reason: str, console: Client, campaign: Campaign
) -> None:
    answer = console.post(url(campaign, verb))

    assert answer.status_code == 422
    assert reason in text(answer)


@pytest.mark.parametrize("verb", VERBS)
def test_who_may_only_look_may_not_act(verb: str, campaign: Campaign) -> None:
    client = staff("campaigns.view_campaign")

    answers = [client.get(url(campaign, verb)), client.post(url(campaign, verb))]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert offered(client, campaign) == []
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT


@pytest.mark.parametrize("verb", VERBS)
def test_a_campaign_that_is_not_there_is_not_found(verb: str, console: Client) -> None:
    assert console.get(f"/admin/campaigns/campaign/77/{verb}/").status_code == 404


def test_only_what_fits_the_state_is_offered(console: Client, campaign: Campaign) -> None:
    draft = offered(console, campaign)
    run = make_run(campaign)
    sending = offered(console, campaign)
    services.pause(campaign)
    paused = offered(console, campaign)
    services.cancel(campaign, now=timezone.now())
    cancelled = offered(console, campaign)

    assert draft == ["schedule", "test", "cancel"]
    assert sending == ["test", "pause", "cancel"]
    assert paused == ["test", "resume", "cancel"]
    assert cancelled == ["test"]
    assert run.pk


# --- test messages ----------------------------------------------------------------------------


def test_a_test_is_sent_and_the_answer_told(
    console: Client, campaign: Campaign, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url

    answer = console.post(url(campaign, "test"), {"address": "me@example.org"}, follow=True)

    assert [message.recipient for message in smtp.messages] == ["me@example.org"]
    assert messages(answer)[0].startswith("me@example.org: The next hop took the message: 250")


def test_a_test_that_was_refused_says_so_on_the_page(
    console: Client, campaign: Campaign, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    smtp.script(refuse())

    answer = console.post(url(campaign, "test"), {"address": "me@example.org"})

    assert answer.status_code == 422
    assert "It was refused; nothing was sent: 550 5.1.1" in text(answer)


def test_a_test_to_no_address_is_refused(console: Client, campaign: Campaign) -> None:
    answer = console.post(url(campaign, "test"), {"address": "me"})

    assert "This is not an address: there is no @" in text(answer)


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


def test_the_audience_page_adds_up_and_shows_who_is_behind_a_number(
    console: Client, campaign: Campaign
) -> None:
    make_recipient("left@example.org", lists=[make_list()], state=SubscriptionState.UNSUBSCRIBED)

    counted = text(console.get(url(campaign, "audience")))
    shown = text(console.get(url(campaign, "audience"), {"show": "unsubscribed"}))

    assert "2 list Readers 2 in the audience -1 unsubscribed 1 would receive it" in counted
    assert "left@example.org Would not receive it: has unsubscribed; in list Readers" in shown


@pytest.mark.parametrize(
    ("permission", "status"),
    [
        ("campaigns.view_campaign", 200),
        ("campaigns.change_campaign", 200),
        ("tracking.view_delivery", 403),
    ],
)
def test_who_may_see_a_campaign_may_see_its_audience(
    permission: str, status: int, campaign: Campaign
) -> None:
    assert staff(permission).get(url(campaign, "audience")).status_code == status


def test_people_in_an_audience_are_for_those_who_may_see_recipients(campaign: Campaign) -> None:
    client = staff("campaigns.view_campaign")

    shown = client.get(url(campaign, "audience"), {"show": "receiving"})
    asked = client.get(url(campaign, "audience"), {"address": "ada@example.org"})

    assert "1 would receive it" in text(shown)
    assert b"ada@example.org" not in shown.content + asked.content


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ada@example.org", "ada@example.org Would receive it: in list Readers (confirmed)."),
        ("nobody@example.org", "Not in the audience: there is no recipient with this address."),
        ("nobody", "This is not an address: there is no @"),
        ("<script>", "This is not an address"),
    ],
)
def test_the_audience_page_says_why_not_this_person(
    address: str, said: str, console: Client, campaign: Campaign
) -> None:
    assert said in text(console.get(url(campaign, "audience"), {"address": address}))


def test_a_segment_that_cannot_be_read_is_said_wherever_it_is_asked(console: Client) -> None:
    campaign = make_campaign(segments=[make_segment(city="Hanoi")])
    Field.objects.all().delete()

    audience = console.get(url(campaign, "audience"))
    scheduled = console.post(url(campaign, "schedule"), {"when": "now", "time_zone": "UTC"})

    assert "The audience cannot be found: segment Hanoi: rule 1" in text(audience)
    assert "The audience cannot be found: segment Hanoi: rule 1" in text(scheduled)


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
        "Nothing was saved. It is being sent; it can be edited when the run has ended."
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


def test_another_template_does_not_change_what_is_frozen(
    console: Client, campaign: Campaign
) -> None:
    now = timezone.now()
    services.schedule(campaign, now=now, at=now + timedelta(days=1))
    other = make_template("Other")

    answer = console.post(url(campaign), edit(campaign, template=other.pk), follow=True)

    assert "What is sent is still Template of Spring v1" in messages(answer)[0]
    campaign.refresh_from_db()
    assert campaign.version is not None
    assert campaign.version.template != other


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

    assert f'href="/admin/tracking/delivery/?run={run.pk}&amp;state__exact=queued"' in page


def test_nobody_writes_runs_at_the_console(console: Client, campaign: Campaign) -> None:
    run = make_run(campaign)

    answers = [
        console.post(reverse("admin:campaigns_run_add")),
        console.post(reverse("admin:campaigns_run_change", args=[run.pk]), {"status": "held"}),
        console.post(reverse("admin:campaigns_run_delete", args=[run.pk]), {"post": "yes"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert Run.objects.get().status == RunStatus.SENDING


# --- senders and transports -------------------------------------------------------------------

TRANSPORTS = "/admin/campaigns/transport/"
SECRET_URL = "smtps://anna:hunter2@mail.example.org"


def test_a_transports_url_goes_in_encrypted_and_never_comes_out(console: Client) -> None:
    console.post(f"{TRANSPORTS}add/", {"name": "relay", "url": SECRET_URL})

    transport = Transport.objects.get()
    pages = [console.get(TRANSPORTS), console.get(f"{TRANSPORTS}{transport.pk}/change/")]
    assert secrets.decrypt(transport.encrypted_url) == SECRET_URL
    assert f"Set on {timezone.now():%Y-%m-%d}" in text(pages[1])
    assert not [page for page in pages if "hunter2" in page.content.decode()]
    assert not [page for page in pages if transport.encrypted_url in page.content.decode()]


def test_a_transports_url_is_kept_where_none_is_typed(console: Client) -> None:
    console.post(f"{TRANSPORTS}add/", {"name": "relay", "url": SECRET_URL})
    transport = Transport.objects.get()

    console.post(f"{TRANSPORTS}{transport.pk}/change/", {"name": "renamed", "url": ""})

    transport.refresh_from_db()
    assert transport.name == "renamed"
    assert secrets.decrypt(transport.encrypted_url) == SECRET_URL


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "Say where it leads to"),
        ("https://anna:hunter2@mail.example.org", "This is no transport's URL"),
        ("smtp://anna:hunter2@", "names no host"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_and_not_repeated(
    typed: str, reason: str, console: Client
) -> None:
    answer = console.post(f"{TRANSPORTS}add/", {"name": "relay", "url": typed})

    assert reason in text(answer)
    assert "hunter2" not in answer.content.decode()
    assert not Transport.objects.exists()


@pytest.mark.parametrize(
    ("field", "typed", "reason"),
    [
        ("address", "news@localhost", "has no dot"),
        ("reply_to", "a@example.org, b@example.org", "This is not an address"),
        ("display_name", "News\u2028Bcc: x@example.org", "may not stand in a header"),
        ("envelope_domain", "bounce example.org", "This is not an address"),
    ],
)
def test_what_may_not_stand_in_a_header_is_refused(
    field: str, typed: str, reason: str, console: Client
) -> None:
    values = {"address": "news@example.org", field: typed}

    answer = console.post("/admin/campaigns/sender/add/", values)

    assert reason in text(answer)
    assert not Sender.objects.exists()


def test_a_senders_domains_are_stored_as_they_are_sent(console: Client) -> None:
    values = {
        "address": "news@Bücher.example", "envelope_domain": "Bounce.Bücher.example",
        "routes-TOTAL_FORMS": "0", "routes-INITIAL_FORMS": "0",
    }  # fmt: skip

    console.post("/admin/campaigns/sender/add/", values)

    sender = Sender.objects.get()
    assert sender.address == "news@xn--bcher-kva.example"
    assert sender.domain == "bounce.xn--bcher-kva.example"


def test_limits_of_a_transport_are_typed_and_hold_at_once(console: Client) -> None:
    console.post(f"{TRANSPORTS}add/", {"name": "relay", "url": SECRET_URL, "per_second": "5"})
    transport = Transport.objects.get()
    page = f"{TRANSPORTS}{transport.pk}/change/"

    refused = console.post(page, {"name": "relay", "url": "", "connections": "0"})
    console.post(page, {"name": "relay", "url": "", "per_day": "500"})

    assert "greater than or equal to 1" in text(refused)
    transport.refresh_from_db()
    assert (transport.per_second, transport.per_day, transport.connections) == (None, 500, None)


def test_a_transports_page_says_why_its_gate_is_shut(console: Client) -> None:
    console.post(f"{TRANSPORTS}add/", {"name": "relay", "url": SECRET_URL})
    transport = Transport.objects.get()
    page = f"{TRANSPORTS}{transport.pk}/change/"
    was_open = text(console.get(page))

    Gate.objects.create(
        transport=transport, shut_until=timezone.now() + timedelta(minutes=5), cause="connection"
    )

    assert "Open." in was_open
    assert "Waiting: transport relay cannot be reached; next try" in text(console.get(page))


def test_a_sender_is_given_its_routes(console: Client) -> None:
    console.post(f"{TRANSPORTS}add/", {"name": "relay", "url": SECRET_URL})
    typed = {
        "address": "news@example.org", "routes-TOTAL_FORMS": "1", "routes-INITIAL_FORMS": "0",
        "routes-0-transport": str(Transport.objects.get().pk), "routes-0-weight": "3",
    }  # fmt: skip

    console.post("/admin/campaigns/sender/add/", typed)

    route = Sender.objects.get(address="news@example.org").routes.get()
    assert (route.transport.name, route.weight) == ("relay", 3)


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
