import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recipients.csv_reader import BadFile, RecipientReader
from recipients.services import ImportReport, Refused, get_list, import_recipients


class Command(BaseCommand):
    help = (
        "Import recipients from a CSV file (UTF-8) whose first line names the columns: `email`, "
        "and any others as custom fields. Good lines are imported; each bad one is named on "
        "standard error, with its reason."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--list", required=True, metavar="NAME", help="made if there is none")
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = self._import(options["file"], list_name=options["list"])
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from None
        except BadFile as error:
            raise CommandError(f"{options['file']}: {error}") from None
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        counts = report.as_dict()
        summary = ", ".join(f"{count} {name}" for name, count in counts.items())
        self.stdout.write(json.dumps(counts) if options["json"] else summary)

    def _import(self, path: Path, *, list_name: str) -> ImportReport:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = RecipientReader(file)
            return import_recipients(
                reader,
                mailing_list=get_list(list_name),
                on_bad_line=lambda line: self.stderr.write(f"{path}: {line}"),
            )
