import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recipients.handout import HandoutFormat, written
from recipients.management.arguments import key_of
from recipients.privacy import known, person


class Command(BaseCommand):
    help = (
        "Write all that is known of the person with an address to a file: fields, lists, consent, "
        "suppression, every message and what became of it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address")
        form = parser.add_mutually_exclusive_group(required=True)
        form.add_argument("--json", metavar="FILE", help="- is standard output")
        form.add_argument("--csv", metavar="FILE", help="- is standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        form = HandoutFormat.JSON if options["json"] else HandoutFormat.CSV
        target = options["json"] or options["csv"]
        text = written(known(person(key_of(options["address"]))), form)
        if target == "-":
            sys.stdout.write(text)
            return
        try:
            Path(target).write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise CommandError(f"{target}: {error.strerror}") from None
        self.stdout.write(f"written to {target}")
