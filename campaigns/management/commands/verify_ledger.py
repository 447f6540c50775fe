import json
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from campaigns.management.base import CampaignCommand
from campaigns.models import Run
from tracking.verify import disagreements


class Command(CampaignCommand):
    help = (
        "Prove that counters, ledger and TaskResult agree and that no address stands twice, for "
        "one campaign or for all; exit code 1, and the rows, where they do not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, nargs="?", help="the campaign's id; without it, all")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        runs = Run.objects.all()
        if options["id"] is not None:
            runs = runs.filter(campaign=self.campaign(options))
        checked = runs.ids()
        found = disagreements(checked, kept_since=_kept_since())
        if options["json"]:
            self.stdout.write(
                json.dumps({"runs": checked, "disagreements": [str(one) for one in found]})
            )
        else:
            self.stdout.write("".join(f"{one}\n" for one in found), ending="")
        if found:
            raise CommandError(f"{len(found)} disagreements in {len(checked)} runs")
        if not options["json"]:
            self.stdout.write(f"counters = ledger = TaskResult (runs: {len(checked)})")


def _kept_since() -> Any:
    days = settings.TASK_RESULT_DAYS
    return timezone.now() - timedelta(days=days) if days else None
