from typing import Any

from django.core.management.base import BaseCommand

from config.accounts.roles import make_roles


class Command(BaseCommand):
    help = "Give the four roles the permissions again that they come with, and no others."

    def handle(self, *args: Any, **options: Any) -> None:
        make_roles(anew=True)
        self.stdout.write("The roles have what they come with; who has them is as before.")
