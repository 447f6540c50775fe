"""Clients of people: who signs in, for how long, and how that ends."""

from datetime import timedelta
from itertools import count
from typing import Any

import jwt
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from config.accounts import tokens
from config.accounts.models import AuditEntry, SignedIn
from config.api import limits
from tests.api import Program, problem

pytestmark = pytest.mark.django_db

PASSWORD = "flyway-of-the-godwit"
TOKEN = "/api/v1/token"
_numbers = count(1)


@pytest.fixture(autouse=True)
def fast(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()


@pytest.fixture
def mai() -> User:
    return User.objects.create_superuser(f"mai{next(_numbers)}", password=PASSWORD)


def ask(path: str = "", **given: str) -> Any:
    return Client().post(f"{TOKEN}{path}", given, content_type="application/json")


def sign_in(user: User, password: str = PASSWORD, **given: str) -> Any:
    return ask(login=user.get_username(), password=password, **given)


def opens(access: str) -> bool:
    return bool(Program(access).get("/lists").status_code == 200)


def test_who_signs_in_asks_as_they_may_and_is_in_the_audit_log(mai: User) -> None:
    answer = sign_in(mai).json()

    Program(answer["access_token"]).post("/lists", {"name": "Readers"})

    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 600)
    signed_in = AuditEntry.objects.get(act="signed in")
    added = AuditEntry.objects.get(kind="recipients.mailinglist")
    assert signed_in.user_id == added.user_id == mai.pk
    assert (added.actor, added.origin) == (mai.username, "api")


@pytest.mark.parametrize("wrong", ["password", "name", "inactive"])
def test_a_wrong_name_or_password_and_who_has_left_are_told_the_same(mai: User, wrong: str) -> None:
    if wrong == "inactive":
        User.objects.update(is_active=False)
    name = "ghost" if wrong == "name" else mai.username

    answer = ask(login=name, password="another" if wrong == "password" else PASSWORD)

    assert problem(answer)["detail"] == "This name, password or code is wrong."
    assert answer.status_code == 401


def test_after_so_many_wrong_passwords_the_right_one_opens_nothing(
    mai: User, settings: Settings
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "3/900s/key"}
    for _ in range(3):
        sign_in(mai, "wrong")

    assert sign_in(mai).status_code == 429


def test_without_redis_nobody_signs_in(mai: User, settings: Settings) -> None:
    away = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": away}

    assert problem(sign_in(mai))["status"] == 503


def test_a_second_factor_cannot_be_gone_round(mai: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(mai, secret)
    _, this, _ = yield_hotp_counters_from_time()  # of the half minute before, this one, the next
    code = format_hotp_value(hotp_value(secret, this))

    missing, wrong, right = sign_in(mai), sign_in(mai, code="000000"), sign_in(mai, code=code)
    again = sign_in(mai, code=code)

    assert [each.status_code for each in (missing, wrong, right)] == [401, 401, 200]
    assert again.status_code == 401  # a code is for one use


def test_who_has_a_security_key_alone_signs_in_by_a_browser(mai: User) -> None:
    Authenticator.objects.create(user=mai, type=Authenticator.Type.WEBAUTHN, data={})

    assert sign_in(mai, code="123456").status_code == 401


def test_where_everybody_needs_a_second_factor_nobody_is_let_in_without(
    mai: User, settings: Settings
) -> None:
    settings.REQUIRE_MFA = True
    browser = Client()
    browser.force_login(mai)

    assert sign_in(mai).status_code == 403
    assert browser.post(f"{TOKEN}/session").status_code == 403


def test_a_session_is_exchanged_by_its_own_pages_alone_and_ends_its_tokens(mai: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(mai)
    browser.get("/account/profile/")
    csrf = browser.cookies["csrftoken"].value

    foreign = browser.post(f"{TOKEN}/session")
    own = browser.post(f"{TOKEN}/session", headers={"X-CSRFToken": csrf}).json()
    assert opens(own["access_token"])
    Session.objects.all().delete()

    assert foreign.status_code == 403
    assert Client().post(f"{TOKEN}/session").status_code == 401
    assert not opens(own["access_token"])
    assert ask("/refresh", refresh_token=own["refresh_token"]).status_code == 401


def test_a_refresh_token_is_used_once(mai: User) -> None:
    first = sign_in(mai).json()

    second = ask("/refresh", refresh_token=first["refresh_token"])
    again = ask("/refresh", refresh_token=first["refresh_token"])

    assert (second.status_code, again.status_code) == (200, 401)
    assert opens(second.json()["access_token"])


@pytest.mark.parametrize("end", ["password", "inactive", "revoke"])
def test_both_tokens_end_with_the_password_or_by_signing_out(mai: User, end: str) -> None:
    given = sign_in(mai).json()
    match end:
        case "password":
            mai.set_password("another-flyway")
            mai.save()
        case "inactive":
            User.objects.update(is_active=False)
        case _:
            assert ask("/revoke", refresh_token=given["refresh_token"]).status_code == 204

    assert not opens(given["access_token"])
    assert ask("/refresh", refresh_token=given["refresh_token"]).status_code == 401


def test_who_guesses_refresh_tokens_is_not_looked_at_any_more(mai: User) -> None:
    now = timezone.now()
    right = tokens.sign_in(mai, now=now).refresh
    for number in range(20):
        for minute in (0, 60):  # the next one may have begun when it is asked
            at = now.timestamp() + minute
            limits.fail("127.0.0.1", shown=str(number), at=at)

    refused = ask("/refresh", refresh_token=right)

    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 60


def test_a_refresh_token_that_is_not_known_is_counted(mai: User) -> None:
    before = timezone.now().timestamp()
    for number in range(20):
        ask("/refresh", refresh_token=f"wrong-{number}")
    after = timezone.now().timestamp()

    minutes = {before // 60 * 60, after // 60 * 60}
    assert sum(sum(limits._counted("from 127.0.0.1", at=at)) for at in minutes) == 20


def test_tokens_last_as_long_as_they_say_and_no_longer(mai: User) -> None:
    now = timezone.now()
    given = tokens.sign_in(mai, now=now)
    old = tokens.sign_in(mai, now=now - tokens.ACCESS)

    assert tokens.user_of(given.access, now=now) == mai
    assert tokens.user_of(old.access, now=now) is None
    almost = now + tokens.REFRESH - timedelta(seconds=1)
    following = tokens.refresh(given.refresh, now=almost)
    assert following
    assert tokens.refresh(following.refresh, now=now + tokens.REFRESH) is None
    assert tokens.forget_old(now=now + tokens.REFRESH) == 2


def test_a_token_of_another_key_or_of_none_opens_nothing(mai: User) -> None:
    given = tokens.sign_in(mai, now=timezone.now())
    claims = jwt.decode(given.access, options={"verify_signature": False})

    forged = jwt.encode(claims, "x" * 32, algorithm="HS256")
    unsigned = jwt.encode(claims, "", algorithm="none")

    assert not opens(forged)
    assert not opens(unsigned)
    assert opens(given.access)


def test_an_earlier_secret_is_still_read(mai: User, settings: Settings) -> None:
    given = tokens.sign_in(mai, now=timezone.now())
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "y" * 50

    assert tokens.user_of(given.access, now=timezone.now()) == mai
    settings.SECRET_KEY_FALLBACKS = []
    assert tokens.user_of(given.access, now=timezone.now()) is None


def test_signed_in_digest_unique(mai: User) -> None:
    tokens.sign_in(mai, now=timezone.now())
    row = SignedIn.objects.get()
    row.pk = None

    with pytest.raises(IntegrityError, match="signed_in_digest_unique"):
        row.save()
