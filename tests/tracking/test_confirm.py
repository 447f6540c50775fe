"""The link of a confirmation: it shows, and acts on a button alone."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from recipients import consent, signup
from recipients.addresses import parse_address
from recipients.models import (
    ConsentAction,
    ConsentEvent,
    ConsentWording,
    MailingList,
    Notice,
    NoticeKind,
    Recipient,
    Signup,
    SignupForm,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
    TrackingConsent,
)
from recipients.preferences import Choice, choose
from recipients.services import leave_everything, unsubscribe
from tests.factories import make_form, make_list, make_recipient
from tracking import links
from tracking.tokens import Kind, sign

pytestmark = pytest.mark.django_db

ADA = "ada@example.org"
ENTERED: list[signup.Welcome] = []


@pytest.fixture
def browser() -> Client:
    """A browser that has never been here: no cookie, and nothing is forgiven."""
    return Client(enforce_csrf_checks=True)


def ask(form: SignupForm, address: str = ADA, **answers: str) -> Notice:
    wording = consent.keep_wording(form.wording)
    asked = signup.Asked(parse_address(address), wording, answers, consent.Origin())
    signup.ask(form, asked, now=timezone.now())
    return Notice.objects.get()


def path(notice: Notice) -> str:
    return links.confirm_url(notice.pk).removeprefix("http://localhost:8000")


def press(client: Client, notice: Notice, *lists: MailingList) -> Any:
    shown = lists or tuple(MailingList.objects.all())
    return client.post(path(notice), {"list": [each.pk for each in shown]})


def states() -> dict[str, str]:
    return dict(Subscription.objects.values_list("mailing_list__name", "state"))


def events() -> list[str]:
    return list(ConsentEvent.objects.order_by("id").values_list("action", flat=True))


def test_the_button_confirms_and_the_ledger_names_the_words(browser: Client) -> None:
    notice = ask(make_form(wording="News of birds."))

    page = browser.get(path(notice))
    answer = press(browser, notice)

    assert (
        "Should <strong>ada@example.org</strong> get the messages of Birds?"
        in page.content.decode()
    )
    assert answer.status_code == 200
    assert "you are subscribed" in answer.content.decode()
    assert states() == {"Birds": "confirmed"}
    assert events() == ["granted", "confirmed"]
    words = ConsentWording.objects.get(digest=ConsentEvent.objects.latest("id").wording)
    assert words.text == "News of birds."
    assert consent.verify().problems == []


@pytest.mark.parametrize("method", ["get", "head"])
def test_to_follow_the_link_confirms_nothing(method: str, browser: Client) -> None:
    notice = ask(make_form())

    with CaptureQueriesContext(connection) as queries:
        answers = [getattr(browser, method)(path(notice)) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert not any(answer.cookies for answer in answers)
    assert not [each for each in queries if not each["sql"].startswith("SELECT")]
    assert states() == {"Birds": "pending"}


def test_all_lists_that_were_shown_are_confirmed_and_none_that_came_after(browser: Client) -> None:
    notice = ask(make_form())
    fish, shown_later = make_list("Fish"), make_list("Later")
    ask(make_form("fish", mailing_list=fish))
    page = browser.get(path(notice)).content.decode()
    ask(make_form("later", mailing_list=shown_later))

    press(browser, notice, make_list("Birds"), fish)

    assert "Birds and of Fish" in page
    assert states() == {"Birds": "confirmed", "Fish": "confirmed", "Later": "pending"}


def test_a_list_that_nobody_asked_for_is_not_confirmed(browser: Client) -> None:
    notice = ask(make_form())

    press(browser, notice, make_list("Birds"), make_list("Staff only"))

    assert states() == {"Birds": "confirmed"}


def test_to_confirm_twice_is_to_confirm_once(browser: Client) -> None:
    notice = ask(make_form())
    press(browser, notice)

    answer = press(browser, notice)

    assert answer.status_code == 200
    assert "you are subscribed" in answer.content.decode()
    assert events() == ["granted", "confirmed"]


def test_an_old_link_does_not_bring_back_who_has_left_since(browser: Client) -> None:
    notice = ask(make_form())
    press(browser, notice)
    unsubscribe(
        Recipient.objects.get(), lists=MailingList.objects.all(), source="x", now=timezone.now()
    )

    answer = press(browser, notice)

    assert states() == {"Birds": "unsubscribed"}
    assert "There is nothing to confirm" in answer.content.decode()


@pytest.mark.parametrize(("age", "status"), [(29.99, 200), (30.01, 410)])
def test_a_link_can_be_used_for_thirty_days(age: float, status: int, browser: Client) -> None:
    notice = ask(make_form())
    Notice.objects.update(created_at=timezone.now() - timedelta(days=age))

    answers = [browser.get(path(notice)), press(browser, notice)]

    assert [answer.status_code for answer in answers] == [status] * 2
    assert states() == {"Birds": "confirmed" if status == 200 else "pending"}


def test_a_token_of_another_kind_confirms_nothing(browser: Client) -> None:
    notice = ask(make_form())
    others = set(Kind) - {Kind.CONFIRM}
    tokens = [sign(kind, notice.pk, ring=links.key_ring()) for kind in others]

    answers = [browser.get(f"/c/{token}") for token in tokens]
    answers += [browser.post(f"/c/{token}", {"list": make_list("Birds").pk}) for token in tokens]

    assert {answer.status_code for answer in answers} == {404}
    assert states() == {"Birds": "pending"}


def test_a_forged_garbled_or_strange_token_is_not_known(browser: Client) -> None:
    notice = ask(make_form())
    right = path(notice).removeprefix("/c/")
    wrong = [right[:-1], right + "0", right[:-1] + "x", "0" * 40, "é" * 40, "%00"]
    wrong.append(sign(Kind.CONFIRM, notice.pk + 1, ring=links.key_ring()))

    statuses = {browser.post(f"/c/{token}").status_code for token in wrong}

    assert statuses == {404}


def test_a_link_to_an_address_that_the_person_has_no_more_is_not_known(browser: Client) -> None:
    notice = ask(make_form())
    Recipient.objects.update(key="new@example.org", address="new@example.org")

    answers = [browser.get(path(notice)), press(browser, notice)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert "new@example.org" not in answers[0].content.decode()


# --- coming back --------------------------------------------------------------------------------


def test_who_had_left_everything_comes_back_by_confirming_and_by_one_list_alone(
    browser: Client,
) -> None:
    recipient = make_recipient(ADA, lists=[make_list("Birds"), make_list("Other")])
    leave_everything(recipient, source="test", now=timezone.now())

    notice = ask(make_form())
    before = Suppression.objects.count()
    press(browser, notice)

    assert before == 1
    assert not Suppression.objects.exists()
    assert states() == {"Birds": "confirmed", "Other": "unsubscribed"}
    assert consent.verify().problems == []


def test_who_was_erased_comes_back_by_confirming(browser: Client) -> None:
    Suppression.objects.create(digest=consent.subject(ADA), reason=SuppressionReason.ERASED)
    notice = ask(make_form())
    still = Suppression.objects.exists()

    press(browser, notice)

    assert still
    assert not Suppression.objects.exists()
    assert states() == {"Birds": "confirmed"}


@pytest.mark.parametrize("key", [ADA, "example.org"], ids=["the address", "its domain"])
def test_what_a_person_did_not_ask_for_a_person_does_not_lift(key: str, browser: Client) -> None:
    notice = ask(make_form())
    Suppression.objects.create(key=key, reason=SuppressionReason.MANUAL)

    press(browser, notice)

    assert Suppression.objects.get().key == key


@pytest.mark.django_db(transaction=True)
def test_who_leaves_everything_while_confirming_and_choosing_has_left() -> None:
    readers, birds = make_list(), make_form().mailing_list
    notices = []
    for n in range(6):
        make_recipient(f"r{n}@example.org", lists=[readers])
        asked = signup.Asked(
            parse_address(f"r{n}@example.org"), consent.keep_wording("x"), {}, consent.Origin()
        )
        signup.ask(SignupForm.objects.get(), asked, now=timezone.now())
        notices.append(Notice.objects.latest("pk"))
    shown, now, nobody = [readers.pk, birds.pk], timezone.now(), consent.Origin()
    choice = Choice(shown, [birds.pk], None, "", TrackingConsent.GRANTED)
    acts: list[Callable[[Notice], object]] = [
        lambda each: signup.confirm(each, lists=shown, origin=nobody, now=now),
        lambda each: choose(each.recipient, choice, origin=nobody, now=now),
        lambda each: unsubscribe(each.recipient, lists=[birds, readers], source="x", now=now),
        lambda each: leave_everything(each.recipient, source="x", now=now),
    ]
    done: list[int] = []

    def do(act: Callable[[Notice], object]) -> None:
        try:
            for each in notices:
                act(each)
            done.append(1)
        finally:
            connection.close()

    threads = [Thread(target=do, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done == [1] * 4
    assert Suppression.objects.count() == 6
    assert set(Subscription.objects.values_list("state", flat=True)) == {"unsubscribed"}
    assert consent.verify().problems == []


# --- answers and welcome --------------------------------------------------------------------------


def test_answers_are_shown_and_are_the_persons_own_once_they_confirm(browser: Client) -> None:
    notice = ask(make_form(), city="Hanoi")
    Recipient.objects.update(fields={"city": "Hue", "age": 7})

    page = browser.get(path(notice)).content.decode()
    press(browser, notice)

    assert "<dt>City</dt><dd>Hanoi</dd>" in page
    assert Recipient.objects.get().fields == {"city": "Hanoi", "age": 7}
    assert not Signup.objects.exists()


def entered(welcome: signup.Welcome) -> None:
    ENTERED.append(welcome)


def broken(_welcome: signup.Welcome) -> None:
    raise RuntimeError("the hook's own fault")


def test_a_first_confirmation_calls_the_hooks_and_a_second_one_does_not(
    browser: Client,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.WELCOME_HOOKS = (f"{__name__}.broken", f"{__name__}.entered")
    ENTERED.clear()
    form = make_form()
    SignupForm.objects.update(welcome_text="Hello!")
    notice = ask(form)

    with django_capture_on_commit_callbacks(execute=True):
        answer = press(browser, notice)
    leave_everything(Recipient.objects.get(), source="test", now=timezone.now())
    Notice.objects.update(claimed_at=None, sent_at=timezone.now())
    asked = signup.Asked(parse_address(ADA), consent.keep_wording("x"), {}, consent.Origin())
    signup.ask(form, asked, now=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        press(browser, Notice.objects.filter(kind=NoticeKind.CONFIRMATION).latest("pk"))

    assert answer.status_code == 200
    [welcome] = ENTERED
    assert (welcome.recipient.key, welcome.lists, welcome.form) == (ADA, [form.mailing_list], form)
    assert Notice.objects.filter(kind=NoticeKind.WELCOME).count() == 1
    assert states() == {"Birds": "confirmed"}


# --- who never confirms -----------------------------------------------------------------------


def test_who_never_confirmed_is_forgotten_and_nobody_else_is() -> None:
    ask(make_form())
    old = timezone.now() - timedelta(days=31)
    for other in ("tagged", "left", "imported", "by_staff", "fresh"):
        make_recipient(f"{other}@example.org", lists=[make_list()], state=SubscriptionState.PENDING)
    people = {each.address.partition("@")[0]: each for each in Recipient.objects.all()}
    for name in ("tagged", "left", "imported", "fresh"):
        granted = consent.Consent(
            people[name].key, ConsentAction.GRANTED, "form x", people[name].pk, make_list().pk
        )
        consent.record([granted], now=old)
    people["tagged"].tags.create(name="VIP")
    unsubscribe(people["left"], lists=[make_list()], source="x", now=old)
    declared = consent.Consent(
        people["imported"].key, ConsentAction.IMPORTED, "x", people["imported"].pk, make_list().pk
    )
    consent.record([declared], now=old)
    Recipient.objects.exclude(pk=people["fresh"].pk).update(created_at=old)
    Signup.objects.update(asked_at=old)

    assert signup.forget_unconfirmed(now=timezone.now()) == 1
    assert signup.forget_unconfirmed(now=timezone.now()) == 0

    gone = set(people) - {each.address.partition("@")[0] for each in Recipient.objects.all()}
    assert gone == {"ada"}
    assert events()[-1] == "erased"
    assert not Signup.objects.exists()
    assert consent.verify().problems == []


@pytest.mark.parametrize(("days", "forgotten"), [(29.99, 0), (30.01, 1)])
def test_who_asks_once_more_has_thirty_days_more(days: float, forgotten: int) -> None:
    ask(make_form())
    Recipient.objects.update(created_at=timezone.now() - timedelta(days=90))
    Signup.objects.update(asked_at=timezone.now() - timedelta(days=days))

    assert signup.forget_unconfirmed(now=timezone.now()) == forgotten
