"""What is done with many recipients: with as many as were shown, and with nobody else."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from recipients import exporting
from recipients.models import (
    ConsentEvent,
    Export,
    MailingList,
    Recipient,
    Subscription,
    Suppression,
    Tag,
    Tagging,
)
from tests.console import messages, staff, superuser, text
from tests.factories import make_list, make_recipient, make_recipients

pytestmark = pytest.mark.django_db

SEVERAL = "/recipients/several/"


@pytest.fixture
def browser() -> Client:
    return superuser()


@pytest.fixture
def readers() -> MailingList:
    """A list of three; somebody else is on none."""
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    make_recipient("else@example.org")
    return readers


def post(browser: Client, act: str, **more: Any) -> Any:
    return browser.post(SEVERAL, {"act": act, "whom": "matching", **more}, follow=True)


def test_first_it_is_said_with_how_many_and_nothing_is_done(
    browser: Client, readers: MailingList
) -> None:
    vip = Tag.objects.create(name="VIP")

    asked = post(browser, "tag", list=readers.pk, **{"do-tag": vip.pk})

    assert "Add a tag: 3 recipients" in text(asked)
    assert 'name="expected" value="3"' in asked.content.decode()
    assert not Tagging.objects.exists()


def test_all_who_answer_to_the_filter_are_meant_and_nobody_else(
    browser: Client, readers: MailingList
) -> None:
    others, vip = make_list("Others"), Tag.objects.create(name="VIP")
    asked = {"list": readers.pk, "expected": "3"}

    post(
        browser,
        "subscribe",
        **asked,
        **{"do-mailing_list": others.pk, "do-declaration": "the fair"},
    )
    post(browser, "suppress", **asked, **{"do-reason": "manual", "do-source": "the fair"})
    left = post(browser, "unsubscribe", **asked, **{"do-mailing_list": readers.pk})

    assert messages(left) == ["Removed from the list Readers: 3."]
    assert left.redirect_chain == [(f"/recipients/?list={readers.pk}", 302)]
    assert Recipient.objects.subscribed_to(others).count() == 3
    assert not Recipient.objects.subscribed_to(readers).exists()
    assert Subscription.objects.count() == 6
    assert Suppression.objects.count() == 3
    assert not Suppression.objects.filter(key="else@example.org").exists()
    assert ConsentEvent.objects.filter(action="imported").count() == 3
    assert ConsentEvent.objects.filter(action="withdrawn").count() == 3
    assert not Tagging.objects.filter(tag=vip).exists()


def test_where_others_answer_by_now_nothing_is_done(browser: Client, readers: MailingList) -> None:
    make_recipients(1, mailing_list=readers, prefix="new")

    answer = post(
        browser, "unsubscribe", list=readers.pk, expected="3", **{"do-mailing_list": readers.pk}
    )

    assert answer.status_code == 409
    assert "it were 3 when you were asked, and it is 4 by now" in text(answer)
    assert Recipient.objects.subscribed_to(readers).count() == 4


def test_those_that_are_ticked_get_a_tag_and_lose_it(browser: Client, readers: MailingList) -> None:
    vip = Tag.objects.create(name="VIP")
    two = list(Recipient.objects.order_by("pk").values_list("pk", flat=True)[:2])
    ticked = {
        "whom": "ticked",
        "pick": [*two, "x", "9" * 30],
        "expected": "2",
        "do-tag": vip.pk,
        "tag": "99999",
    }

    tagged = post(browser, "tag", **ticked)
    have = set(vip.recipients.values_list("pk", flat=True))
    post(browser, "untag", **ticked)

    assert messages(tagged) == ["Recipients who have the tag VIP: 2."]
    assert have == set(two)
    assert not Tagging.objects.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"act": "tag", "whom": "ticked"}, "Nobody was ticked"),
        ({"act": "tag", "whom": "ticked", "pick": "x"}, "Nobody was ticked"),
        ({"act": "tag", "whom": "matching", "list": "99999"}, "not there any more"),
        ({"act": "erase", "whom": "matching"}, ""),
    ],
)
def test_what_makes_no_sense_does_nothing(
    data: dict[str, str], said: str, browser: Client, readers: MailingList
) -> None:
    answer = browser.post(SEVERAL, data, follow=True)

    assert answer.redirect_chain == [("/recipients/", 302)]
    assert said in text(answer)


def test_who_may_look_may_do_none_of_it(readers: MailingList) -> None:
    looking = staff("recipients.view_recipient")

    acts = ("tag", "untag", "subscribe", "unsubscribe", "suppress", "export")
    assert [post(looking, act).status_code for act in acts] == [403] * len(acts)
    assert "With several of them" not in text(looking.get("/recipients/"))


def test_who_answers_to_a_filter_is_exported(browser: Client, readers: MailingList) -> None:
    asked = {"q": "r", "list": readers.pk, "suppressed": "no", "do-format": "csv"}
    Suppression.objects.create(key="r0001@example.org", reason="manual")

    answer = post(browser, "export", **asked, expected="2")
    export = Export.objects.get()
    exporting.write(export.pk, clock=timezone.now)
    export.refresh_from_db()

    assert answer.redirect_chain == [("/exports/", 302)]
    assert (export.what, export.rows) == ("a search, list Readers (confirmed), not suppressed", 2)
    lines = export.file.read().decode().splitlines()
    assert [line.split(",")[0].strip('"') for line in lines[1:]] == [
        "r0002@example.org",
        "r0003@example.org",
    ]
    assert export.asked == {}


def test_an_export_of_a_filter_whose_list_is_gone_fails(
    browser: Client, readers: MailingList
) -> None:
    post(browser, "export", list=readers.pk, expected="3", **{"do-format": "csv"})
    export = Export.objects.get()
    Subscription.objects.all().delete()
    readers.delete()

    exporting.write(export.pk, clock=timezone.now)

    export.refresh_from_db()
    assert (export.status, export.asked) == ("failed", {})
    assert "was deleted; ask again" in export.problem
