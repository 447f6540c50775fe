from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.management.benchmarking import count, place_of_its_own


class Command(BaseCommand):
    help = (
        "Measure how fast the pages of reports answer in a long history, in a database of its own"
        " that is gone at the end."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--deliveries", type=count, default=10_000_000, metavar="N")
        parser.add_argument("--events", type=count, default=5_000_000, metavar="N", help="hits")
        parser.add_argument("--keep", action="store_true", help="leave the database's data")

    def handle(self, *args: Any, **options: Any) -> None:
        with place_of_its_own():
            from config.benchmark import reports
            from config.benchmark.installation import restart_postgresql, servers

            with servers(keep=options["keep"]) as services:
                fast = reports.run(
                    options["deliveries"],
                    options["events"],
                    restart=partial(restart_postgresql, services),
                    say=self.stdout.write,
                )
        if not fast:
            raise CommandError("a page took longer than 300 ms")
