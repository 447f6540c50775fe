from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.management.benchmarking import count, place_of_its_own


class Command(BaseCommand):
    help = (
        "Measure how fast segments of three rules are counted on this machine, in a database of its"
        " own that is gone at the end."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--recipients", type=count, default=1_000_000, metavar="N")
        parser.add_argument("--keep", action="store_true", help="leave the database's data")

    def handle(self, *args: Any, **options: Any) -> None:
        with place_of_its_own():
            from config.benchmark import segments
            from config.benchmark.installation import servers

            with servers(keep=options["keep"]):
                segments.run(options["recipients"], say=self.stdout.write)
