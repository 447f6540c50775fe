"""What administrators do about who works here."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import transaction

from config.accounts.models import Profile
from recipients.models import MailingList
from recipients.retention import delete_in_batches


@transaction.atomic
def save_user(
    user: User, *, groups: Iterable[Group], lists: Iterable[MailingList], shown: set[int]
) -> User:
    """Write a user down, with their roles and the limited lists that they see.

    :param shown: ids of the lists that could be chosen; of others nothing changes.
    """
    if user._state.adding:  # noqa: SLF001
        user.set_unusable_password()
    user.save()
    user.groups.set(groups)
    kept = user.limited_lists.exclude(pk__in=shown)
    user.limited_lists.set([*kept, *lists])
    return user


@transaction.atomic
def save_profile(profile: Profile, *, first_name: str, last_name: str) -> Profile:
    """Write down how somebody wants to see the pages, and how they are called."""
    profile.save()
    User.objects.filter(pk=profile.user_id).update(first_name=first_name, last_name=last_name)
    return profile


def forget_sessions(*, now: datetime) -> int:
    """Delete sessions that are over, and from where they were; return how many rows.

    A session ends so long after the sign-in, whatever is done meanwhile.
    """
    begun = now - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    return delete_in_batches(Session.objects.filter(expire_date__lte=now)) + delete_in_batches(
        UserSession.objects.filter(created_at__lte=begun)
    )
