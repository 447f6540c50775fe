import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from recipients.models import SuppressionReason
from recipients.suppression import BadEntry, entries_of, suppress_all

REASONS = [reason.value for reason in SuppressionReason if reason != SuppressionReason.ERASED]


class Command(BaseCommand):
    help = (
        "Let nobody mail an address or a domain any more, or those of a file, one on each line. "
        "Where one of them cannot be read, nothing is done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("entry", nargs="?", metavar="ADDRESS|DOMAIN")
        what.add_argument("--file", type=Path, help="one address or domain on each line")
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


def read_entries(options: dict[str, Any]) -> list[str]:
    """Return the keys of what was typed, or stands in the file, each once.

    :raises CommandError: a line cannot be read, or the file.
    """
    try:
        text = options["entry"] or options["file"].read_text(encoding="utf-8-sig")
        return entries_of(text)
    except OSError as error:
        raise CommandError(f"{options['file']}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{options['file']}: it is not UTF-8") from None
    except BadEntry as error:
        raise CommandError(str(error)) from None
