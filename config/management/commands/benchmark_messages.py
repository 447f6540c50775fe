import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.management.benchmarking import count, new_file, place_of_its_own


class Command(BaseCommand):
    help = (
        "Measure how long a single message takes from its request to the next hop, alone and while "
        "a campaign is sent, on an installation of its own that is gone at the end; exit code 1 "
        "where one is missing or the books disagree."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--recipients", type=count, default=100_000, metavar="N", help="of the campaign"
        )
        parser.add_argument("--rate", type=float, default=20, help="messages a second")
        parser.add_argument(
            "--seconds", type=float, default=15, help="for which they are sent without a campaign"
        )
        parser.add_argument("--json", type=new_file, metavar="FILE", help="write the numbers there")

    def handle(self, *args: Any, **options: Any) -> None:
        with place_of_its_own():
            from config.benchmark import messages

            found = messages.measure(
                options["recipients"],
                rate=options["rate"],
                seconds=options["seconds"],
                say=self.stdout.write,
            )
        if options["json"]:
            options["json"].write_text(json.dumps(found, indent=2, default=str) + "\n")
        if not all(run["adds_up"] for run in found["runs"]):
            raise CommandError("it does not add up: run it with --json to see what")
