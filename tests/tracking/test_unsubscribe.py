"""The link in every message, for programs (RFC 8058) and for people."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client
from django.urls import Resolver404, resolve
from django.utils import timezone
from pytest_django import Settings

from campaigns.sending.snapshot import take_slice
from recipients.models import (
    Recipient,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from tests.factories import make_campaign, make_list, make_recipient, make_run, make_segment
from tracking import links
from tracking.models import Delivery, DeliveryEvent
from tracking.tokens import Kind, sign

pytestmark = pytest.mark.django_db

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
SITE = "http://localhost:8000"


@pytest.fixture
def delivery() -> Delivery:
    """A message to Ada by the list Readers; she is on Other, too."""
    make_recipient("ada@example.org", lists=[make_list(), make_list("Other")])
    make_run(make_campaign())
    return Delivery.objects.get()


@pytest.fixture
def mail_program() -> Client:
    """What posts from a mail provider's machines: no cookie, and nothing is forgiven."""
    return Client(enforce_csrf_checks=True)


def path(delivery: Delivery) -> str:
    return links.unsubscribe_url(delivery.pk).removeprefix(SITE)


def states() -> dict[str, str]:
    return dict(Subscription.objects.values_list("mailing_list__name", "state"))


UNSUBSCRIBED = {
    "Readers": SubscriptionState.UNSUBSCRIBED,
    "Other": SubscriptionState.CONFIRMED,
}
UNTOUCHED = dict.fromkeys(UNSUBSCRIBED, SubscriptionState.CONFIRMED)

# Both are allowed by RFC 8058 3.2; the first is what `multipart/form-data` looks like on the wire.
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
)
BODIES = {
    "multipart": (MULTIPART, "multipart/form-data; boundary=b"),
    "urlencoded": (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
}


@pytest.mark.parametrize("encoding", BODIES)
def test_one_click_unsubscribes_at_once_and_may_be_repeated(
    encoding: str, delivery: Delivery, mail_program: Client, settings: Settings
) -> None:
    settings.APPEND_SLASH = True
    settings.SECURE_SSL_REDIRECT = True
    body, content_type = BODIES[encoding]

    answers = [mail_program.generic("POST", path(delivery), body, content_type) for _ in range(2)]

    for answer in answers:
        assert answer.status_code == 200
        assert answer["Content-Type"] == "text/plain"
        assert "Set-Cookie" not in answer
        assert "Location" not in answer
        assert not answer.cookies
    assert states() == UNSUBSCRIBED
    assert not Suppression.objects.exists()
    assert Subscription.objects.count() == 2


def test_the_second_click_changes_nothing_any_more(
    delivery: Delivery, mail_program: Client
) -> None:
    mail_program.post(path(delivery), ONE_CLICK)
    first = Subscription.objects.get(mailing_list__name="Readers").changed_at

    mail_program.post(path(delivery), ONE_CLICK)

    assert Subscription.objects.get(mailing_list__name="Readers").changed_at == first


@pytest.mark.parametrize("method", ["get", "head"])
def test_to_follow_the_link_changes_nothing(
    method: str, delivery: Delivery, mail_program: Client
) -> None:
    answers = [getattr(mail_program, method)(path(delivery)) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert not any(answer.cookies for answer in answers)
    assert states() == UNTOUCHED


@pytest.mark.parametrize(
    "body",
    [{}, {"List-Unsubscribe": "one-click"}, {"list-unsubscribe": "One-Click"}, {"scope": "all"}],
)
def test_a_post_that_does_not_say_one_click_is_refused(
    body: Mapping[str, str], delivery: Delivery, mail_program: Client
) -> None:
    answer = mail_program.post(path(delivery), body)

    assert answer.status_code == 400
    assert states() == UNTOUCHED
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("method", ["put", "delete", "options", "patch"])
def test_no_other_method_is_answered(method: str, delivery: Delivery, mail_program: Client) -> None:
    assert getattr(mail_program, method)(path(delivery)).status_code == 405
    assert states() == UNTOUCHED


def wrong_tokens(delivery: Delivery) -> dict[str, str]:
    right = path(delivery).removeprefix("/u/")
    return {
        "nonsense": "nonsense",
        "cut off": right[:-1],
        "mistyped": right[:-1] + ("a" if right[-1] != "a" else "b"),
        "of another purpose": sign(Kind.BOUNCE, delivery.pk, ring=links.key_ring()),
        "of no delivery": sign(Kind.UNSUBSCRIBE, delivery.pk + 1, ring=links.key_ring()),
    }


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    "what", ["nonsense", "cut off", "mistyped", "of another purpose", "of no delivery"]
)
def test_a_wrong_token_is_not_found(
    what: str, method: str, delivery: Delivery, mail_program: Client
) -> None:
    token = wrong_tokens(delivery)[what]

    answer = getattr(mail_program, method)(f"/u/{token}", ONE_CLICK)

    assert answer.status_code == 404
    assert "This link is not known" in answer.content.decode()
    assert states() == UNTOUCHED


def test_a_token_whose_case_was_folded_is_known(delivery: Delivery, mail_program: Client) -> None:
    token = path(delivery).removeprefix("/u/").upper()

    assert mail_program.post(f"/u/{token}", ONE_CLICK).status_code == 200


def test_the_link_is_routed_as_it_stands_in_the_message(delivery: Delivery) -> None:
    assert resolve(path(delivery)).view_name == "tracking:unsubscribe"
    with pytest.raises(Resolver404):
        resolve(path(delivery) + "/")


# --- the page, for people ---------------------------------------------------------------------


def press(client: Client, delivery: Delivery, scope: str) -> Any:
    return client.post(path(delivery), ONE_CLICK | {"scope": scope})


def test_the_page_names_the_list_and_asks_before_it_acts(
    delivery: Delivery, mail_program: Client
) -> None:
    page = mail_program.get(path(delivery)).content.decode()

    assert "ada@example.org" in page
    assert "Unsubscribe from Readers" in page
    assert "Other" not in page
    assert 'name="List-Unsubscribe" value="One-Click"' in page
    assert "csrf" not in page


def test_the_button_for_the_list_leaves_the_other_list(
    delivery: Delivery, mail_program: Client
) -> None:
    answer = press(mail_program, delivery, "lists")

    assert answer.status_code == 200
    assert "is unsubscribed from Readers" in answer.content.decode()
    assert states() == UNSUBSCRIBED


def test_the_button_for_everything_suppresses_the_address(
    delivery: Delivery, mail_program: Client
) -> None:
    answers = [press(mail_program, delivery, "all") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    [suppression] = Suppression.objects.all()
    assert suppression.key == "ada@example.org"
    assert suppression.reason == SuppressionReason.UNSUBSCRIBED
    assert suppression.source == f"delivery {delivery.pk}"


def test_the_wish_of_a_person_takes_the_place_of_what_staff_may_lift(
    delivery: Delivery, mail_program: Client
) -> None:
    Suppression.objects.create(key="ada@example.org", reason=SuppressionReason.BOUNCE)

    answer = press(mail_program, delivery, "all")

    assert answer.status_code == 200
    entry = Suppression.objects.get()
    assert entry.reason == SuppressionReason.UNSUBSCRIBED
    assert entry.source == f"delivery {delivery.pk}; before: bounce ()"


def test_a_recipient_who_was_deleted_is_answered_as_well(
    delivery: Delivery, mail_program: Client
) -> None:
    Recipient.objects.all().delete()

    answers = [mail_program.get(path(delivery)), press(mail_program, delivery, "all")]

    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_recipient_of_whom_the_id_alone_is_left_is_answered_as_well(
    delivery: Delivery, mail_program: Client
) -> None:
    Delivery.objects.update(recipient=10**9)  # as one deleted while the snapshot was written

    answers = [mail_program.get(path(delivery)), press(mail_program, delivery, "all")]

    assert [answer.status_code for answer in answers] == [200, 200]


def test_the_page_is_not_kept_or_found_by_search_engines(
    delivery: Delivery, mail_program: Client
) -> None:
    answer = mail_program.get(path(delivery))

    assert "no-store" in answer["Cache-Control"]
    assert 'content="noindex, nofollow"' in answer.content.decode()
    assert 'name="referrer" content="no-referrer"' in answer.content.decode()


def test_a_second_visit_says_what_is_so_already(delivery: Delivery, mail_program: Client) -> None:
    press(mail_program, delivery, "lists")
    unsubscribed = mail_program.get(path(delivery)).content.decode()
    press(mail_program, delivery, "all")
    suppressed = mail_program.get(path(delivery)).content.decode()

    assert "is unsubscribed already" in unsubscribed
    assert 'value="lists"' not in unsubscribed
    assert 'value="all"' in unsubscribed
    assert "gets no message from here any more" in suppressed
    assert "<button" not in suppressed


@pytest.fixture
def by_segment() -> Delivery:
    """A message to Ada, who is on Other, because of a segment; Readers is on the campaign, too."""
    make_recipient("ada@example.org", lists=[make_list("Other"), make_list("Third")])
    make_run(make_campaign(lists=[make_list()], segments=[make_segment()]))
    return Delivery.objects.get()


def test_who_was_reached_by_a_segment_leaves_every_list_and_the_page_says_so(
    by_segment: Delivery, mail_program: Client
) -> None:
    page = mail_program.get(path(by_segment)).content.decode()
    answer = mail_program.post(path(by_segment), ONE_CLICK)

    assert "among the readers of Other, Third. To unsubscribe is to leave all of them." in page
    assert answer.content == b"Unsubscribed.\n"
    assert set(states().values()) == {SubscriptionState.UNSUBSCRIBED}
    assert "unsubscribed already" in mail_program.get(path(by_segment)).content.decode()


@pytest.mark.parametrize(
    ("on_readers", "left"),
    [
        (SubscriptionState.CONFIRMED, {"Readers"}),
        (SubscriptionState.UNSUBSCRIBED, {"Readers"}),
        (SubscriptionState.PENDING, {"Readers", "Other", "Third"}),
    ],
)
def test_who_is_on_a_list_of_the_campaign_leaves_that_however_often(
    on_readers: SubscriptionState, left: set[str], by_segment: Delivery, mail_program: Client
) -> None:
    Subscription.objects.create(
        recipient=Recipient.objects.get(), mailing_list=make_list(), state=on_readers
    )

    for _ in range(2):
        mail_program.post(path(by_segment), ONE_CLICK)

    assert {name for name, state in states().items() if state == "unsubscribed"} == left


@pytest.mark.parametrize("now_to", ["Third", "Other"])
def test_the_link_leaves_the_list_that_the_message_came_by_whatever_the_campaign_has_now(
    now_to: str, delivery: Delivery, mail_program: Client
) -> None:
    delivery.run.campaign.lists.set([make_list(now_to)])

    page = mail_program.get(path(delivery)).content.decode()
    mail_program.post(path(delivery), ONE_CLICK)

    assert "Unsubscribe from Readers" in page
    assert "Other" not in page
    assert states() == UNSUBSCRIBED


def test_the_link_leaves_lists_that_the_campaign_had_while_its_audience_was_written_down(
    mail_program: Client,
) -> None:
    readers, other = make_list(), make_list("Other")
    for name in ("ada", "bob"):
        make_recipient(f"{name}@example.org", lists=[readers, other])
    run = make_run(make_campaign(), snapshot_taken=False)
    take_slice(run.pk, now=timezone.now(), size=1)
    run.campaign.lists.set([other])
    take_slice(run.pk, now=timezone.now())
    bob = Delivery.objects.get(address="bob@example.org")

    mail_program.post(path(bob), ONE_CLICK)

    left = Subscription.objects.filter(state=SubscriptionState.UNSUBSCRIBED)
    assert set(left.values_list("recipient__address", flat=True)) == {"bob@example.org"}
    assert left.count() == 2


def test_who_came_by_a_list_that_was_deleted_leaves_every_list(
    delivery: Delivery, mail_program: Client
) -> None:
    make_list().delete()

    mail_program.post(path(delivery), ONE_CLICK)

    assert states() == {"Other": SubscriptionState.UNSUBSCRIBED}


def test_an_address_of_a_suppressed_domain_is_told_that_it_gets_nothing(
    delivery: Delivery, mail_program: Client
) -> None:
    Suppression.objects.create(key="example.org", reason=SuppressionReason.MANUAL)

    page = mail_program.get(path(delivery)).content.decode()

    assert "gets no message from here any more" in page


def departures() -> list[tuple[int, str, str]]:
    return list(DeliveryEvent.objects.values_list("delivery_id", "kind", "source"))


def test_whoever_leaves_by_a_message_is_counted_once_for_it(
    delivery: Delivery, mail_program: Client
) -> None:
    for data in (ONE_CLICK, ONE_CLICK, {**ONE_CLICK, "scope": "all"}):
        mail_program.post(path(delivery), data)

    assert departures() == [(delivery.pk, "unsubscribed", "link")]


def test_whoever_had_left_before_is_not_counted_again(
    delivery: Delivery, mail_program: Client
) -> None:
    Subscription.objects.update(state=SubscriptionState.UNSUBSCRIBED)

    mail_program.post(path(delivery), ONE_CLICK)

    assert departures() == []


def test_a_reason_that_is_told_later_is_counted_as_well(
    delivery: Delivery, mail_program: Client
) -> None:
    mail_program.post(path(delivery), ONE_CLICK)
    DeliveryEvent.objects.update(counted_at=timezone.now())

    mail_program.post(links.reason_url(delivery.pk).removeprefix(SITE), {"reason": "too_many"})

    assert DeliveryEvent.objects.uncounted().count() == 1
