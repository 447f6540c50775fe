import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from campaigns.management.base import CampaignCommand
from campaigns.reports import report
from campaigns.sending import instance


class Command(CampaignCommand):
    help = "Say how a campaign stands: its newest run, and how many recipients are in each state."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        found = report(self.campaign(options), now=timezone.now())
        status = found.as_dict()
        if options["json"]:
            self.stdout.write(json.dumps(status))
            return
        self.stdout.write(f"campaign {status['id']}: {status['status']}")
        if reason := instance.check():
            self.stdout.write(f"nothing goes out: {reason}")
        if status["run"]:
            self.stdout.write(
                f"run {status['run']}: {status['run_status']}, {status['rate']} messages/s"
            )
            if found.run and found.run.held_reason:
                self.stdout.write(f"{found.run.status}: {found.run.held_reason}")
            if found.run and found.run.warning:
                self.stdout.write(f"warning: {found.run.warning}")
            if found.waiting:
                self.stdout.write(found.waiting)
            for state, count in status["counts"].items():
                self.stdout.write(f"{count:>10}  {state}")
