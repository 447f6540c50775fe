from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from recipients.addresses import BadAddress, parse_address
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


def key_of(text: str) -> str:
    """:raises CommandError: it is no address."""
    try:
        return parse_address(text).key
    except BadAddress as error:
        raise CommandError(f"{text!r}: {error}") from None
