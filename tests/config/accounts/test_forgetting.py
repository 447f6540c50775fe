"""What is not kept of people who work here."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from config.accounts.services import forget_sessions
from recipients import retention

pytestmark = pytest.mark.django_db

NOW = timezone.now()
AGE = timedelta(seconds=settings.SESSION_COOKIE_AGE)
SECOND = timedelta(seconds=1)


def make_session(key: str, *, ends: timedelta) -> None:
    user, _ = User.objects.get_or_create(username="mai")
    Session.objects.create(session_key=key, expire_date=NOW + ends)
    UserSession.objects.create(
        user=user, session_key=key, ip="192.0.2.1", created_at=NOW + ends - AGE
    )


def test_sessions_are_forgotten_when_they_are_over_and_not_a_second_before() -> None:
    make_session("over", ends=timedelta())
    make_session("open", ends=SECOND)

    assert forget_sessions(now=NOW) == 2
    assert Session.objects.get().session_key == "open"
    assert UserSession.objects.get().session_key == "open"


def test_many_are_forgotten_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for number in range(5):
        make_session(f"s{number}", ends=-SECOND)

    assert forget_sessions(now=NOW) == 10
