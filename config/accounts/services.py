"""What administrators do about who works here."""

from collections.abc import Iterable

from django.contrib.auth.models import Group, User
from django.db import transaction

from config.accounts.models import Profile
from recipients.models import MailingList


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
