from concurrent.futures import ThreadPoolExecutor
from datetime import time, timedelta
from typing import Any

import pytest
import redis
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from campaigns import services
from campaigns.models import (
    AcceptedWarning,
    Approval,
    Campaign,
    CampaignStatus,
    Plan,
    Run,
    RunStatus,
    When,
)
from campaigns.views.verbs import VERBS
from recipients.models import Field, MailingList, SubscriptionState
from templates_app.models import EmailTemplate
from tests.console import messages, staff, superuser, text
from tests.factories import (
    make_campaign,
    make_list,
    make_recipient,
    make_run,
    make_segment,
    make_sender,
    make_template,
)
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP, refuse
from tests.threads import in_a_connection_of_its_own, waiting_for_locks

pytestmark = pytest.mark.django_db


@pytest.fixture
def console() -> Client:
    return superuser()


@pytest.fixture
def campaign() -> Campaign:
    """A draft that could be sent."""
    make_recipient(lists=[make_list()])
    return make_campaign("Spring")


def url(campaign: Campaign, page: str = "") -> str:
    return f"/campaigns/{campaign.pk}/{page}{'/' if page else ''}"


# --- list and calendar ------------------------------------------------------------------------


def test_an_empty_list_and_one_without_a_match_are_different(console: Client) -> None:
    assert "There is no campaign yet" in text(console.get("/campaigns/"))
    make_campaign("Spring")
    assert "No campaign answers to this filter" in text(console.get("/campaigns/?q=autumn"))


def test_the_list_is_filtered_by_its_address(console: Client) -> None:
    others = make_list("Others")
    make_recipient(lists=[make_list()])
    make_run(make_campaign("Spring"))
    make_campaign("Summer", lists=[others])

    pages = {
        query: text(console.get(f"/campaigns/?{query}"))
        for query in ("q=SPR", "status=draft", f"list={others.pk}", "list=x", "page=99")
    }

    assert "Spring Sending" in pages["q=SPR"]
    assert "Summer" not in pages["q=SPR"]
    assert "Summer Draft" in pages["status=draft"]
    assert "Spring Sending" not in pages[f"list={others.pk}"]
    assert "No campaign answers" in pages["list=x"]
    assert "Spring Sending" in pages["page=99"]


@pytest.mark.parametrize("asked", ["/campaigns/?q=", "/campaigns/?status=", "/templates/?q="])
def test_what_the_database_would_not_take_is_left_out_of_a_filter(
    asked: str, console: Client
) -> None:
    answer = console.get(f"{asked}%00")

    assert answer.status_code == 200


def test_more_campaigns_take_no_more_queries(console: Client) -> None:
    make_recipient(lists=[make_list()])
    make_run(make_campaign("One"))
    with CaptureQueriesContext(connection) as few:
        console.get("/campaigns/")
    for name in ("Two", "Three", "Four"):
        make_run(make_campaign(name))

    with CaptureQueriesContext(connection) as many:
        console.get("/campaigns/")

    assert len(many) == len(few)


def test_the_calendar_shows_what_goes_out_and_what_has_gone_out(console: Client) -> None:
    make_recipient(lists=[make_list()])
    now = timezone.now()
    make_run(make_campaign("Gone"), now=now)
    services.schedule(make_campaign("Weekly"), now=now, cron="30 9 * * MON")

    this_month = text(console.get("/campaigns/calendar/"))
    later = text(console.get("/campaigns/calendar/?month=2098-12"))
    before = text(console.get("/campaigns/calendar/?month=2001-01"))

    assert "Gone Sending" in this_month
    assert later.count("09:30 Weekly Scheduled") == 5
    assert "Nothing goes out in this month. Next: Weekly" in before
    assert console.get("/campaigns/calendar/?month=never").status_code == 200


# --- the path ---------------------------------------------------------------------------------


def test_a_campaign_goes_from_a_name_to_its_departure(console: Client) -> None:
    readers, sender, template = make_list(), make_sender(), make_template()
    make_recipient(lists=[readers])

    console.post("/campaigns/new/", {"name": "X", "sender": sender.pk, "template": template.pk})
    campaign = Campaign.objects.get()
    answers = [
        console.post(url(campaign, "audience"), {"lists": [readers.pk]}),
        console.post(url(campaign, "schedule"), {"when": "now", "time_zone": "UTC"}),
    ]
    shown = console.get(url(campaign, "confirm")).context["form"].initial
    answers.append(console.post(url(campaign, "confirm"), shown))

    campaign.refresh_from_db()
    assert [answer["Location"] for answer in answers] == [
        url(campaign, "schedule"), url(campaign, "check"), url(campaign),
    ]  # fmt: skip
    assert campaign.status == CampaignStatus.SCHEDULED
    assert "Departing It is sent on" in text(console.get(url(campaign)))


def test_a_draft_says_what_is_still_to_be_done(console: Client) -> None:
    draft = services.create_campaign("X", sender=make_sender(), template=make_template())
    EmailTemplate.objects.update(source="{% if %}")

    page = text(console.get(url(draft)))

    assert "Content There is a problem" in page
    assert "Audience Not started" in page
    assert "Schedule Not started" in page


def test_a_choice_is_counted_before_it_is_saved(console: Client, campaign: Campaign) -> None:
    others = make_list("Others")
    make_recipient("b@example.org", lists=[others])

    counted = [
        console.post(url(campaign, "audience/-/count"), {"lists": [others.pk]}),
        console.post(url(campaign, "audience"), {"lists": [others.pk], "recount": "1"}),
    ]

    for page in counted:
        assert "1 list Others" in text(page)
        assert "Not saved yet." in text(page)
    assert campaign.lists.get().name == "Readers"


def test_what_is_included_cannot_be_excluded_as_well(console: Client, campaign: Campaign) -> None:
    one = campaign.lists.get().pk

    answer = console.post(url(campaign, "audience"), {"lists": [one], "excluded_lists": [one]})

    assert answer.status_code == 422
    assert "Included as well: Readers. Choose one." in text(answer)


def test_what_is_repeated_shows_its_next_five_times(console: Client, campaign: Campaign) -> None:
    typed = {"when": "cron", "repeat": "weekdays", "time": "09:00", "time_zone": "Asia/Tokyo"}

    said = text(console.post(url(campaign, "schedule/-/times"), typed))

    assert said.count("Tokyo (UTC+09:00)") == 5
    assert said.count("UTC for you") == 5
    assert not Plan.objects.exists()


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"when": "at"}, "Say on which date."),
        ({"when": "cron", "repeat": "custom", "cron": "whenever"}, "is no crontab expression"),
        ({"when": "at", "date": "2001-01-01", "time": "09:00"}, "is in the past"),
        ({"time": "09:00"}, "When: This field is required."),
    ],
)
def test_a_time_that_cannot_be_is_refused_and_the_page_says_why(
    answers: dict[str, str], reason: str, console: Client, campaign: Campaign
) -> None:
    answer = console.post(url(campaign, "schedule"), {"time_zone": "UTC"} | answers)

    assert answer.status_code == 422
    assert reason in text(answer)
    assert not Plan.objects.exists()


def test_hours_and_the_recipients_own_time_are_kept_with_the_plan(
    console: Client, campaign: Campaign
) -> None:
    typed = {"when": "at", "date": "2099-07-01", "time": "09:00", "time_zone": "Europe/Berlin"}
    typed |= {"follows_recipients": "on", "hours_from": "09:00", "hours_until": "17:00"}

    console.post(url(campaign, "schedule"), typed)
    shown = console.get(url(campaign, "schedule")).context["form"].initial
    half = console.post(url(campaign, "schedule"), {**typed, "hours_until": ""})
    now = console.post(url(campaign, "schedule"), {**typed, "when": "now"})

    campaign.refresh_from_db()
    assert campaign.follows_recipients
    assert (campaign.hours_from, campaign.hours_until) == (time(9), time(17))
    assert (shown["hours_from"], shown["time"]) == (time(9), time(9))
    assert "Write both, or neither." in text(half)
    assert "Choose a time for that." in text(now)


def test_not_yet_forgets_the_time(console: Client, campaign: Campaign) -> None:
    console.post(url(campaign, "schedule"), {"when": "now", "time_zone": "UTC"})

    console.post(url(campaign, "schedule"), {"when": "not_yet", "time_zone": "UTC"})

    assert not Plan.objects.exists()


def other(campaign: Campaign) -> dict[str, Any]:
    """Return what a form of any step may be sent with."""
    return {
        "name": "Other", "sender": campaign.sender_id, "template": campaign.template_id,
        "tracking": "off", "priority": "campaign", "late_limit": "1", "time_to_live": "1 00:00:00",
        "unconfirmed_policy": "hold", "when": "now", "time_zone": "UTC",
    }  # fmt: skip


def typed_by(client: Client, campaign: Campaign, step: str) -> dict[str, Any]:
    """Return what the form of a step sends where nothing is changed on it."""
    form = client.get(url(campaign, step)).context["form"]
    values = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in values.items() if value not in (None, False)}


@pytest.mark.parametrize(
    ("step", "first", "second", "said"),
    [
        ("content", {"name": "First"}, {"name": "Second"}, "Name: First"),
        ("content", {"time_to_live": "1:00:00"}, {"tracking": "off"}, "Time to live: 01:00:00"),
        ("audience", {"lists": []}, {"segments": []}, "To these lists: nothing"),
        ("schedule", {"when": "now"}, {"when": "not_yet"}, "When: As soon as it is confirmed"),
    ],
)
def test_who_saves_a_step_that_somebody_else_has_saved_meanwhile_sees_the_difference(
    step: str,
    first: dict[str, Any],
    second: dict[str, Any],
    said: str,
    console: Client,
    campaign: Campaign,
) -> None:
    opened = typed_by(console, campaign, step)
    console.post(url(campaign, step), opened | first)
    saved = typed_by(console, campaign, step)

    answer = console.post(url(campaign, step), opened | second)

    assert answer.status_code == 409
    assert said in text(answer).partition("Saved is now:")[2]
    assert typed_by(console, campaign, step) == saved
    shown = answer.context["form"]
    assert {name: shown[name].value() for name in second} == second
    again = console.post(url(campaign, step), opened | second | {"seen": shown["seen"].value()})
    assert again.status_code == 302


def test_the_same_saved_twice_and_another_step_are_in_nobodys_way(
    console: Client, campaign: Campaign
) -> None:
    opened = {step: typed_by(console, campaign, step) for step in ("content", "schedule")}
    renamed = opened["content"] | {"name": "Summer"}

    answers = [
        console.post(url(campaign, "content"), renamed),
        console.post(url(campaign, "content"), renamed),
        console.post(url(campaign, "schedule"), opened["schedule"] | {"when": "now"}),
    ]

    assert [answer.status_code for answer in answers] == [302, 302, 302]
    assert Plan.objects.get().campaign.name == "Summer"


@pytest.mark.parametrize("step", ["content", "audience", "schedule"])
def test_what_is_scheduled_is_not_edited(step: str, console: Client, campaign: Campaign) -> None:
    now = timezone.now()
    services.schedule(campaign, now=now, at=now + timedelta(days=1))

    answer = console.post(url(campaign, step), other(campaign), follow=True)

    assert messages(answer) == ["Nothing was saved. It is scheduled. Take it back to edit it."]
    campaign.refresh_from_db()
    assert (campaign.name, campaign.lists.count()) == ("Spring", 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["content", "audience", "schedule"])
def test_what_is_scheduled_while_somebody_saves_stays_as_it_was_confirmed(
    step: str, console: Client, campaign: Campaign
) -> None:
    now = timezone.now()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            services.schedule(campaign, now=now, at=now + timedelta(days=1))
            saving = threads.submit(
                in_a_connection_of_its_own,
                lambda: console.post(url(campaign, step), other(campaign)),
            )
            wait_until(waiting_for_locks, "somebody saves, and waits")
        saving.result()

    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.SCHEDULED
    assert (campaign.name, campaign.lists.count()) == ("Spring", 1)


def test_what_speaks_of_a_list_that_is_limited_to_others_is_not_there(campaign: Campaign) -> None:
    hidden = make_list("Board")
    MailingList.objects.filter(pk=hidden.pk).update(is_limited=True)
    secret = make_campaign("Secret", lists=[hidden])
    client = staff("campaigns.view_campaign", "recipients.view_recipient")

    pages = {page: text(client.get(f"/campaigns/{page}")) for page in ("", "calendar/")}
    audience = client.get(url(campaign, "audience"))

    assert "Secret" not in "".join(pages.values())
    assert "Board" not in pages[""] + text(audience)
    assert client.get(url(secret)).status_code == 404
    assert "Why (not) this person?" not in text(audience)


# --- confirm ----------------------------------------------------------------------------------


def confirm(client: Client, campaign: Campaign, **typed: str) -> Any:
    shown = client.get(url(campaign, "confirm")).context["form"].initial
    return client.post(url(campaign, "confirm"), {**shown, **typed})


@pytest.fixture
def planned(campaign: Campaign) -> Campaign:
    Plan.objects.create(campaign=campaign, when=When.NOW, time_zone="UTC")
    return campaign


def test_who_joined_since_somebody_looked_has_it_shown_again(
    console: Client, planned: Campaign
) -> None:
    shown = console.get(url(planned, "confirm")).context["form"].initial
    make_recipient("b@example.org", lists=list(planned.lists.all()))

    answer = console.post(url(planned, "confirm"), shown)

    assert answer.status_code == 409
    assert "Since you looked, 1 more people would receive it: 2." in text(answer)
    assert Campaign.objects.get().status == CampaignStatus.DRAFT
    again = answer.context["form"].initial
    assert console.post(url(planned, "confirm"), again)["Location"] == url(planned)


def test_a_second_click_sends_nothing_twice(console: Client, planned: Campaign) -> None:
    shown = console.get(url(planned, "confirm")).context["form"].initial
    console.post(url(planned, "confirm"), shown)
    first = Campaign.objects.get().next_fire_at

    again = console.post(url(planned, "confirm"), shown)

    assert again["Location"] == url(planned)
    assert Campaign.objects.get().next_fire_at == first


@pytest.mark.parametrize(
    ("typed", "status"), [("2", 302), (" 2 ", 302), ("3", 422), ("", 422), ("two", 422)]
)
def test_the_number_is_typed_where_it_goes_to_many(
    typed: str, status: int, console: Client, planned: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.views.confirming.MUCH", 2)
    make_recipient("b@example.org", lists=list(planned.lists.all()))

    answer = confirm(console, planned, typed=typed)

    assert answer.status_code == status


def test_what_nobody_has_planned_or_would_get_has_no_button(console: Client) -> None:
    nobody = make_campaign()

    page = text(console.get(url(nobody, "confirm")))
    Plan.objects.create(campaign=nobody, when=When.NOW, time_zone="UTC")
    planned = text(console.get(url(nobody, "confirm")))

    assert "Say when it is to be sent." in page
    assert "Nobody would receive it." in planned


def test_warnings_are_accepted_by_their_names(
    console: Client, planned: Campaign, settings: Settings
) -> None:
    settings.SITE_URL = "https://news.shore.org"
    planned.sender = make_sender("The Shore <news@shore.org>")
    planned.save()

    refused = confirm(console, planned)
    taken = confirm(console, planned, accepted="no-postal-address")

    assert "accept by name: no-postal-address" in text(refused)
    assert taken.status_code == 302
    assert AcceptedWarning.objects.get().accepted_by == "root"


def test_two_people_send_it(planned: Campaign, settings: Settings) -> None:
    settings.TWO_PERSON_APPROVAL = True
    may = ("campaigns.view_campaign", "campaigns.change_campaign")
    ann = staff(*may, "campaigns.approve_campaign", name="ann")
    bob = staff("campaigns.view_campaign", "campaigns.approve_campaign", name="bob")

    too_early = confirm(ann, planned)
    confirm(ann, planned, ask="1")
    by_herself = confirm(ann, planned, approve="1")
    confirm(bob, planned, approve="1")
    by_approver = confirm(bob, planned)
    sent = confirm(ann, planned)

    assert "A second person has to approve it" in text(too_early)
    assert "You have asked for it yourself; another person has to approve it." in text(by_herself)
    assert Approval.objects.get().approved_by == "bob"
    assert by_approver.status_code == 403
    assert sent["Location"] == url(planned)


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
        ("cancelled", 0, "Stopped. Recipients who will not be mailed: 1."),
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


@pytest.mark.parametrize("verb", [*VERBS, "content", "audience", "schedule", "check"])
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
def test_a_campaign_that_is_not_there_is_not_found(verb: str, console: Client) -> None:
    assert console.get(f"/campaigns/77/{verb}/").status_code == 404


def offered(client: Client, campaign: Campaign) -> list[str]:
    page = client.get(url(campaign)).content.decode()
    return [verb for verb in VERBS if f'href="{url(campaign, verb)}"' in page]


def test_who_may_only_look_is_offered_nothing(campaign: Campaign) -> None:
    make_run(campaign)

    assert offered(staff("campaigns.view_campaign"), campaign) == []


def test_only_what_fits_the_state_is_offered(console: Client, campaign: Campaign) -> None:
    now = timezone.now()
    draft = offered(console, campaign)
    services.schedule(campaign, now=now, at=now + timedelta(days=1))
    scheduled = offered(console, campaign)
    make_run(campaign)
    sending = offered(console, campaign)
    services.pause(campaign)
    paused = offered(console, campaign)
    services.cancel(campaign, now=timezone.now())
    cancelled = offered(console, campaign)

    assert draft == ["copy", "delete", "test"]
    assert scheduled == ["withdraw", "cancel", "copy"]
    assert sending == ["pause", "cancel", "copy"]
    assert paused == ["resume", "cancel", "copy"]
    assert cancelled == ["copy"]


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
    scheduled = console.get(url(campaign, "confirm"))

    assert "The audience cannot be found: segment Hanoi: rule 1" in text(audience)
    assert "The audience cannot be found: segment Hanoi: rule 1" in text(scheduled)


# --- copy, delete, take back ------------------------------------------------------------------


def test_a_copy_has_content_and_audience_and_no_schedule(
    console: Client, campaign: Campaign
) -> None:
    make_run(campaign)

    answer = console.post(url(campaign, "copy"), {"name": "Spring again"})

    copy = Campaign.objects.get(name="Spring again")
    assert answer["Location"] == url(copy)
    assert (copy.template, copy.lists.get()) == (campaign.template, campaign.lists.get())
    assert (copy.status, copy.version, copy.runs.count()) == (CampaignStatus.DRAFT, None, 0)


def test_a_draft_is_deleted_and_what_was_sent_is_not(console: Client, campaign: Campaign) -> None:
    sent = make_campaign("Sent")
    make_run(sent)

    deleted = console.post(url(campaign, "delete"))
    refused = console.post(url(sent, "delete"))

    assert deleted["Location"] == "/campaigns/"
    assert "is no draft that was never sent" in text(refused)
    assert Campaign.objects.get() == sent


def test_what_departs_soon_can_be_taken_back(console: Client, campaign: Campaign) -> None:
    now = timezone.now()
    services.schedule(campaign, now=now, at=now + timedelta(seconds=50))

    console.post(url(campaign, "withdraw"))

    assert Campaign.objects.get().status == CampaignStatus.DRAFT


def test_the_part_that_changes_is_asked_for_while_it_can(
    console: Client, campaign: Campaign
) -> None:
    draft = console.get(url(campaign)).content.decode()
    make_run(campaign)

    part = console.get(url(campaign, "-/standing"), headers={"HX-Request": "true"})

    assert "hx-trigger" not in draft
    assert 'hx-trigger="every 3s, refresh"' in part.content.decode()
    assert "Sending" in text(part)


def test_what_was_scheduled_is_called_what_it_has_become(
    console: Client, campaign: Campaign
) -> None:
    now = timezone.now()
    services.schedule(campaign, now=now, at=now + timedelta(seconds=50))
    before = text(console.get(url(campaign)))
    run = make_run(campaign)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.COMPLETED, finished_at=now)
    Campaign.objects.update(status=CampaignStatus.FINISHED, next_fire_at=None)

    part = console.get(url(campaign, "-/standing"), headers={"HX-Request": "true"})

    source = part.content.decode()
    assert before.count("It is scheduled. Take it back to edit it.") == 1
    assert "Take it back" not in text(part)
    assert f'data-title="Finished: {campaign}' in source
    assert 'data-say="Finished."' in source
    assert url(campaign, "report") in source
