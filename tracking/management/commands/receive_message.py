import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error
from django.utils import timezone

from tracking.inbound.storing import LIMIT, store

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: the mail server keeps the message


class Command(BaseCommand):
    help = (
        "Take a bounce or a complaint from standard input, as mail servers pipe it. Exit code 75"
        " asks the mail server to try again later."
    )
    requires_system_checks: Any = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--recipient", default="", help="of the message's envelope")

    def handle(self, *args: Any, **options: Any) -> None:
        raw = sys.stdin.buffer.read(LIMIT)
        while sys.stdin.buffer.read(LIMIT):
            pass  # all of it: who pipes would else fail to write the rest
        try:
            store(raw, recipient=options["recipient"], origin="pipe", now=timezone.now())
        except Error as error:
            self.stderr.write(f"not stored, try again: {error}")
            sys.exit(TRY_AGAIN)
