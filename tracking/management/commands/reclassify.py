from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tracking.judging import RULES
from tracking.reclassifying import outdated_runs, reclassify


class Command(BaseCommand):
    help = (
        "Judge by the rules of this release which hits were people's, where older rules have "
        "judged them; sums, and what segments know of opens and clicks, follow."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--run", type=int, action="append", help="a run's id; without it, all")

    def handle(self, *args: Any, **options: Any) -> None:
        runs = outdated_runs()
        wanted = [run for run in runs if not options["run"] or run in options["run"]]
        judged = sum(map(reclassify, wanted))
        self.stdout.write(f"{judged} hits judged by rules {RULES} (runs: {len(wanted)})")
