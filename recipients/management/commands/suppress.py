import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from recipients.management.arguments import add_entries, read_entries
from recipients.models import GIVEN_BY_STAFF, SuppressionReason
from recipients.suppression import suppress_all

REASONS = [reason.value for reason in GIVEN_BY_STAFF]


class Command(BaseCommand):
    help = (
        "Let nobody mail an address or a domain any more, or those of a file, one on each line. "
        "Where one of them cannot be read, nothing is done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_entries(parser)
        parser.add_argument("--reason", choices=REASONS, default="manual")
        parser.add_argument("--source", default="command suppress", help="who says so")
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        keys = read_entries(options)
        if "@" in options["source"]:
            raise CommandError("write --source without an address: it is kept when one is erased")
        reason = SuppressionReason(options["reason"])
        new = suppress_all(keys, reason=reason, source=options["source"], now=timezone.now())
        counts = {"new": new, "known": len(keys) - new}
        summary = f"{new} suppressed, {len(keys) - new} were already"
        self.stdout.write(json.dumps(counts) if options["json"] else summary)
