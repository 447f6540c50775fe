"""Lists that are limited: who sees them, and what hangs on them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.models import Campaign, Run
from recipients.models import Export, Import, MailingList, Recipient, Segment, Subscription
from tests.console import staff, text
from tests.factories import (
    make_campaign,
    make_delivery,
    make_list,
    make_past_run,
    make_recipient,
    make_segment,
)
from tracking.models import Delivery

pytestmark = pytest.mark.django_db


class Base(NamedTuple):
    """Ada is on the open list, Bob on the limited one, Eve on both, Joe on none."""

    open: MailingList
    limited: MailingList


@pytest.fixture
def base() -> Base:
    both = Base(make_list("Readers"), make_list("Donors"))
    both.limited.is_limited = True
    both.limited.save()
    on = {"ada": (both.open,), "bob": (both.limited,), "eve": both, "joe": ()}
    for name, lists in on.items():
        make_recipient(f"{name}@example.org", lists=lists)
    return both


def make_user(name: str = "mai", **given: Any) -> User:
    return User.objects.create_user(name, **given)


def names(user: Any) -> list[str]:
    shown = Recipient.objects.visible_to(user).order_by("pk")
    return [each.address.partition("@")[0] for each in shown]


def by_name(base: Base, user: User) -> None:
    base.limited.limited_to_users.add(user)


def by_group(base: Base, user: User) -> None:
    group = Group.objects.create(name="Fundraising")
    user.groups.add(group)
    base.limited.limited_to_groups.add(group)


def by_rank(_base: Base, user: User) -> None:
    user.is_superuser = True
    user.save()


@pytest.mark.parametrize("let_in", [by_name, by_group, by_rank])
def test_who_may_see_a_limited_list_sees_everything(
    base: Base, let_in: Callable[[Base, User], None]
) -> None:
    user = make_user()

    let_in(base, user)

    assert set(MailingList.objects.visible_to(user)) == set(base)
    assert names(user) == ["ada", "bob", "eve", "joe"]


def test_others_see_neither_the_list_nor_who_is_on_it_alone(base: Base) -> None:
    user = make_user()

    assert list(MailingList.objects.visible_to(user)) == [base.open]
    assert names(user) == ["ada", "eve"]
    assert {each.mailing_list for each in Subscription.objects.visible_to(user)} == {base.open}


def test_nobody_in_particular_sees_what_is_open_to_everybody(base: Base) -> None:
    assert names(AnonymousUser()) == ["ada", "eve"]


def test_a_list_whose_last_user_goes_stays_limited(base: Base) -> None:
    gone = make_user("gone")
    base.limited.limited_to_users.add(gone)
    gone.delete()

    assert list(MailingList.objects.visible_to(make_user())) == [base.open]


def test_to_be_named_for_a_list_that_is_open_to_everybody_changes_nothing(base: Base) -> None:
    user = make_user()
    base.open.limited_to_users.add(user)

    assert names(user) == ["ada", "eve"]


def test_a_campaign_that_speaks_of_a_hidden_list_or_of_a_segment_is_hidden(base: Base) -> None:
    segment = make_segment()
    shown = make_campaign(lists=[base.open], name="shown")
    for name, audience in {
        "lists": [base.open, base.limited],
        "excluded_lists": [base.limited],
        "segments": [segment],
        "excluded_segments": [segment],
    }.items():
        hidden = make_campaign(lists=[base.open], name=name)
        getattr(hidden, name).set(audience)

    assert list(Campaign.objects.visible_to(make_user())) == [shown]
    assert Campaign.objects.visible_to(make_user("root", is_superuser=True)).count() == 5


def test_a_segment_asks_about_everybody_and_is_for_who_sees_everybody(base: Base) -> None:
    segment = make_segment()

    assert not Segment.objects.visible_to(make_user())
    assert list(Segment.objects.visible_to(make_user("root", is_superuser=True))) == [segment]


def test_a_run_that_went_to_a_hidden_list_is_hidden_whatever_its_campaign_says_now(
    base: Base,
) -> None:
    campaign = make_campaign(lists=[base.open])
    now = timezone.now()
    shown, hidden = (make_past_run(campaign, at=now + timedelta(days=n)) for n in range(2))
    hidden.lists.add(base.limited)
    ledger = [
        make_delivery(run, make_recipient(f"{run.pk}@example.org")) for run in (shown, hidden)
    ]
    user = make_user()

    assert list(Run.objects.visible_to(user)) == [shown]
    assert list(Delivery.objects.visible_to(user)) == ledger[:1]


def make_import(name: str, **given: Any) -> Import:
    return Import.objects.create(file_name=name, sha256="", size=0, **given)


def test_imports_are_hidden_that_are_another_s_and_not_into_a_list_that_is_shown(
    base: Base,
) -> None:
    user = make_user()
    make_import("open.csv", mailing_list=base.open)
    make_import("limited.csv", mailing_list=base.limited)
    make_import("nowhere.csv")
    make_import("mine.csv", created_by=user)

    shown = Import.objects.visible_to(user).order_by("pk")

    assert [each.file_name for each in shown] == ["open.csv", "mine.csv"]


def test_exports_are_hidden_that_are_not_of_a_list_that_is_shown(base: Base) -> None:
    now = timezone.now()
    for mailing_list in (*base, None):
        what = f"{mailing_list}"
        Export.objects.create(what=what, mailing_list=mailing_list, created_at=now)

    assert [each.what for each in Export.objects.visible_to(make_user())] == ["Readers"]


@pytest.mark.parametrize(
    "queryset",
    [MailingList, Recipient, Subscription, Segment, Import, Export, Campaign, Run, Delivery],
)
def test_where_nothing_is_hidden_the_statement_is_the_same_as_without_asking(
    queryset: Any,
) -> None:
    user = make_user()
    # Single messages are of no campaign, and shown to nobody.
    anybody = {Campaign: Q(is_stream=False), Run: Q(message=None)}.get(queryset, Q())

    shown = queryset.objects.visible_to(user)

    assert str(shown.query) == str(queryset.objects.filter(anybody).query)


def test_what_is_hidden_is_asked_for_once(base: Base) -> None:
    user = make_user()

    with CaptureQueriesContext(connection) as asked:
        for model in (MailingList, Recipient, Campaign, Run):
            model.objects.visible_to(user)

    assert len(asked) == 3  # two are the user's permissions


@pytest.mark.parametrize(
    ("model", "permission"),
    [
        ("mailinglist", "recipients.view_mailinglist"),
        ("recipient", "recipients.view_recipient"),
        ("subscription", "recipients.view_recipient"),
        ("import", "recipients.view_import"),
        ("campaign", "campaigns.view_campaign"),
        ("run", "campaigns.view_run"),
        ("delivery", "tracking.view_delivery"),
    ],
)
def test_the_console_shows_what_the_user_sees_alone(
    base: Base, model: str, permission: str
) -> None:
    for mailing_list in base:
        campaign = make_campaign(lists=[mailing_list], name=f"To {mailing_list}")
        run = make_past_run(campaign)
        run.lists.set([mailing_list])
        make_delivery(run, Recipient.objects.filter(subscription__mailing_list=mailing_list)[0])
        make_import(f"{mailing_list}.csv", mailing_list=mailing_list)
    app = permission.partition(".")[0]
    url = f"/admin/{app}/{model}/".replace("subscription", "recipient")

    page = text(staff(permission).get(url))

    assert "Donors" not in page
    assert "bob@example.org" not in page
    assert "Readers" in page or "ada@example.org" in page


def test_a_campaign_is_offered_the_lists_that_its_author_sees(base: Base) -> None:
    author = staff("campaigns.add_campaign", "recipients.view_mailinglist")

    offered = author.get("/admin/campaigns/campaign/add/").context["adminform"].form.fields["lists"]

    assert list(offered.queryset) == [base.open]
