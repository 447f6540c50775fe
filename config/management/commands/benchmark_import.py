import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.management.benchmarking import count, new_file, place_of_its_own


class Command(BaseCommand):
    help = (
        "Measure how fast a file of recipients is imported on this machine, and with how much"
        " memory, on an installation of its own that is gone at the end."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rows", type=count, default=1_000_000, metavar="N")
        parser.add_argument("--json", type=new_file, metavar="FILE", help="write the numbers there")
        parser.add_argument("--keep", action="store_true", help="leave the installation's data")

    def handle(self, *args: Any, **options: Any) -> None:
        with place_of_its_own():
            from config.benchmark import imports

            found = imports.measure(options["rows"], keep=options["keep"], say=self.stdout.write)
        if options["json"]:
            options["json"].write_text(json.dumps(imports.as_dicts(found), indent=2) + "\n")
