import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser

from campaigns.management.base import CampaignCommand
from campaigns.reporting.figures import Figures, Reach, figures
from campaigns.reporting.shares import Share


class Command(CampaignCommand):
    help = "Say what a campaign came to: sent, failed, bounced, opened, clicked, who left."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--run", type=int, metavar="ID", help="of this run alone")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        runs = self.campaign(options).runs.all()
        if options["run"] is not None:
            runs = runs.filter(pk=options["run"])
            if not runs.exists():
                raise CommandError(f"campaign {options['id']} has no run {options['run']}")
        found = figures(runs)
        if options["json"]:
            self.stdout.write(json.dumps(found.as_dict()))
            return
        for line in _lines(found):
            self.stdout.write(line)


def _lines(found: Figures) -> Iterator[str]:
    yield _line("runs", found.runs)
    yield _line("sent", found.sent)
    yield _line("failed", found.failed)
    yield _line("bounced", found.bounces, found.sent, f"{found.hard:,} hard, {found.soft:,} soft")
    yield _line("opened", found.opens.people, found.sent, _beside(found.opens, "opens"))
    yield _line("clicked", found.clicks.people, found.sent, _beside(found.clicks, "clicks"))
    yield _line("unsubscribed", found.unsubscribes, found.sent)
    yield _line("complained", found.complaints, found.sent)


def _beside(reach: Reach, what: str) -> str:
    return f"{reach.machines:,} by machines alone; {reach.total:,} {what} in all"


def _line(name: str, count: int, of: int | None = None, more: str = "") -> str:
    share = f"  {Share(count, of).percent}" if of is not None else ""
    return f"{count:>10,}  {name}{share}{f' ({more})' if more else ''}"
