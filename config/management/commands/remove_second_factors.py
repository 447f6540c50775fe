from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from config.accounts.models import SignedIn


class Command(BaseCommand):
    help = "Take away the second factors of a user who has lost them, and end their sessions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the user name")

    @transaction.atomic
    def handle(self, *args: Any, user: str, **options: Any) -> None:
        found = User.objects.filter(username=user).first()
        if found is None:
            raise CommandError(f"nobody has the user name {user!r}")
        count, _ = Authenticator.objects.filter(user=found).delete()
        for session in UserSession.objects.filter(user=found):
            session.end()
        SignedIn.objects.filter(user=found).delete()
        self.stdout.write(f"{user} has no second factor any more (removed: {count}).")
