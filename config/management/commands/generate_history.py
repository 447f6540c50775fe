from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.management.benchmarking import count
from tracking.models import Delivery


class Command(BaseCommand):
    help = (
        "Fill an empty database with invented runs, deliveries and hits and their sums, to see how"
        " pages of reports do in a long history."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--deliveries", type=count, default=10_000_000, metavar="N")
        parser.add_argument("--events", type=count, default=5_000_000, metavar="N", help="hits")

    def handle(self, *args: Any, **options: Any) -> None:
        # Here, because a production installation has none of the packages that this needs.
        from config.benchmark import reports

        if Delivery.objects.exists():
            raise CommandError("there are deliveries; this is for a database of its own")
        reports.make_history(options["deliveries"], options["events"], say=self.stdout.write)
