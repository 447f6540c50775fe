import json
from argparse import ArgumentTypeError
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from recipients.importing import checking, jobs, rejects, staging
from recipients.importing.at_once import import_file, read_file
from recipients.importing.detect import detect, preview
from recipients.importing.layout import ENCODINGS, BadFile, Layout
from recipients.models import Import, MergePolicy, Tag
from recipients.services import Refused, get_list
from recipients.translatable import Translatable

_COUNTS = ("new", "changed", "unchanged", "duplicates", "invalid", "suppressed")
_SHOWN = 100  # bad rows on standard error; --rejects has all of them
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}


class Command(BaseCommand):
    help = (
        "Import recipients from a CSV file (also compressed with gzip) or an Excel file (.xlsx) "
        "whose first row names the columns: `email`, `language`, `time_zone`, and any others as "
        "custom fields. Good rows are imported; each bad one is named with its reason. Cut off, it "
        "goes on where it was when it is started again; run twice, it changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--list", required=True, metavar="NAME", help="made if there is none")
        parser.add_argument("--tag", action="append", default=[], help="put on all; repeatable")
        parser.add_argument(
            "--policy",
            choices=MergePolicy.values,
            default=MergePolicy.OVERWRITE,
            help="what becomes of fields that a known recipient has (default: overwrite)",
        )
        parser.add_argument("--source", default="", help="where their consent comes from")
        parser.add_argument(
            "--encoding", choices=ENCODINGS, help="instead of the one it looks like"
        )
        parser.add_argument("--delimiter", choices=_DELIMITERS, help="the same")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            type=_column,
            metavar="NUMBER=NAME",
            help="what a column is, the first being 1, instead of what it is called in the file; "
            "without a name it is left out: --column 2=city --column 5=; repeatable",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would happen")
        parser.add_argument("--rejects", type=Path, metavar="FILE", help="bad rows, as CSV")
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if (out := options["rejects"]) and not out.parent.is_dir():
            raise CommandError(f"there is no directory {out.parent}")
        try:
            with path.open("rb") as file:
                importing = self._import(file, options)
            self._tell_rejected(importing, options)
        except OSError as error:
            raise CommandError(f"{error.filename or path}: {error.strerror}") from None
        except BadFile as error:
            raise CommandError(f"{path}: {error}") from None
        except (Refused, jobs.Refused) as refusal:
            raise CommandError(str(refusal)) from None
        counts = {name: getattr(importing, name) for name in _COUNTS}
        summary = ", ".join(f"{count} {name}" for name, count in counts.items())
        self.stdout.write(json.dumps(counts) if options["json"] else summary)
        if options["dry_run"]:
            self._tell_findings(importing)
            jobs.discard(importing)

    def _import(self, file: IO[bytes], options: dict[str, Any]) -> Import:
        layout = _layout(file, options)
        chosen: dict[str, Any] = {
            "name": options["file"].name,
            "clock": timezone.now,
            "layout": layout.check(),
            "policy": MergePolicy(options["policy"]),
            "declaration": options["source"],
        }
        if not options["dry_run"]:
            mailing_list = get_list(options["list"])
            tags = [Tag.objects.get_or_create(name=name)[0] for name in options["tag"]]
            return import_file(file, mailing_list=mailing_list, tags=tags, **chosen)
        importing = read_file(file, mailing_list=None, **chosen)
        importing.findings = checking.check(importing).as_dict()
        for name in ("new", "changed", "unchanged", "duplicates", "suppressed"):
            setattr(importing, name, importing.findings[name])
        return importing

    def _tell_rejected(self, importing: Import, options: dict[str, Any]) -> None:
        if options["rejects"]:
            with options["rejects"].open("w", encoding="utf-8", newline="") as file:
                file.writelines(rejects.lines(importing))
        for row in islice(staging.rejected(importing.pk), _SHOWN):
            self.stderr.write(f"{options['file']}: {row}")
        if importing.invalid > _SHOWN and not options["rejects"]:
            more = importing.invalid - _SHOWN
            self.stderr.write(f"and {more} more; --rejects FILE writes them all")

    def _tell_findings(self, importing: Import) -> None:
        found = importing.findings
        for each in found["typos"]:
            said = f"{each['domain']}: is {each['suggestion']} meant? {each['addresses']} addresses"
            self.stderr.write(said)
        for domain, count in found["disposable"].items():
            self.stderr.write(f"{domain}: throw-away mailboxes, {count} addresses")
        for role, count in found["roles"].items():
            self.stderr.write(f"{role}@: belongs to a function, {count} addresses")


def _layout(file: IO[bytes], options: dict[str, Any]) -> Layout:
    """Return how the file is to be read: as it looks, but for what was said."""
    found = detect(file).layout
    encoding = options["encoding"] or found.encoding
    delimiter = _DELIMITERS.get(options["delimiter"], found.delimiter)
    chosen = replace(found, columns=(), encoding=encoding, delimiter=delimiter)
    layout = preview(file, chosen).layout
    columns = list(layout.columns)
    for number, name in options["column"]:
        if number > len(columns):
            raise BadFile(
                Translatable(
                    "there is no column %(number)s; it has %(count)s",
                    {"number": str(number), "count": len(columns)},
                )
            )
        columns[number - 1] = name
    return replace(layout, columns=tuple(columns))


def _column(text: str) -> tuple[int, str]:
    number, sign, name = text.partition("=")
    if not (sign and number.isascii() and number.isdigit() and 0 < len(number) < 5 and int(number)):
        raise ArgumentTypeError(f"{text!r}: write the number of a column and its name, as 2=city")
    return int(number), name.strip()
