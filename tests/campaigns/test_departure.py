from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from pytest_django.fixtures import Settings

from campaigns import approval, departure, services
from campaigns.approval import NotApproved
from campaigns.departure import Moved
from campaigns.models import (
    Approval,
    Campaign,
    CampaignStatus,
    Plan,
    Run,
    RunStatus,
    UnconfirmedPolicy,
    When,
)
from campaigns.sending import fire
from campaigns.services import Refused
from templates_app.models import TemplateVersion
from tests.factories import make_campaign, make_list, make_recipient, make_segment

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
ZONE = "Asia/Ho_Chi_Minh"


@pytest.fixture
def campaign() -> Campaign:
    readers = make_list()
    make_recipient("ann@example.org", lists=[readers])
    return make_campaign(lists=[readers])


def planned(campaign: Campaign, when: When = When.NOW) -> departure.Shown:
    departure.plan(campaign, when=when, now=NOW, time_zone=ZONE)
    return departure.look(campaign, now=NOW)


def test_what_is_planned_is_not_sent(campaign: Campaign) -> None:
    planned(campaign)

    assert Campaign.objects.get().next_fire_at is None
    assert fire.fire(campaign.pk, now=NOW + timedelta(days=1)) is None


def test_now_departs_when_there_was_time_to_take_it_back(
    campaign: Campaign, settings: Settings
) -> None:
    settings.DEPARTURE_SECONDS = 90
    shown = planned(campaign)

    departure.confirm(campaign, shown, now=NOW)

    assert campaign.status == CampaignStatus.SCHEDULED
    assert campaign.next_fire_at == NOW + timedelta(seconds=90)


def test_a_time_and_a_crontab_are_kept_as_they_were_planned(campaign: Campaign) -> None:
    at = NOW + timedelta(days=2)
    departure.plan(campaign, when=When.AT, now=NOW, at=at, time_zone=ZONE)

    departure.confirm(campaign, departure.look(campaign, now=NOW), now=NOW)

    assert (campaign.next_fire_at, campaign.time_zone) == (at, ZONE)


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ({"when": When.AT, "at": NOW - timedelta(days=1)}, "is in the past"),
        ({"when": When.CRON, "cron": "often"}, "is no crontab expression"),
        ({"when": When.AT}, "say when"),
    ],
)
def test_a_plan_that_means_nothing_is_refused(
    campaign: Campaign, when: dict[str, object], text: str
) -> None:
    with pytest.raises(Refused, match=text):
        departure.plan(campaign, now=NOW, time_zone=ZONE, **when)  # type: ignore[arg-type]

    assert not Plan.objects.exists()


def test_only_a_draft_is_planned(campaign: Campaign) -> None:
    services.schedule(campaign, now=NOW, at=NOW)

    with pytest.raises(Refused, match="only a draft is planned"):
        planned(campaign)


def test_without_a_plan_nothing_is_confirmed(campaign: Campaign) -> None:
    shown = planned(campaign)
    departure.unplan(campaign)

    with pytest.raises(Refused, match="nobody has said yet when"):
        departure.confirm(campaign, shown, now=NOW)


def test_what_is_scheduled_keeps_its_plan(campaign: Campaign) -> None:
    departure.confirm(campaign, planned(campaign), now=NOW)

    with pytest.raises(Refused, match="only a draft is planned"):
        departure.unplan(campaign)

    assert Plan.objects.filter(campaign=campaign).exists()


def test_an_audience_that_moved_is_shown_again_with_the_difference(campaign: Campaign) -> None:
    shown = planned(campaign)
    make_recipient("bob@example.org", lists=list(campaign.lists.all()))

    with pytest.raises(Moved, match="1 more people would receive it: 2") as refusal:
        departure.confirm(campaign, shown, now=NOW)

    assert Campaign.objects.get().status == CampaignStatus.DRAFT
    departure.confirm(campaign, refusal.value.shown, now=NOW)


def test_content_that_moved_is_shown_again(campaign: Campaign) -> None:
    shown = planned(campaign)
    campaign.template.subject = "Another one"
    campaign.template.save()

    with pytest.raises(Moved, match="its content, audience or sender was changed"):
        departure.confirm(campaign, shown, now=NOW)


@pytest.mark.parametrize(
    "other",
    [
        {"late_limit": timedelta(hours=1)},
        {"time_to_live": timedelta(hours=1)},
        {"unconfirmed_policy": UnconfirmedPolicy.RESEND},
    ],
)
def test_limits_that_moved_are_shown_again(campaign: Campaign, other: dict[str, Any]) -> None:
    shown = planned(campaign)
    Campaign.objects.update(**other)

    with pytest.raises(Moved, match="its content, audience or sender was changed"):
        departure.confirm(campaign, shown, now=NOW)


@pytest.mark.parametrize("other", [When.AT, When.CRON, "hours"])
def test_a_time_that_moved_is_shown_again(campaign: Campaign, other: str) -> None:
    shown = planned(campaign, When.NOW)
    plans: dict[str, dict[str, Any]] = {
        When.AT: {"when": When.AT, "at": NOW + timedelta(days=3)},
        When.CRON: {"when": When.CRON, "cron": "0 9 * * *"},
        "hours": {"when": When.NOW, "hours": (time(9), time(17))},
    }
    departure.plan(campaign, now=NOW, time_zone=ZONE, **plans[other])

    with pytest.raises(Moved, match="somebody changed when it is sent") as refusal:
        departure.confirm(campaign, shown, now=NOW)

    assert Campaign.objects.get().status == CampaignStatus.DRAFT
    departure.confirm(campaign, refusal.value.shown, now=NOW)


def test_all_that_moved_is_said_at_once(campaign: Campaign) -> None:
    shown = planned(campaign)
    make_recipient("bob@example.org", lists=list(campaign.lists.all()))
    departure.plan(campaign, when=When.AT, at=NOW + timedelta(days=3), now=NOW, time_zone=ZONE)

    with pytest.raises(Moved, match=r"1 more people .* somebody changed when it is sent"):
        departure.confirm(campaign, shown, now=NOW)


def test_to_look_keeps_no_version(campaign: Campaign) -> None:
    before = TemplateVersion.objects.count()

    planned(campaign)

    assert TemplateVersion.objects.count() == before


# --- two people -------------------------------------------------------------------------------


@pytest.fixture
def two_people(settings: Settings) -> None:
    settings.TWO_PERSON_APPROVAL = True


def asked(campaign: Campaign) -> departure.Shown:
    shown = planned(campaign)
    approval.ask(campaign, shown.fingerprint, by="ann", now=NOW)
    return shown


@pytest.mark.usefixtures("two_people")
def test_nothing_is_scheduled_that_no_second_person_has_approved(campaign: Campaign) -> None:
    shown = planned(campaign)

    with pytest.raises(Refused, match="a second person has to approve it"):
        departure.confirm(campaign, shown, now=NOW, by="ann")
    asked(campaign)
    with pytest.raises(Refused, match="waits for a second person since ann has asked"):
        departure.confirm(campaign, shown, now=NOW, by="ann")

    approval.approve(campaign, shown.fingerprint, by="bob", now=NOW)
    departure.confirm(campaign, shown, now=NOW, by="ann")
    assert campaign.status == CampaignStatus.SCHEDULED


@pytest.mark.usefixtures("two_people")
def test_nobody_approves_what_they_have_asked_for(campaign: Campaign) -> None:
    shown = asked(campaign)

    with pytest.raises(NotApproved, match="another person has to approve it"):
        approval.approve(campaign, shown.fingerprint, by="ann", now=NOW)

    assert not Approval.objects.get().approved_by


@pytest.mark.usefixtures("two_people")
@pytest.mark.parametrize("edit", ["content", "audience", "sender"])
def test_an_approval_falls_with_any_edit(campaign: Campaign, edit: str) -> None:
    shown = asked(campaign)
    approval.approve(campaign, shown.fingerprint, by="bob", now=NOW)
    if edit == "content":
        campaign.template.subject = "Another one"
        campaign.template.save()
    elif edit == "audience":
        campaign.lists.add(make_list("Others"))
    else:
        campaign.sender.reply_to = "else@example.org"
        campaign.sender.save()

    with pytest.raises(Refused, match="a second person has to approve it"):
        departure.confirm(campaign, departure.look(campaign, now=NOW), now=NOW)


@pytest.mark.usefixtures("two_people")
def test_a_run_whose_segment_was_changed_after_the_approval_is_held(campaign: Campaign) -> None:
    segment = make_segment()
    campaign.segments.add(segment)
    shown = asked(campaign)
    approval.approve(campaign, shown.fingerprint, by="bob", now=NOW)
    departure.confirm(campaign, shown, now=NOW)
    segment.rules = {**segment.rules, "match": "none"}
    segment.save()

    run_id = fire.fire(campaign.pk, now=NOW + timedelta(hours=1), doubt=approval.doubt)

    run = Run.objects.get()
    assert (run_id, run.status) == (None, RunStatus.HELD)
    assert run.held_reason == "its audience or its sender was changed after it was approved"


def test_where_one_person_is_enough_nothing_is_asked(campaign: Campaign) -> None:
    shown = planned(campaign)

    departure.confirm(campaign, shown, now=NOW)

    assert fire.fire(campaign.pk, now=NOW + timedelta(hours=1), doubt=approval.doubt)


# --- constraints ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plan",
    [
        {"when": "late"},
        {"when": When.AT},
        {"when": When.NOW, "cron": "0 9 * * *"},
        {"when": When.CRON},
    ],
)
def test_plan_says_when(campaign: Campaign, plan: dict[str, str]) -> None:
    with pytest.raises(IntegrityError, match="plan_says_when"):
        Plan.objects.create(campaign=campaign, time_zone=ZONE, **plan)


@pytest.mark.parametrize(
    ("constraint", "row"),
    [
        ("approval_by_another_person", {"approved_by": "ann", "approved_at": NOW}),
        ("approval_has_time", {"approved_by": "bob"}),
    ],
)
def test_an_approval_that_cannot_be(
    campaign: Campaign, constraint: str, row: dict[str, object]
) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        Approval.objects.create(
            campaign=campaign, fingerprint="f", asked_by="ann", asked_at=NOW, **row
        )


def test_what_is_asked_twice_is_asked_once(campaign: Campaign) -> None:
    shown = asked(campaign)

    approval.ask(campaign, shown.fingerprint, by="cid", now=NOW)

    assert Approval.objects.get().asked_by == "ann"
    with pytest.raises(IntegrityError, match="approval_unique"), transaction.atomic():
        Approval.objects.create(
            campaign=campaign, fingerprint=shown.fingerprint, asked_by="cid", asked_at=NOW
        )
