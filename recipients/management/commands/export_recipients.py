import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from recipients import exporting
from recipients.models import ExportFormat, MailingList, Segment
from recipients.segments.grammar import BadRules


class Command(BaseCommand):
    help = (
        "Write the recipients of a list, those who answer to a segment, or all of them to a file, "
        "with their state, suppression, tags and fields. That it was done is kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("--list", metavar="NAME", help="everybody on it, in whatever state")
        whom.add_argument("--segment", metavar="NAME")
        whom.add_argument("--all", action="store_true", help="all recipients")
        form = parser.add_mutually_exclusive_group(required=True)
        form.add_argument("--csv", metavar="FILE", help="- is standard output")
        form.add_argument("--xlsx", metavar="FILE")
        form.add_argument("--jsonl", metavar="FILE", help="one JSON object on each line")

    def handle(self, *args: Any, **options: Any) -> None:
        form = next(form for form in ExportFormat if options[form])
        target = options[form]
        mailing_list, segment = _audience(options)
        try:
            asked = exporting.question(mailing_list, segment, now=timezone.now())
        except BadRules as error:
            raise CommandError(f"segment {segment} cannot be asked: {error}") from None
        rows = _write(target, asked, form)
        what = exporting.what(mailing_list, segment)
        exporting.note(what, form=form, rows=rows, now=timezone.now())
        if target != "-":
            self.stdout.write(f"{rows} recipients written to {target}")


def _audience(options: dict[str, Any]) -> tuple[MailingList | None, Segment | None]:
    """:raises CommandError: there is no list, or no segment, of this name."""
    mailing_list = MailingList.objects.filter(name=options["list"]).first()
    segment = Segment.objects.filter(name=options["segment"]).first()
    if options["list"] is not None and mailing_list is None:
        raise CommandError(f"there is no list {options['list']!r}")
    if options["segment"] is not None and segment is None:
        raise CommandError(f"there is no segment {options['segment']!r}")
    return mailing_list, segment


def _write(target: str, asked: exporting.Question, form: ExportFormat) -> int:
    if target == "-":
        return exporting.write_rows(sys.stdout.buffer, asked, form=form)
    try:
        with Path(target).open("wb") as file:
            return exporting.write_rows(file, asked, form=form)
    except OSError as error:
        raise CommandError(f"{target}: {error.strerror}") from None
