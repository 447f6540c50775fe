from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError

from config.accounts.roles import Role


class Command(BaseCommand):
    help = "Give a user a role, or take it away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the user name")
        parser.add_argument("role", choices=[role.value.lower() for role in Role])
        parser.add_argument("--take", action="store_true", help="take it away")

    def handle(self, *args: Any, user: str, role: str, take: bool, **options: Any) -> None:
        found = User.objects.filter(username=user).first()
        if found is None:
            raise CommandError(f"nobody has the user name {user!r}")
        group = Group.objects.get(name=role.capitalize())
        (found.groups.remove if take else found.groups.add)(group)
        roles = ", ".join(found.groups.order_by("name").values_list("name", flat=True))
        self.stdout.write(f"{user}: {roles or 'no role'}")
