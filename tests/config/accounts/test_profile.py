"""How somebody sees the pages: language, time zone, light or dark."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone, translation
from pytest_django.fixtures import DjangoAssertNumQueries

from config.accounts.models import Profile
from tests.console import staff, superuser, text
from tests.factories import make_list

pytestmark = pytest.mark.django_db

PROFILE = "/account/profile/"


def save(client: Client, **given: str) -> Any:
    typed = {"first_name": "", "last_name": "", "language": "", "time_zone": "", "theme": ""}
    return client.post(PROFILE, {**typed, **given})


def test_what_somebody_chose_holds_on_the_next_page_and_at_the_next_sign_in() -> None:
    client = staff(name="mai")

    save(client, first_name="Mai", language="vi", theme="dark")
    page = client.get("/account/").content.decode()
    again = Client()
    again.force_login(User.objects.get())
    page_again = again.get("/account/").content.decode()

    assert '<html lang="vi" data-theme="dark">' in page
    assert '<html lang="vi" data-theme="dark">' in page_again
    assert User.objects.get().first_name == "Mai"


def test_who_switched_the_single_keys_off_has_none_on_any_page() -> None:
    client = staff()

    before = client.get("/account/").content.decode()
    save(client)  # a box that is not ticked is not sent
    after = client.get("/account/").content.decode()

    assert "data-shortcuts=" in before
    assert "data-shortcuts=" not in after


def test_times_are_those_of_the_chosen_zone() -> None:
    make_list()
    client = staff("accounts.view_auditentry")

    before = text(client.get("/audit/"))
    save(client, time_zone="Asia/Ho_Chi_Minh")

    assert "times in UTC" in before
    assert "times in Asia/Ho_Chi_Minh" in text(client.get("/audit/"))


@pytest.mark.parametrize(("asked", "spoken"), [("vi,en;q=0.5", "vi"), ("de", "en"), ("", "en")])
def test_who_has_chosen_no_language_is_spoken_to_as_the_browser_asks(
    asked: str, spoken: str
) -> None:
    signed_in, door = staff(), Client()

    pages = [
        signed_in.get("/account/", headers={"accept-language": asked}),
        door.get("/account/login/", headers={"accept-language": asked}),
    ]

    assert [f'<html lang="{spoken}">' in page.content.decode() for page in pages] == [True, True]


def test_a_public_page_is_the_same_for_staff_and_needs_no_session() -> None:
    client = staff()
    save(client, language="vi", theme="dark")

    page = client.get("/privacy/x/")

    assert "Cookie" not in page.get("Vary", "")
    assert 'lang="vi"' not in page.content.decode()


def test_nothing_of_it_is_left_for_the_next_request() -> None:
    client = staff()
    save(client, language="vi", time_zone="Asia/Ho_Chi_Minh")

    client.get("/account/")

    assert translation.get_language() == "en"
    assert timezone.get_current_timezone_name() == "UTC"


def test_no_page_asks_the_database_for_it(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client = superuser()

    with django_assert_num_queries(2):  # the session, and who it is
        client.get("/account/")


@pytest.mark.parametrize(
    "wrong", [{"language": "tlh"}, {"time_zone": "Mars/Base"}, {"theme": "pink"}]
)
def test_what_there_is_not_cannot_be_chosen(wrong: dict[str, str]) -> None:
    answer = save(staff(), **wrong)

    assert answer.status_code == 422
    assert not Profile.objects.exists()


def test_profile_theme_known() -> None:
    user = User.objects.create_user("mai")

    with pytest.raises(IntegrityError, match="profile_theme_known"):
        Profile.objects.create(user=user, theme="pink")
