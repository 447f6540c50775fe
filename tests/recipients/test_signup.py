"""Signing up: what a form does, for whom, how often, and what its answer does not tell."""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from recipients import consent, signup
from recipients.checks import hooks_are_there
from recipients.models import (
    ConsentEvent,
    ConsentWording,
    Field,
    Notice,
    Recipient,
    Signup,
    SignupForm,
    SignupWindow,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from tests.factories import make_form, make_list, make_recipient, typed_into

pytestmark = pytest.mark.django_db

ADA = "ada@example.org"


@pytest.fixture
def browser() -> Client:
    """A browser that has never been here: no cookie, and nothing is forgiven."""
    return Client(enforce_csrf_checks=True)


def send(client: Client, form: SignupForm, address: str = ADA, **typed: str) -> Any:
    peer = typed.pop("REMOTE_ADDR", "127.0.0.1")
    data = typed_into(form, address) | typed
    return client.post(f"/subscribe/{form.slug}", data, REMOTE_ADDR=peer)


def events() -> list[tuple[str, str]]:
    return list(ConsentEvent.objects.order_by("id").values_list("action", "source"))


def test_who_signs_up_is_pending_and_is_asked_to_confirm(browser: Client) -> None:
    form = make_form(wording="News of birds, once a month.")

    answer = send(browser, form, "Ada@Example.org")

    assert answer.status_code == 200
    assert not answer.cookies
    assert Subscription.objects.get().state == SubscriptionState.PENDING
    assert Recipient.objects.get().address == "Ada@example.org"
    [notice] = Notice.objects.all()
    assert (notice.kind, notice.key, notice.form) == ("confirmation", ADA, form)
    assert events() == [("granted", "form birds")]
    wording = ConsentWording.objects.get(digest=ConsentEvent.objects.get().wording)
    assert wording.text == "News of birds, once a month."


def test_a_form_ticks_nothing_and_asks_search_engines_to_stay_away(browser: Client) -> None:
    page = browser.get(f"/subscribe/{make_form().slug}").content.decode()

    assert "checked" not in page
    assert 'content="noindex, nofollow"' in page


def test_to_look_at_a_form_a_hundred_times_changes_nothing(browser: Client) -> None:
    path = f"/subscribe/{make_form().slug}"

    with CaptureQueriesContext(connection) as queries:
        statuses = {look(path).status_code for look in [browser.get, browser.head] * 50}

    assert statuses == {200}
    assert not [each for each in queries if not each["sql"].startswith("SELECT")]


def known(address: str) -> None:
    make_recipient(address, lists=[make_list("Birds")])


def pending(address: str) -> None:
    make_recipient(address, lists=[make_list("Birds")], state=SubscriptionState.PENDING)


def left(address: str) -> None:
    make_recipient(address, lists=[make_list("Birds")], state=SubscriptionState.UNSUBSCRIBED)


def complained(address: str) -> None:
    Suppression.objects.create(key=address, reason=SuppressionReason.COMPLAINT)


def of_suppressed_domain(address: str) -> None:
    domain = address.partition("@")[2]
    Suppression.objects.create(key=domain, reason=SuppressionReason.MANUAL)


def left_everything(address: str) -> None:
    Suppression.objects.create(key=address, reason=SuppressionReason.UNSUBSCRIBED)


def erased(address: str) -> None:
    digest = consent.subject(address)
    Suppression.objects.create(digest=digest, reason=SuppressionReason.ERASED)


def unknown(address: str) -> None:
    pass


SITUATIONS = {
    unknown: True,
    pending: True,
    left: True,
    left_everything: True,
    erased: True,
    known: False,
    complained: False,
    of_suppressed_domain: False,
}


def table_of(sql: str) -> str:
    table = re.search(r"recipients_\w+", sql)
    return f"{sql.split()[0]} {table[0] if table else ''}"


def test_the_answer_and_the_work_are_the_same_for_everybody(browser: Client) -> None:
    form = make_form()
    answers, statements = [], []

    for n, situation in enumerate(SITUATIONS):
        situation(f"a@d{n}.example.org")
        with CaptureQueriesContext(connection) as queries:
            answer = send(browser, form, f"a@d{n}.example.org")
        del answer["Expires"], answer["X-Request-ID"]  # each answer has its own
        answers.append((answer.status_code, answer.content, sorted(answer.items()), answer.cookies))
        statements.append([table_of(each["sql"]) for each in queries])

    assert all(answer == answers[0] for answer in answers)
    # To write down the message itself is all the difference.
    message = "INSERT recipients_notice"
    without = [[one for one in each if one != message] for each in statements]
    assert all(each == without[0] for each in without)
    assert [message in each for each in statements] == list(SITUATIONS.values())


@pytest.mark.parametrize("situation", SITUATIONS)
def test_who_may_be_asked_is_asked_and_nobody_else(situation: Any, browser: Client) -> None:
    situation(ADA)
    before = set(Subscription.objects.values_list("state"))

    send(browser, make_form())

    assert Notice.objects.exists() == SITUATIONS[situation]
    assert events() == [("granted", "form birds")]
    assert before <= set(Subscription.objects.values_list("state"))


def test_who_has_left_stays_so_until_they_confirm(browser: Client) -> None:
    left(ADA)
    left_everything(ADA)

    send(browser, make_form())

    assert Subscription.objects.get().state == SubscriptionState.UNSUBSCRIBED
    assert Suppression.objects.get().reason == SuppressionReason.UNSUBSCRIBED


def test_fifty_sign_ups_of_one_address_by_many_forms_and_networks_are_one_message(
    browser: Client, settings: Settings
) -> None:
    settings.SIGNUP_ADDRESS_LIMIT = 100
    forms = [make_form(f"form-{n}", mailing_list=make_list(f"List {n}")) for n in range(5)]

    for n in range(50):
        address = ADA if n % 2 else ADA.upper()
        answer = send(browser, forms[n % 5], address, REMOTE_ADDR=f"192.0.{n}.7")
        assert answer.status_code == 200

    assert Notice.objects.count() == 1
    assert Subscription.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_fifty_sign_ups_at_once_are_one_message(settings: Settings) -> None:
    settings.SIGNUP_ADDRESS_LIMIT = settings.SIGNUP_NETWORK_LIMIT = 100
    form = make_form()
    statuses: list[int] = []

    def sign_up(times: int) -> None:
        try:
            statuses.extend(send(Client(), form).status_code for _ in range(times))
        finally:
            connection.close()

    threads = [Thread(target=sign_up, args=(10,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 50
    assert Notice.objects.count() == Recipient.objects.count() == Signup.objects.count() == 1
    assert ConsentEvent.objects.count() == 50
    call_command("verify_consent_chain")


def test_a_message_a_day_old_may_be_followed_by_another_one(browser: Client) -> None:
    form = make_form()
    send(browser, form)
    now = timezone.now()

    def handed_over(ago: timedelta) -> None:
        Notice.objects.update(claimed_at=now - ago, sent_at=now - ago)

    handed_over(timedelta(hours=23, minutes=59))
    send(browser, form)
    assert Notice.objects.count() == 1
    handed_over(timedelta(hours=24, minutes=1))
    send(browser, form)

    assert Notice.objects.count() == 2


def test_above_the_limit_of_an_address_nothing_is_noted_and_the_answer_is_the_same(
    browser: Client, settings: Settings
) -> None:
    settings.SIGNUP_ADDRESS_LIMIT = 2
    form = make_form()

    answers = {send(browser, form).content for _ in range(3)}

    assert len(answers) == 1
    assert ConsentEvent.objects.count() == 2
    send(browser, form, "bob@example.org")
    assert ConsentEvent.objects.count() == 3


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ("192.0.2.1", "192.0.2.254", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("2001:db8:1:2::3", "2001:db8:1:ffff::9", True),
        ("2001:db8:1::3", "2001:db8:2::3", False),
        ("::ffff:192.0.2.1", "192.0.2.2", True),
        ("", "192.0.2.2", False),
        ("nonsense", "", True),
    ],
)
def test_a_network_that_signs_up_too_often_is_told_so(
    first: str, second: str, refused: bool, browser: Client, settings: Settings
) -> None:
    settings.SIGNUP_NETWORK_LIMIT = 1
    form = make_form()
    send(browser, form, REMOTE_ADDR=first)

    answer = send(browser, form, "bob@example.org", REMOTE_ADDR=second)

    assert answer.status_code == (429 if refused else 200)
    assert Recipient.objects.count() == (1 if refused else 2)


def test_a_limit_ends_with_the_hour_of_the_clock() -> None:
    origin = consent.Origin("192.0.2.1")
    now = timezone.now().replace(minute=59)

    used = [signup.is_network_full(origin, now=at) for at in (now, now + timedelta(minutes=1))]

    assert used == [False, False]
    assert list(SignupWindow.objects.values_list("who", "used")) == [("192.0.2.0/24", 1)] * 2


@pytest.mark.parametrize(
    ("behind_proxy", "who"), [(True, "192.0.2.0/24"), (False, "203.0.113.0/24")]
)
def test_behind_a_proxy_the_address_that_it_saw_counts_and_not_what_a_client_says(
    behind_proxy: bool, who: str, browser: Client, settings: Settings
) -> None:
    settings.BEHIND_PROXY = behind_proxy

    browser.post(
        f"/subscribe/{make_form().slug}",
        REMOTE_ADDR="203.0.113.9",
        headers={"X-Forwarded-For": "198.51.100.1, 192.0.2.77"},
    )

    assert SignupWindow.objects.get().who == who


@pytest.mark.parametrize(
    ("forwarded", "who"),
    [
        ("192.0.2.77:4711", "192.0.2.0/24"),
        ("[2001:db8::1]:4711", "2001:db8::/48"),
        ("[2001:db8::1]", "2001:db8::/48"),
        ("2001:db8::1", "2001:db8::/48"),
        ("192.0.2.77:port", "203.0.113.0/24"),
    ],
)
def test_a_proxy_may_append_the_port(
    forwarded: str, who: str, browser: Client, settings: Settings
) -> None:
    settings.BEHIND_PROXY = True

    browser.post(
        f"/subscribe/{make_form().slug}",
        REMOTE_ADDR="203.0.113.9",
        headers={"X-Forwarded-For": forwarded},
    )

    assert SignupWindow.objects.get().who == who


def test_a_program_that_fills_in_what_no_person_sees_gets_the_same_answer(browser: Client) -> None:
    form = make_form()

    person, program = send(browser, form), send(browser, form, "b@example.org", website="x")

    assert program.content == person.content
    assert not Recipient.objects.filter(address="b@example.org").exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"address": "ada"}, "This is not an address: there is no @"),
        ({"address": ""}, "Write your email address."),
        ({"address": "a@example.org\x00"}, "Null characters are not allowed."),
        ({"agreed": ""}, "Tick the box if you agree"),
        ({"wording": "00" * 32}, "The words have changed"),
        ({"wording": "zz"}, "The words have changed"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(
    typed: dict[str, str], said: str, browser: Client
) -> None:
    answer = send(browser, make_form(), **typed)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert "<title>Error: " in answer.content.decode()
    assert not Recipient.objects.exists()
    assert not ConsentEvent.objects.exists()


def test_a_closed_form_and_one_that_never_was_are_the_same(browser: Client) -> None:
    form = make_form()
    SignupForm.objects.update(is_open=False)

    answers = [send(browser, form), browser.get("/subscribe/nothing")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_a_copy_of_an_earlier_form_is_consent_to_the_earlier_words(browser: Client) -> None:
    form = make_form(wording="Old words.")
    signup.publish(form)
    copy = typed_into(form, ADA)
    form.wording = "New words."
    form.save()
    signup.publish(form)

    answer = browser.post(f"/subscribe/{form.slug}", copy)

    assert answer.status_code == 200
    digest = ConsentEvent.objects.get().wording
    assert ConsentWording.objects.get(digest=digest).text == "Old words."


def test_words_of_another_form_are_none_of_this_one(browser: Client) -> None:
    other = make_form("fish", mailing_list=make_list("Fish"), wording="Fish.")
    signup.publish(other)

    answer = send(browser, make_form(), wording=typed_into(other, ADA)["wording"])

    assert answer.status_code == 422
    assert "checked" not in answer.content.decode()


# --- custom fields ------------------------------------------------------------------------------


@pytest.fixture
def asking() -> SignupForm:
    """A form that asks for a field of each kind."""
    form = make_form()
    for name, kind in (("city", "text"), ("age", "number"), ("born", "date"), ("vegan", "boolean")):
        form.fields.add(Field.objects.create(name=name, kind=kind))
    form.fields.add(Field.objects.create(name="size", kind="choice", choices=["S", "L"]))
    return form


def answered(values: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {f"field-{name}": value for name, value in values}


def test_answers_are_kept_by_kind_and_wait_for_the_person_to_confirm(
    asking: SignupForm, browser: Client
) -> None:
    values = {"city": " Hà Nội ", "age": "3.5", "born": "2001-02-03", "vegan": "no", "size": "S"}

    send(browser, asking, **answered(values.items()))

    assert Recipient.objects.get().fields == {}
    assert Signup.objects.get().answers == {
        "city": "Hà Nội",
        "age": 3.5,
        "born": "2001-02-03",
        "vegan": False,
        "size": "S",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age", "old"),
        ("born", "03.02.2001"),
        ("vegan", "perhaps"),
        ("size", "XL"),
        ("city", "x" * 1001),
    ],
)
def test_an_answer_of_another_kind_is_refused(
    name: str, value: str, asking: SignupForm, browser: Client
) -> None:
    answer = send(browser, asking, **answered([(name, value)]))

    assert answer.status_code == 422
    assert not Recipient.objects.exists()


def test_nobody_writes_into_the_fields_of_a_known_person(
    asking: SignupForm, browser: Client
) -> None:
    make_recipient(ADA, lists=[make_list("Birds")], fields={"city": "Hanoi"})

    send(browser, asking, **answered([("city", "Nowhere"), ("age", "7")]))

    assert Recipient.objects.get().fields == {"city": "Hanoi"}


# --- captcha ------------------------------------------------------------------------------------


def test_a_captcha_is_shown_and_has_to_be_passed(browser: Client, settings: Settings) -> None:
    settings.SIGNUP_CAPTCHA = "recipients.captcha.Sum"
    form = make_form()

    page = browser.get(f"/subscribe/{form.slug}").content.decode()
    wrong, right = send(browser, form, sum="8"), send(browser, form, sum=" 7")

    assert "How much is 3 and 4?" in page
    assert (wrong.status_code, right.status_code) == (422, 200)
    assert ConsentEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("recipients.captcha.Sum", ""),
        ("recipients.captcha.None", "is not there"),
        ("recipients.nowhere.Sum", "is not there"),
        ("recipients.forms.subscribe.HONEYPOT", "cannot be called"),
    ],
)
def test_a_hook_that_is_not_there_is_an_error_of_the_check(
    name: str, said: str, settings: Settings
) -> None:
    settings.SIGNUP_CAPTCHA, settings.WELCOME_HOOKS = name, (name,)

    errors = hooks_are_there()

    assert len(errors) == (2 if said else 0)
    assert all(said in error.msg for error in errors)


# --- constraints --------------------------------------------------------------------------------


def test_the_tables_of_sign_up_keep_their_promises() -> None:
    form, recipient, now = make_form(), make_recipient(), timezone.now()
    wrong: dict[str, Callable[[], object]] = {
        "signup_form_slug_unique": lambda: make_form(form.slug),
        "signup_window_unique": lambda: [
            SignupWindow.objects.create(who="x", hour=now, used=1) for _ in range(2)
        ],
        "signup_unique": lambda: [
            Signup.objects.create(
                recipient=recipient, mailing_list=form.mailing_list, wording=b"", asked_at=now
            )
            for _ in range(2)
        ],
        "notice_kind_known": lambda: Notice.objects.create(recipient=recipient, kind="spam"),
        "notice_one_end": lambda: Notice.objects.create(
            recipient=recipient, kind="welcome", sent_at=now, failed_at=now
        ),
        "notice_open_once": lambda: [
            Notice.objects.create(recipient=recipient, kind="welcome") for _ in range(2)
        ],
    }

    for name, write in wrong.items():
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            write()
