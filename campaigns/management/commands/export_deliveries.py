import csv
import sys
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import CommandError, CommandParser

from campaigns.export import COLUMNS, rows_of
from campaigns.management.base import CampaignCommand
from campaigns.models import Campaign
from tracking.models import Delivery


class Command(CampaignCommand):
    help = "Write the ledger of all runs of a campaign to a CSV file, one line for each recipient."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--csv", required=True, metavar="FILE", help="- is standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = self.campaign(options)
        if options["csv"] == "-":
            _write(sys.stdout, campaign)
            return
        try:
            with Path(options["csv"]).open("w", encoding="utf-8", newline="") as file:
                count = _write(file, campaign)
        except OSError as error:
            raise CommandError(f"{options['csv']}: {error.strerror}") from None
        self.stdout.write(f"{count} deliveries written to {options['csv']}")


def _write(file: TextIO, campaign: Campaign) -> int:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    count = 0
    for row in rows_of(campaign.pk, among=Delivery.objects.all()):
        writer.writerow(row)
        count += 1
    return count
