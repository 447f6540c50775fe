"""Signing in: who is let in, who is not, and what happens where it cannot be said."""

import email
import email.policy
import io
import re
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.core import checks
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from config.accounts import tokens
from config.accounts.tasks import send_mail
from config.checks import single_sign_on_is_whole
from tests.console import staff, text
from tests.factories import make_sender
from tests.oidc_server import OIDCServer
from tests.smtp_server import ScriptedSMTP

pytestmark = pytest.mark.django_db

PASSWORD = "flyway-of-the-godwit"
SIGN_IN = "/account/login/"
_hosts = count(1)


@pytest.fixture(autouse=True)
def fast(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def browser() -> Client:
    """A browser at an address of its own: attempts are counted by it."""
    number = next(_hosts)
    return Client(REMOTE_ADDR=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")


def make_user(name: str = "", **given: Any) -> User:
    name = name or f"mai{next(_hosts)}"  # under which nobody has tried before
    return User.objects.create_user(name, password=PASSWORD, **given)


def sign_in(browser: Client, name: str, password: str = PASSWORD, **given: str) -> Any:
    return browser.post(SIGN_IN, {"login": name, "password": password, **given})


def confirm(browser: Client) -> None:
    """Type the password once more, as changes of the second factor ask."""
    browser.post("/account/reauthenticate/", {"password": PASSWORD})


def is_in(browser: Client) -> bool:
    return browser.get("/account/").status_code == 200


@pytest.mark.parametrize("by", ["username", "email"])
def test_people_sign_in_by_their_name_or_their_address(browser: Client, by: str) -> None:
    user = make_user(email=f"mai{next(_hosts)}@example.org")

    answer = sign_in(browser, getattr(user, by), next="/account/")

    assert (answer.status_code, answer["Location"]) == (302, "/account/")
    assert is_in(browser)


def test_nobody_is_led_to_another_site(browser: Client) -> None:
    answer = sign_in(browser, make_user().username, next="https://evil.example/")

    assert answer["Location"] == "/"


@pytest.mark.parametrize("is_active", [True, False])
def test_a_wrong_password_and_a_user_who_left_are_refused(browser: Client, is_active: bool) -> None:
    user = make_user(is_active=is_active)
    password = "another one" if is_active else PASSWORD

    answer = sign_in(browser, user.username, password)

    assert not is_in(browser)
    assert answer.status_code == (422 if is_active else 302)


def test_after_so_many_wrong_passwords_the_right_one_is_not_looked_at(
    browser: Client, settings: Settings
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "3/900s/key"}
    name, another = make_user().username, make_user().username
    for _ in range(3):
        sign_in(browser, name, "wrong")

    page = text(sign_in(browser, name))
    is_locked_out = not is_in(browser)
    sign_in(browser, another)

    assert "Too many failed login attempts" in page
    assert is_locked_out
    assert is_in(browser)


def test_who_asks_too_often_is_told_to_wait(browser: Client, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip"}
    sign_in(browser, make_user().username, "wrong")

    answer = sign_in(browser, make_user().username)

    assert answer.status_code == 429
    assert "That was too often" in text(answer)
    assert not is_in(browser)


def test_without_redis_nobody_is_let_in_and_the_page_says_so(
    browser: Client, settings: Settings
) -> None:
    away = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": away}

    answer = sign_in(browser, make_user().username)

    assert answer.status_code == 503
    assert "Nobody can sign in at this moment" in text(answer)
    assert not is_in(browser)


def test_the_console_sends_people_to_the_one_door(browser: Client) -> None:
    assert browser.get("/admin/login/?next=/admin/auth/")["Location"] == (
        "/account/login/?next=%2Fadmin%2Fauth%2F"
    )
    assert browser.get("/admin/login/?next=//evil.example")["Location"] == (
        "/account/login/?next=%2Fadmin%2F"
    )


def test_who_is_no_staff_is_refused_by_the_console_and_not_sent_in_a_circle(
    browser: Client,
) -> None:
    browser.force_login(make_user())

    answer = browser.get("/admin/", follow=True)

    assert answer.status_code == 403


def test_nobody_makes_a_user_by_themselves(browser: Client) -> None:
    assert browser.get("/account/signup/").status_code in (302, 404)
    assert "sign up" not in text(browser.get(SIGN_IN)).lower()


# --- a new password ---------------------------------------------------------------------------


def reset_link(smtp: ScriptedSMTP, sent: dict[str, str], site: str) -> str:
    send_mail(**sent)
    message = email.message_from_bytes(smtp.messages[-1].data, policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    pattern = rf"{site}(/account/password/reset/key/\S+)"
    [link] = re.findall(pattern, body.get_content())
    return str(link)


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What workers are given to send; a test that wants it sent does what they do."""
    given: list[dict[str, str]] = []
    monkeypatch.setattr(send_mail, "delay", lambda **message: given.append(message))
    return given


def test_who_has_forgotten_their_password_chooses_another_by_a_link_that_works_once(
    browser: Client, outbox: list[dict[str, str]], smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    make_sender()
    user = make_user(email=f"mai{next(_hosts)}@example.org")
    settings.SITE_URL = "https://news.example.org"
    browser.post("/account/password/reset/", {"email": user.email})
    link = reset_link(smtp, outbox[0], settings.SITE_URL)
    form = browser.get(link)["Location"]

    browser.post(form, {"password1": "seven-silent-geese", "password2": "seven-silent-geese"})
    again = Client(REMOTE_ADDR="10.255.0.1").get(link, follow=True)
    sign_in(browser, user.username, "seven-silent-geese")

    assert is_in(browser)
    assert "no longer" in text(again) or "invalid" in text(again)


def test_the_page_says_the_same_of_an_address_that_nobody_has(
    browser: Client, outbox: list[dict[str, str]]
) -> None:
    user = make_user(email=f"mai{next(_hosts)}@example.org")

    known = browser.post("/account/password/reset/", {"email": user.email}, follow=True)
    unknown = browser.post("/account/password/reset/", {"email": "nobody@x.org"}, follow=True)

    assert text(known) == text(unknown)
    assert [each["to"] for each in outbox] == [user.email]


def test_what_cannot_be_sent_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    send_mail(to="mai@example.org", subject="a new password", text="…", html="…")

    assert "“a new password” was not sent to a user" in caplog.text
    assert "there is no sender" in caplog.text


def test_a_new_password_is_long_and_not_a_common_one(browser: Client) -> None:
    browser.force_login(make_user())

    def change(to: str) -> str:
        given = {"oldpassword": PASSWORD, "password1": to, "password2": to}
        return text(browser.post("/account/password/change/", given))

    assert "at least 12 characters" in change("short")
    assert "too common" in change("1qaz2wsx3edc")


# --- the second factor ------------------------------------------------------------------------


def make_totp(user: User) -> str:
    secret: str = generate_totp_secret()
    TOTP.activate(user, secret)
    RecoveryCodes.activate(user)
    return secret


def code_of(secret: str) -> str:
    [counter, *_] = yield_hotp_counters_from_time()
    return str(format_hotp_value(hotp_value(secret, counter)))


def test_with_a_second_factor_the_password_alone_opens_nothing(browser: Client) -> None:
    user = make_user()
    secret = make_totp(user)

    answer = sign_in(browser, user.username)
    was_in = is_in(browser)
    browser.post(answer["Location"], {"code": "000000"})
    was_in_by_guess = is_in(browser)
    browser.post(answer["Location"], {"code": code_of(secret)})

    assert answer["Location"] == "/account/2fa/authenticate/"
    assert (was_in, was_in_by_guess, is_in(browser)) == (False, False, True)


def test_a_recovery_code_opens_once(browser: Client) -> None:
    user = make_user()
    make_totp(user)
    [code, *_] = Authenticator.objects.get(user=user, type="recovery_codes").wrap().generate_codes()

    def enter(client: Client) -> bool:
        answer = sign_in(client, user.username)
        client.post(answer["Location"], {"code": code})
        return is_in(client)

    assert enter(browser)
    assert not enter(Client(REMOTE_ADDR="10.255.0.2"))


def test_secrets_of_second_factors_are_encrypted() -> None:
    user = make_user()
    secret = make_totp(user)

    rows = Authenticator.objects.filter(user=user).values_list("data", flat=True)

    assert all(secret not in str(data) for data in rows)
    assert all(str(data.get("secret") or data.get("seed")).startswith("gAAAA") for data in rows)


def test_a_secret_that_another_key_encrypted_opens_nothing(
    browser: Client, settings: Settings
) -> None:
    user = make_user()
    secret = make_totp(user)
    answer = sign_in(browser, user.username)
    settings.SECRET_KEY_FALLBACKS = []
    Authenticator.objects.filter(user=user).update(data={"secret": "gAAAAunreadable"})

    refused = browser.post(answer["Location"], {"code": code_of(secret)})

    assert refused.status_code == 503
    assert "Your second factor cannot be read" in text(refused)
    assert not is_in(browser)


def test_where_everybody_needs_a_second_factor_nothing_opens_before(
    browser: Client, settings: Settings
) -> None:
    settings.REQUIRE_MFA = True
    user = make_user(is_staff=True, is_superuser=True)
    browser.force_login(user)

    before = [browser.get(page) for page in ("/", "/admin/", "/account/")]
    way = browser.get("/account/2fa/")
    make_totp(user)

    assert [answer["Location"] for answer in before] == ["/account/2fa/"] * 3
    assert "Set up a second factor first" in text(way)
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("required", [True, False])
def test_the_last_second_factor_stays_where_everybody_needs_one(
    browser: Client, settings: Settings, required: bool
) -> None:
    user = make_user()
    secret = make_totp(user)
    answer = sign_in(browser, user.username)
    browser.post(answer["Location"], {"code": code_of(secret)})
    confirm(browser)
    settings.REQUIRE_MFA = required

    browser.post("/account/2fa/totp/deactivate/")

    assert Authenticator.objects.filter(user=user, type="totp").exists() == required


# --- sessions, cookies, pages ------------------------------------------------------------------


def test_somebody_signs_out_everywhere_else(browser: Client) -> None:
    user = make_user()
    elsewhere = Client(REMOTE_ADDR="10.255.0.3", HTTP_USER_AGENT="An old telephone")
    sign_in(elsewhere, user.username)
    sign_in(browser, user.username)
    listed = text(browser.get("/account/sessions/"))

    browser.post("/account/sessions/")

    assert "An old telephone" in listed
    assert "10.255.0.3" in listed
    assert (is_in(browser), is_in(elsewhere)) == (True, False)
    assert UserSession.objects.filter(user=user).count() == 1


def test_programs_that_signed_in_by_the_api_are_signed_out_with_the_others(
    browser: Client,
) -> None:
    user, now = make_user(is_superuser=True), timezone.now()
    sign_in(browser, user.username)
    by_password = tokens.sign_in(user, now=now)
    of_here = tokens.sign_in(user, session_key=browser.session.session_key or "", now=now)
    of_another = tokens.sign_in(make_user(), now=now)
    page = text(browser.get("/account/sessions/"))

    browser.post("/account/sessions/")

    given = (by_password, of_here, of_another)
    assert "1 program is signed in by the API, too. Sign out everywhere else" in page
    assert [tokens.user_of(each.access, now=now) is not None for each in given] == [
        False,
        True,
        True,
    ]
    assert tokens.refresh(by_password.refresh, now=now) is None
    assert is_in(browser)


def test_signing_out_takes_a_button_and_not_a_link(browser: Client) -> None:
    browser.force_login(make_user())

    browser.get("/account/logout/")
    stayed = is_in(browser)
    browser.post("/account/logout/")

    assert (stayed, is_in(browser)) == (True, False)


OWN_PAGES = [
    reverse(name)
    for name in (
        "accounts:account_show",
        "account_change_password",
        "mfa_index",
        "mfa_activate_totp",
        "mfa_list_webauthn",
        "mfa_add_webauthn",
        "usersessions_list",
        "account_reauthenticate",
    )
]
DOORS = [
    reverse(name)
    for name in (
        "account_login",
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key_done",
        "account_inactive",
        "socialaccount_login_cancelled",
    )
]


@pytest.mark.parametrize("path", [*OWN_PAGES, *DOORS])
def test_each_page_is_in_our_own_style_without_inline_code(browser: Client, path: str) -> None:
    if path in OWN_PAGES:
        sign_in(browser, make_user().username)
        confirm(browser)

    page = browser.get(path).content.decode()

    assert "godwit/site.css" in page
    assert page.count("<h1>") == 1
    inline = re.sub(r"<script [^>]*type=\"application/json\">", "", page)
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", inline)


# --- another door -----------------------------------------------------------------------------


@pytest.fixture
def provider(settings: Settings) -> Iterator[OIDCServer]:
    with OIDCServer() as server:
        app = {
            "provider_id": "sso",
            "name": "the office",
            "client_id": "godwit",
            "secret": "between us",
            "settings": {"server_url": server.issuer, "oauth_pkce_enabled": True},
        }
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
        yield server


def come_by(provider: OIDCServer, browser: Client, **claims: Any) -> Any:
    """Follow the door to the provider, who sends the browser back with a code."""
    provider.person = {"sub": "4711", **claims}
    leaving = urlsplit(browser.get("/account/oidc/sso/login/")["Location"])
    asked = parse_qs(leaving.query)
    assert f"{leaving.scheme}://{leaving.netloc}" == provider.issuer
    assert "code_challenge" in asked  # RFC 7636
    back = {"code": "any", "state": asked["state"][0]}
    return browser.get("/account/oidc/sso/login/callback/", back)


def test_who_comes_by_the_provider_is_the_user_who_has_the_address(
    provider: OIDCServer, browser: Client
) -> None:
    user = make_user(email=f"mai{next(_hosts)}@example.org")
    page = text(browser.get(SIGN_IN))

    come_by(provider, browser, email=user.email.upper(), email_verified=True)
    is_at_home = is_in(browser)
    user.email = ""  # known by the provider's own name for them from now on
    user.save()
    again = Client(REMOTE_ADDR="10.255.0.4")
    come_by(provider, again, email="other@example.org", email_verified=True)

    assert "Sign in with the office" in page
    assert is_at_home
    assert is_in(again)
    user.refresh_from_db()
    assert user.has_usable_password()


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "stranger@example.org", "email_verified": True},
        {"email": "mai@example.org", "email_verified": False},
        {},
    ],
)
def test_who_is_not_known_by_a_verified_address_is_refused(
    provider: OIDCServer, browser: Client, claims: dict[str, Any]
) -> None:
    make_user(email="mai@example.org")

    answer = come_by(provider, browser, **claims)

    assert answer.status_code == 403
    assert "You are not known here" in text(answer)
    assert not is_in(browser)
    assert User.objects.count() == 1


def test_a_stranger_is_let_in_with_the_role_that_strangers_have(
    provider: OIDCServer, browser: Client, settings: Settings
) -> None:
    settings.OIDC_ROLE = "Viewer"

    come_by(provider, browser, email="new@example.org", email_verified=True, given_name="Mai")

    assert is_in(browser)
    user = User.objects.get()
    assert (user.email, user.first_name, user.is_staff) == ("new@example.org", "Mai", False)
    assert [group.name for group in user.groups.all()] == ["Viewer"]


@pytest.mark.parametrize("verified", [True, False])
def test_a_stranger_is_refused_whose_address_is_not_verified_or_of_who_left(
    provider: OIDCServer, browser: Client, settings: Settings, verified: bool
) -> None:
    settings.OIDC_ROLE = "Viewer"
    make_user(email="old@example.org", is_active=False)
    email = "old@example.org" if verified else "new@example.org"

    answer = come_by(provider, browser, email=email, email_verified=verified)

    assert answer.status_code == 403
    assert User.objects.count() == 1


def test_an_address_that_two_users_have_is_neither_of_them(
    provider: OIDCServer, browser: Client
) -> None:
    for _ in range(2):
        make_user(email="both@example.org")

    answer = come_by(provider, browser, email="both@example.org", email_verified=True)

    assert answer.status_code == 403


def test_the_providers_second_factor_is_enough(
    provider: OIDCServer, browser: Client, settings: Settings
) -> None:
    settings.REQUIRE_MFA = True
    user = make_user(email=f"mai{next(_hosts)}@example.org")

    come_by(provider, browser, email=user.email, email_verified=True)

    assert is_in(browser)


def test_a_provider_that_is_only_half_set_is_an_error(settings: Settings) -> None:
    app = {"client_id": "godwit", "secret": ""}
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}

    found: list[checks.CheckMessage] = single_sign_on_is_whole()

    assert [each.msg for each in found] == ["OIDC_ISSUER is set, and OIDC_CLIENT_SECRET is not"]


def test_without_a_provider_its_address_leads_nowhere(browser: Client) -> None:
    assert browser.get("/account/oidc/sso/login/").status_code == 404
    assert "single sign-on" not in text(browser.get(SIGN_IN))


def test_an_operator_takes_the_second_factors_of_who_has_lost_them(browser: Client) -> None:
    user = make_user()
    make_totp(user)
    elsewhere = Client(REMOTE_ADDR="10.255.0.5")
    elsewhere.force_login(user)
    UserSession.objects.create(
        user=user, ip="10.255.0.5", session_key=elsewhere.session.session_key
    )

    call_command("remove_second_factors", user.username, stdout=io.StringIO())
    sign_in(browser, user.username)

    assert is_in(browser)
    assert not is_in(elsewhere)


def test_a_user_who_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="nobody has the user name 'ghost'"):
        call_command("remove_second_factors", "ghost")


def test_staff_of_the_console_sign_out_at_the_same_door() -> None:
    client = staff()

    client.post(reverse("admin:logout"))

    assert not is_in(client)
