from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.management.benchmarking import count, place_of_its_own


class Command(BaseCommand):
    help = (
        "Measure how fast the pages that list people answer, in a database of its own that is gone"
        " at the end."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--recipients", type=count, default=1_000_000, metavar="N")
        parser.add_argument("--keep", action="store_true", help="leave the database's data")

    def handle(self, *args: Any, **options: Any) -> None:
        with place_of_its_own():
            from config.benchmark import people
            from config.benchmark.installation import restart_postgresql, servers

            with servers(keep=options["keep"]) as services:
                fast = people.run(
                    options["recipients"],
                    restart=partial(restart_postgresql, services),
                    say=self.stdout.write,
                )
        if not fast:
            raise CommandError("a page took longer than 200 ms")
