import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.management.benchmarking import count, counts, new_file, place_of_its_own


class Command(BaseCommand):
    help = (
        "Measure how fast a campaign is sent on this machine, on an installation of its own that is"
        " gone at the end; exit code 1 where a message is missing or the books disagree."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--recipients", type=count, default=100_000, metavar="N")
        parser.add_argument(
            "--sizes", type=counts, metavar="N,N", help="a campaign to each so many recipients"
        )
        parser.add_argument(
            "--workers", type=count, default=2, help="processes that send (the worker's children)"
        )
        parser.add_argument(
            "--latency", type=float, default=0, metavar="MS", help="round trip to the next hop"
        )
        parser.add_argument(
            "--connections", type=count, metavar="N", help="of each process to the next hop"
        )
        parser.add_argument("--dkim", action="store_true", help="sign each message (rsa-2048)")
        parser.add_argument("--flower", action="store_true", help="while Flower looks on")
        parser.add_argument("--json", type=new_file, metavar="FILE", help="write the numbers there")
        parser.add_argument("--keep", action="store_true", help="leave the installation's data")
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--engine-only", action="store_true", help="without the bare loop")
        only.add_argument("--bare-only", action="store_true", help="the bare loop alone")

    def handle(self, *args: Any, **options: Any) -> None:
        with place_of_its_own():
            from config.benchmark import speed

            found = speed.measure(speed.Question.from_options(options), say=self.stdout.write)
        if options["json"]:
            options["json"].write_text(json.dumps(found.as_dict(), indent=2, default=str) + "\n")
        if not found.adds_up:
            raise CommandError("it does not add up: see above")
