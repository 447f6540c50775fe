"""Where people's clients sign in: by password and second factor, or by the session of a browser."""

import logging
from typing import Annotated, Literal

from allauth.account.adapter import get_adapter
from allauth.core import ratelimit
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema, Status
from ninja.utils import check_csrf
from pydantic import Field
from redis.exceptions import RedisError

from config.accounts import audit, tokens
from config.accounts.middleware import has_second_factor
from config.api import guesses
from recipients.api.refusals import Problem

router = Router(auth=None)

logger = logging.getLogger(__name__)

_FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
_WRONG = "This name, password or code is wrong."


class SignIn(Schema):
    login: Annotated[
        str, Field(min_length=1, max_length=254, description="User name or email address.")
    ]
    password: Annotated[str, Field(min_length=1, max_length=1_000)]
    code: Annotated[
        str, Field(max_length=20, description="Of the authenticator app, or a recovery code.")
    ] = ""


class Refresh(Schema):
    refresh_token: Annotated[str, Field(min_length=1, max_length=200)]


class TokensOut(Schema):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Seconds.")
    refresh_token: str = Field(description="For one use, within a day.")


@router.post("", response=TokensOut)
def sign_in(request: HttpRequest, given: SignIn) -> TokensOut:
    """Sign in with a password, and a code where the person has a second factor."""
    try:
        user = _authenticated(request, given)
        _check_second_factor(user, given.code)
    except RedisError as error:
        logger.error("nobody can sign in, because Redis is not there: %s", error)
        raise Problem(503, "Nobody can sign in at this moment.") from None
    audit.signed_in(request, user)
    return _out(tokens.sign_in(user, now=timezone.now()))


@router.post("/session", response=TokensOut)
def sign_in_by_session(request: HttpRequest) -> TokensOut:
    """Take tokens for who is signed in with this browser; it needs the page's CSRF token."""
    user = request.user
    if not isinstance(user, User):
        raise Problem(401, "Nobody is signed in with this browser.")
    if check_csrf(request) is not None:
        raise Problem(403, "The CSRF token is missing or wrong.")
    if settings.REQUIRE_MFA and not has_second_factor(request):
        raise Problem(403, "Set up a second factor first: everybody here needs one.")
    session_key = request.session.session_key or ""
    return _out(tokens.sign_in(user, session_key=session_key, now=timezone.now()))


@router.post("/refresh", response=TokensOut)
def refresh(request: HttpRequest, given: Refresh) -> TokensOut:
    """Take new tokens for a refresh token, which is used up by that."""
    now = timezone.now()
    with guesses.counted(request, given.refresh_token, now=now):
        answer = tokens.refresh(given.refresh_token, now=now)
        if answer is None:
            raise Problem(401, "This refresh token is used up, or not valid any more.")
    return _out(answer)


@router.post("/revoke", response={204: None})
def revoke(request: HttpRequest, given: Refresh) -> Status[None]:
    """Sign out: neither token opens anything any more."""
    tokens.sign_out(given.refresh_token)
    return Status(204, None)


def _authenticated(request: HttpRequest, given: SignIn) -> User:
    if not ratelimit.consume(request, action="login"):
        raise Problem(429, "That was too often. Wait a minute.", headers={"Retry-After": "60"})
    credentials = {"password": given.password, "username": given.login}
    if "@" in given.login:
        credentials["email"] = given.login
    try:
        user = get_adapter(request).authenticate(request, **credentials)
    except ValidationError:
        detail = "Too many failed attempts to sign in. Try again later."
        wait = {"Retry-After": str(settings.LOCK_OUT_SECONDS)}
        raise Problem(429, detail, headers=wait) from None
    if user is None or not user.is_active:
        raise Problem(401, _WRONG)
    return User.objects.get(pk=user.pk)


def _check_second_factor(user: User, code: str) -> None:
    """Pass who has shown the second factor, or has none and needs none.

    :raises Problem: it is missing or wrong, or cannot be shown here.
    """
    kinds = set(
        Authenticator.objects.filter(user=user, type__in=_FACTORS).values_list("type", flat=True)
    )
    if not kinds:
        if settings.REQUIRE_MFA:
            raise Problem(403, "Set up a second factor first: everybody here needs one.")
        return
    if not code:
        raise Problem(401, "Send a code of the second factor as well.")
    form = AuthenticateForm({"code": code}, user=user)
    if not form.is_valid():
        raise Problem(401, _WRONG)
    form.authenticator.record_usage()


def _out(given: tokens.Tokens) -> TokensOut:
    return TokensOut(
        access_token=given.access,
        expires_in=int(tokens.ACCESS.total_seconds()),
        refresh_token=given.refresh,
    )
