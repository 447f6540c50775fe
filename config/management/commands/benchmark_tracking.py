import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.management.benchmarking import count, new_file, place_of_its_own


class Command(BaseCommand):
    help = (
        "Measure how fast opens and clicks are answered and stored on this machine, by an"
        " installation of its own that is gone at the end. Needs wrk on the PATH."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=count, default=10, metavar="N", help="of each case")
        parser.add_argument("--connections", type=count, default=16, metavar="N")
        parser.add_argument(
            "--stored", type=count, default=100_000, metavar="N", help="hits, twice"
        )
        parser.add_argument("--json", type=new_file, metavar="FILE", help="write the numbers there")
        parser.add_argument("--keep", action="store_true", help="leave the installation's data")

    def handle(self, *args: Any, **options: Any) -> None:
        with place_of_its_own():
            from config.benchmark import hits

            found = hits.measure(
                seconds=options["seconds"],
                connections=options["connections"],
                stored=options["stored"],
                keep=options["keep"],
                say=self.stdout.write,
            )
        if options["json"]:
            options["json"].write_text(json.dumps(hits.as_dicts(found), indent=2) + "\n")
