import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.embedded import EmbeddedError
from config.management.benchmarking import count, new_file
from config.management.commands.services import embedded_services


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
        embedded_services()
        # Here, because a production installation has none of the packages that this needs.
        from config.benchmark import hits
        from config.rig.place import BenchmarkError, move_in

        try:
            hits.find_wrk()
            move_in()
            found = hits.measure(
                seconds=options["seconds"],
                connections=options["connections"],
                stored=options["stored"],
                keep=options["keep"],
                say=self.stdout.write,
            )
        except (BenchmarkError, EmbeddedError) as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            options["json"].write_text(json.dumps(hits.as_dicts(found), indent=2) + "\n")
