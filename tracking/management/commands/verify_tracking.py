import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from tracking import last_times
from tracking.models import RunCounters
from tracking.recounting import differences


class Command(BaseCommand):
    help = (
        "Prove that the sums of opens, clicks, bounces, complaints and unsubscriptions are those "
        "of the hits and events, for some runs or for all, and, for all, what segments ask of "
        "recipients; exit code 1, and the differences, where they are not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, nargs="*", help="a run's id; without any, all runs")
        parser.add_argument("--repair", action="store_true", help="write the right sums down")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        known = RunCounters.objects.order_by("run").values_list("run", flat=True)
        runs = options["run"] or list(known)
        if unknown := sorted(set(runs) - set(known)):
            raise CommandError(f"no such run: {', '.join(map(str, unknown))}")
        found = [
            str(one)
            for run in runs
            for one in differences(run, now=timezone.now(), repair=options["repair"])
        ]
        if not options["run"]:
            found += map(str, last_times.differences(repair=options["repair"]))
        if options["json"]:
            self.stdout.write(json.dumps({"runs": runs, "differences": found}))
        else:
            self.stdout.write("".join(f"{one}\n" for one in found), ending="")
        self._conclude(len(found), len(runs), **options)

    def _conclude(self, found: int, runs: int, **options: Any) -> None:
        if found and not options["repair"]:
            raise CommandError(f"{found} differences in {runs} runs; --repair mends them")
        if not options["json"]:
            text = f"mended: {found}" if found else "sums = hits and events"
            self.stdout.write(f"{text} (runs: {runs})")
