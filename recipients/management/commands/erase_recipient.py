from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from recipients.management.arguments import key_of
from recipients.privacy import erase


class Command(BaseCommand):
    help = (
        "Erase all that is known of the person with an address, and let nobody mail it again. "
        "Cannot be taken back; may be repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address")

    def handle(self, *args: Any, **options: Any) -> None:
        key = key_of(options["address"])
        is_new = erase(key, source="command erase_recipient", now=timezone.now())
        self.stdout.write("erased" if is_new else "was erased before; nothing new was found")
