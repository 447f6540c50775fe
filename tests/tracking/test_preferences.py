"""What people choose by the link in a message, and that nothing is chosen by following it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from recipients import consent
from recipients.models import (
    ConsentEvent,
    ConsentWording,
    MailingList,
    NoticeKind,
    Recipient,
    Signup,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
    TrackingConsent,
)
from recipients.notices import write
from tests.factories import make_campaign, make_form, make_list, make_recipient, make_run
from tracking import links
from tracking.models import Delivery, DeliveryEvent, Departure
from tracking.tokens import Kind, sign

pytestmark = pytest.mark.django_db

ADA = "ada@example.org"
SITE = "http://localhost:8000"
PENDING = SubscriptionState.PENDING
WRITES = {"INSERT", "UPDATE", "DELETE"}
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def browser() -> Client:
    """A browser that has never been here: no cookie, and nothing is forgiven."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def delivery() -> Delivery:
    """A message to Ada by the list Readers; there are a public list and one of others, too."""
    make_recipient(ADA, lists=[make_list()])
    MailingList.objects.create(name="Public", is_public=True, description="Once a year.")
    make_list("Staff")
    make_run(make_campaign())
    return Delivery.objects.get()


def path(delivery: Delivery) -> str:
    return links.preferences_url(delivery.pk).removeprefix(SITE)


def save(client: Client, delivery: Delivery, *lists: str, **chosen: str) -> Any:
    """Press the page's button with these lists ticked."""
    ids = {each.name: each.pk for each in MailingList.objects.all()}
    ticked = {"shown": list(ids.values()), "list": [ids[name] for name in lists]}
    data = {"paused_until": "", "language": "", **ticked, **chosen}
    return client.post(path(delivery), data)


def states() -> dict[str, str]:
    return dict(Subscription.objects.values_list("mailing_list__name", "state"))


def events() -> list[tuple[str, str]]:
    return list(ConsentEvent.objects.order_by("id").values_list("purpose", "action"))


def test_the_page_shows_what_a_person_may_choose_and_ticks_what_they_get(
    delivery: Delivery, browser: Client
) -> None:
    page = browser.get(path(delivery))

    text = page.content.decode()
    assert page.status_code == 200
    assert not page.cookies
    assert "Send me the messages of Readers." in text
    assert "Send me the messages of Public. Once a year." in text
    assert "Staff" not in text
    assert text.count("checked") == 1
    assert 'name="referrer" content="no-referrer"' in text
    assert "no-store" in page["Cache-Control"]


def test_to_follow_the_links_a_hundred_times_changes_nothing(
    delivery: Delivery, browser: Client
) -> None:
    asked = make_recipient("bob@example.org", lists=[make_list("Birds")], state=PENDING)
    write(NoticeKind.CONFIRMATION, recipient=asked, now=timezone.now())
    notice = asked.notice_set.get()
    urls = {
        links.unsubscribe_url(delivery.pk): 200,
        links.reason_url(delivery.pk): 302,
        links.preferences_url(delivery.pk): 200,
        links.notice_preferences_url(notice.pk): 200,
        links.confirm_url(notice.pk): 200,
    }

    with CaptureQueriesContext(connection) as queries:
        for url, status in urls.items():
            for follow in [browser.get, browser.head] * 10:
                answer = follow(url.removeprefix(SITE))
                assert answer.status_code == status
                assert not answer.cookies

    assert not [each["sql"] for each in queries if each["sql"].split()[0] in WRITES]


def test_what_is_ticked_is_joined_at_once_and_what_is_not_is_left(
    delivery: Delivery, browser: Client
) -> None:
    answer = save(browser, delivery, "Public")

    assert answer.status_code == 200
    assert "Saved." in answer.content.decode()
    assert states() == {"Readers": "unsubscribed", "Public": "confirmed"}
    assert events() == [("list", "withdrawn"), ("list", "granted"), ("list", "confirmed")]
    words = ConsentWording.objects.get(digest=ConsentEvent.objects.latest("id").wording)
    assert words.text == "Send me the messages of Public. Once a year."
    assert consent.verify().problems == []


def test_to_save_twice_is_to_save_once(delivery: Delivery, browser: Client) -> None:
    for _ in range(2):
        save(browser, delivery, "Public", tracking="denied")

    assert len(events()) == 4


@pytest.mark.parametrize(
    "sent",
    [
        {},
        ONE_CLICK,
        {"language": "de"},
        {"paused_until": ""},
        {"tracking": "granted"},
        {"list": ""},
    ],
)
def test_a_post_that_is_not_of_the_form_changes_nothing_and_says_so(
    sent: dict[str, str], delivery: Delivery, browser: Client
) -> None:
    until = timezone.localdate() + timedelta(days=9)
    Recipient.objects.update(language="vi", paused_until=until)
    lists = {"shown": [make_list().pk]}

    answer = browser.post(path(delivery), {**lists, **sent})

    ada = Recipient.objects.get()
    assert answer.status_code == 400
    assert "Nothing was saved" in answer.content.decode()
    assert "checked" in answer.content.decode()
    assert (ada.language, ada.paused_until) == ("vi", until)
    assert ada.tracking_consent == TrackingConsent.UNKNOWN
    assert states() == {"Readers": "confirmed"}
    assert events() == []


def test_a_list_that_the_page_did_not_show_is_neither_joined_nor_left(
    delivery: Delivery, browser: Client
) -> None:
    staff, readers = make_list("Staff"), make_list()

    save(browser, delivery, "Readers", "Staff")
    for ids in (
        {"list": [staff.pk], "shown": []},
        {"list": ["x", "9" * 30, "-1", "²"], "shown": [readers.pk + 99]},
    ):
        browser.post(path(delivery), {"paused_until": "", "language": "", **ids})

    assert states() == {"Readers": "confirmed"}
    assert events() == []


def test_who_was_taken_off_a_list_of_others_does_not_put_themselves_back(
    delivery: Delivery, browser: Client
) -> None:
    ada = Recipient.objects.get()
    Subscription.objects.create(
        recipient=ada, mailing_list=make_list("Staff"), state=SubscriptionState.UNSUBSCRIBED
    )

    page = browser.get(path(delivery)).content.decode()
    save(browser, delivery, "Readers", "Staff")

    assert "Staff" not in page
    assert states()["Staff"] == "unsubscribed"


def test_a_pending_list_is_not_lost_by_saving_something_else(
    delivery: Delivery, browser: Client
) -> None:
    pending = Subscription.objects.create(
        recipient=Recipient.objects.get(), mailing_list=make_list("Birds"), state="pending"
    )

    save(browser, delivery, "Readers", language="vi")
    kept = states()["Birds"]
    save(browser, delivery, "Readers", "Birds", language="vi")

    assert kept == SubscriptionState.PENDING
    pending.refresh_from_db()
    assert pending.state == SubscriptionState.CONFIRMED


@pytest.mark.parametrize(
    ("days", "taken"), [(0, False), (1, True), (366, True), (367, False), (-1, False)]
)
def test_a_pause_ends_on_a_day_after_today_and_within_a_year(
    days: int, taken: bool, delivery: Delivery, browser: Client
) -> None:
    until = timezone.localdate() + timedelta(days=days)

    answer = save(browser, delivery, "Readers", paused_until=until.isoformat())

    assert answer.status_code == (200 if taken else 422)
    assert Recipient.objects.get().paused_until == (until if taken else None)
    assert states() == {"Readers": "confirmed"}


def test_language_and_tracking_are_kept_and_tracking_is_consent(
    delivery: Delivery, browser: Client
) -> None:
    save(browser, delivery, "Readers", language="vi", tracking="granted")
    save(browser, delivery, "Readers", language="vi", tracking="denied")

    ada = Recipient.objects.get()
    assert (ada.language, ada.tracking_consent) == ("vi", TrackingConsent.DENIED)
    assert events() == [("tracking", "granted"), ("tracking", "withdrawn")]


def test_the_words_beside_the_switch_are_those_that_are_kept(
    delivery: Delivery, browser: Client
) -> None:
    page = browser.get(path(delivery)).content.decode()

    save(browser, delivery, "Readers", tracking="granted")

    [words] = ConsentWording.objects.all()
    question, _, answer = words.text.partition("? ")
    assert f"<legend>{question}?</legend>" in page
    assert answer == "Yes"


def test_a_language_as_others_write_it_is_kept(delivery: Delivery, browser: Client) -> None:
    Recipient.objects.update(language="pt-BR")

    page = browser.get(path(delivery)).content.decode()
    save(browser, delivery, "Readers", language="pt-BR")

    assert '<option value="pt-BR" selected>Brazilian Portuguese</option>' in page
    assert "pt-br" not in page
    assert Recipient.objects.get().language == "pt-BR"


@pytest.mark.parametrize(
    "chosen", [{"language": "xx"}, {"tracking": "perhaps"}, {"paused_until": "x"}]
)
def test_what_is_none_of_the_choices_is_refused_and_nothing_is_saved(
    chosen: dict[str, str], delivery: Delivery, browser: Client
) -> None:
    answer = save(browser, delivery, "Public", **chosen)

    assert answer.status_code == 422
    assert states() == {"Readers": "confirmed"}


def test_to_leave_everything_leaves_each_list_and_suppresses_the_address(
    delivery: Delivery, browser: Client
) -> None:
    make_form("public", mailing_list=MailingList.objects.get(name="Public"))

    answers = [browser.post(path(delivery), {"nothing": "1"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert "Nothing is sent to ada@example.org any more." in answers[1].content.decode()
    assert "/subscribe/public" in answers[1].content.decode()
    assert states() == {"Readers": "unsubscribed"}
    assert events() == [("everything", "withdrawn"), ("list", "withdrawn")]
    assert Suppression.objects.get().reason == SuppressionReason.UNSUBSCRIBED


def test_who_left_everything_joins_nothing_here(delivery: Delivery, browser: Client) -> None:
    browser.post(path(delivery), {"nothing": "1"})

    save(browser, delivery, "Readers", "Public")

    assert states() == {"Readers": "unsubscribed"}
    assert Suppression.objects.exists()


def test_a_message_of_ours_leads_to_the_same_page(browser: Client) -> None:
    ada = make_recipient(ADA, lists=[make_list()])
    write(NoticeKind.WELCOME, recipient=ada, now=timezone.now())
    notice = ada.notice_set.get()

    page = browser.get(links.notice_preferences_url(notice.pk).removeprefix(SITE))

    assert "What ada@example.org gets" in page.content.decode()


def test_a_token_of_another_kind_leads_to_nobody(delivery: Delivery, browser: Client) -> None:
    write(NoticeKind.WELCOME, recipient=Recipient.objects.get(), now=timezone.now())
    ids = {delivery.pk, Recipient.objects.get().notice_set.get().pk}
    others = set(Kind) - {Kind.PREFERENCES, Kind.NOTICE_PREFERENCES}
    tokens = [sign(kind, pk, ring=links.key_ring()) for kind in others for pk in ids]

    answers = [browser.get(f"/p/{token}") for token in tokens]
    answers += [browser.post(f"/p/{token}", {"nothing": "1"}) for token in tokens]

    assert {answer.status_code for answer in answers} == {404}
    assert not Suppression.objects.exists()


def deleted() -> None:
    Recipient.objects.all().delete()


def other_address() -> None:
    Recipient.objects.update(key="new@example.org", address="new@example.org")


@pytest.mark.parametrize("meanwhile", [deleted, other_address])
def test_a_link_whose_person_is_not_there_any_more_leads_to_nobody(
    meanwhile: Any, delivery: Delivery, browser: Client
) -> None:
    meanwhile()

    answers = [browser.get(path(delivery)), browser.post(path(delivery), {"nothing": "1"})]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert not Suppression.objects.exists()


def test_a_token_that_is_garbled_leads_to_nobody(delivery: Delivery, browser: Client) -> None:
    right = path(delivery).removeprefix("/p/")

    for token in (right[:-1], right + "0", "x" * 40, "é", "%00", "0" * 40):
        assert browser.post(f"/p/{token}", {"nothing": "1"}).status_code == 404


# --- one click and reasons -----------------------------------------------------------------------


def leave(client: Client, delivery: Delivery, **scope: str) -> Any:
    return client.post(links.unsubscribe_url(delivery.pk).removeprefix(SITE), ONE_CLICK | scope)


def tell(client: Client, delivery: Delivery, **said: str) -> Any:
    return client.post(links.reason_url(delivery.pk).removeprefix(SITE), said)


def test_each_unsubscription_is_in_the_ledger_once(delivery: Delivery, browser: Client) -> None:
    for _ in range(2):
        leave(browser, delivery)
    leave(browser, delivery, scope="all")

    assert events() == [("list", "withdrawn"), ("everything", "withdrawn")]
    [event] = ConsentEvent.objects.filter(purpose="list")
    assert event.source == f"delivery {delivery.pk}"
    assert bytes(event.subject) == consent.subject(ADA)
    assert event.mailing_list_id == make_list().pk


def test_an_unsubscription_that_cannot_be_proven_does_not_happen(
    delivery: Delivery, browser: Client
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE recipients_consentevent ADD CHECK (action <> 'withdrawn')")

    with pytest.raises(IntegrityError), transaction.atomic():
        leave(browser, delivery)

    assert states() == {"Readers": "confirmed"}


def test_one_click_has_no_limit(delivery: Delivery, browser: Client, settings: Settings) -> None:
    settings.SIGNUP_NETWORK_LIMIT = 1

    assert {leave(browser, delivery).status_code for _ in range(10)} == {200}


def test_an_unsubscription_takes_back_what_was_asked_for_and_not_confirmed(
    delivery: Delivery, browser: Client
) -> None:
    Signup.objects.create(
        recipient=Recipient.objects.get(),
        mailing_list=make_list(),
        wording=b"",
        asked_at=timezone.now(),
    )

    leave(browser, delivery)

    assert not Signup.objects.exists()


def test_a_page_after_leaving_asks_why_and_nothing_has_to_be_said(
    delivery: Delivery, browser: Client
) -> None:
    page = leave(browser, delivery, scope="lists").content.decode()

    assert "Why do you leave? You need not say." in page
    assert "checked" not in page
    assert tell(browser, delivery).status_code == 200
    assert Departure.objects.get().reason == ""


def test_a_reason_is_kept_once_for_each_message_and_the_newer_words_count(
    delivery: Delivery, browser: Client
) -> None:
    leave(browser, delivery, scope="lists")

    tell(browser, delivery, reason="too_many")
    answer = tell(browser, delivery, reason="other", comment="Bye, and thanks.")

    assert answer.status_code == 200
    assert not answer.cookies
    departure = Departure.objects.get()
    assert (departure.delivery, departure.reason, departure.comment) == (
        delivery,
        "other",
        "Bye, and thanks.",
    )


@pytest.mark.parametrize("said", [{"reason": "whim"}, {"comment": "x" * 1001}])
def test_a_reason_that_is_none_is_refused(
    said: dict[str, str], delivery: Delivery, browser: Client
) -> None:
    leave(browser, delivery)

    assert tell(browser, delivery, **said).status_code == 422
    assert not Departure.objects.exists()


def test_who_has_not_left_is_led_to_the_page_for_leaving(
    delivery: Delivery, browser: Client
) -> None:
    answer = tell(browser, delivery, reason="other")

    assert answer["Location"] == links.unsubscribe_url(delivery.pk).removeprefix(SITE)
    assert not Departure.objects.exists()


def test_tracking_consent_is_one_of_those_that_we_know(delivery: Delivery) -> None:
    with (
        pytest.raises(IntegrityError, match="recipient_tracking_consent_known"),
        transaction.atomic(),
    ):
        Recipient.objects.update(tracking_consent="maybe")


def test_a_reason_is_one_of_those_that_we_know(delivery: Delivery) -> None:
    with pytest.raises(IntegrityError, match="departure_reason_known"), transaction.atomic():
        Departure.objects.create(delivery=delivery, reason="whim")


@pytest.mark.parametrize(
    ("chosen", "count"),
    [((), 1), (("Readers",), 0), (("Readers", "Public"), 0)],
    ids=["leaves", "stays", "joins another one"],
)
def test_a_list_that_is_left_on_the_page_is_counted_for_the_message_that_led_there(
    delivery: Delivery, browser: Client, chosen: tuple[str, ...], count: int
) -> None:
    save(browser, delivery, *chosen)
    save(browser, delivery, *chosen)

    assert DeliveryEvent.objects.departures_of(delivery).count() == count


def test_who_wants_nothing_at_all_any_more_is_counted_for_the_message(
    delivery: Delivery, browser: Client
) -> None:
    browser.post(path(delivery), {"nothing": "1"})

    assert DeliveryEvent.objects.departures_of(delivery).count() == 1
