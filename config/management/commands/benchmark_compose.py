import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.management.benchmarking import count, new_file, place_of_its_own


class Command(BaseCommand):
    help = (
        "Measure what it takes to compose a message on this machine, by its content, with a"
        " database of its own that is gone at the end."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--messages", type=count, default=1_000, help="of each of nine repeats")
        parser.add_argument("--json", type=new_file, metavar="FILE", help="write the numbers there")

    def handle(self, *args: Any, **options: Any) -> None:
        with place_of_its_own():
            from config.benchmark import compose
            from config.benchmark.installation import servers

            with servers(keep=False):
                costs = compose.run(options["messages"], say=self.stdout.write)
        if options["json"]:
            found = [cost.as_dict() for cost in costs]
            options["json"].write_text(json.dumps(found, indent=2) + "\n")
