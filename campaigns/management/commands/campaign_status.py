import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from campaigns.management.base import CampaignCommand
from campaigns.reports import campaign_status


class Command(CampaignCommand):
    help = "Say how a campaign stands: its newest run, and how many recipients are in each state."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        status = campaign_status(self.campaign(options), now=timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps(status.as_dict()))
            return
        self.stdout.write(f"campaign {status.id}: {status.status}")
        if status.run:
            self.stdout.write(
                f"run {status.run}: {status.run_status}, {status.rate:.1f} messages/s"
            )
            self.stdout.write("".join(f"{n:>10}  {state}\n" for state, n in status.counts.items()))
