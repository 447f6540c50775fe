from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.accounts.keys import make_key
from config.accounts.scopes import Reach, asked_for, scopes_of
from recipients.models import MailingList


class Command(BaseCommand):
    help = "Make an API key of a user, and print it: it is never shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the user name")
        parser.add_argument("name", help="what uses it")
        parser.add_argument(
            "--scope",
            action="append",
            default=[],
            metavar="PERMISSION",
            help="what it may do, such as recipients.view_recipient; repeat it for more."
            " Without any: all that its user may look at",
        )
        parser.add_argument(
            "--all", action="store_true", help="let it do all that its user may do by the API"
        )
        parser.add_argument(
            "--list",
            action="append",
            default=[],
            metavar="NAME",
            help="the only list that it sees; repeat it for more",
        )
        parser.add_argument("--days", type=int, default=90, help="how long it lasts; 0: for ever")

    def handle(self, *args: Any, user: str, name: str, days: int, **options: Any) -> None:
        owner = User.objects.filter(username=user).first()
        if owner is None:
            raise CommandError(f"nobody has the user name {user!r}")
        now = timezone.now()
        made = make_key(
            owner,
            name=name,
            scopes=_scopes(owner, options["scope"], everything=options["all"]),
            lists=_lists(options["list"]),
            expires_at=now + timedelta(days=days) if days else None,
            now=now,
        )
        self.stdout.write(made.secret)


def _scopes(owner: User, chosen: list[str], *, everything: bool) -> set[str]:
    if unknown := sorted(set(chosen) - asked_for()):
        raise CommandError(f"no operation of the API asks for {unknown[0]}")
    reach = Reach.ALL if everything else Reach.CHOSEN if chosen else Reach.LOOK
    scopes = scopes_of(owner, reach=reach, chosen=chosen)
    if missing := sorted(set(chosen) - scopes):
        raise CommandError(f"{owner} has not got the permission {missing[0]}")
    return scopes


def _lists(names: list[str]) -> list[MailingList] | None:
    found = list(MailingList.objects.filter(name__in=names))
    if missing := sorted(set(names) - {each.name for each in found}):
        raise CommandError(f"there is no list {missing[0]!r}")
    return found or None
