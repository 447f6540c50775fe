from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from recipients.management.arguments import add_entries, read_entries
from recipients.suppression import NotLifted, lift


class Command(BaseCommand):
    help = (
        "Lift the suppression of an address or a domain, or of those of a file, one on each line: "
        "all or, where one may not be lifted, none. Who asked for no mail at all, or was erased, "
        "comes back by themselves alone, by subscribing and confirming it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_entries(parser)
        parser.add_argument("--why", required=True, help="kept beside what was lifted")
        parser.add_argument(
            "--even-complaints", action="store_true", help="also where somebody complained"
        )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        keys = read_entries(options)
        try:
            for key in keys:
                lift(
                    key,
                    why=options["why"],
                    by="command unsuppress",
                    even_complaints=options["even_complaints"],
                    now=timezone.now(),
                )
        except NotLifted as refusal:
            raise CommandError(f"{refusal}; nothing was lifted") from None
        self.stdout.write(f"{len(keys)} lifted")
