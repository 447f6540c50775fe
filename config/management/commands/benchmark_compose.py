import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.embedded import EmbeddedError
from config.management.commands.benchmark_send import count, new_file
from config.management.commands.services import embedded_services


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
        embedded_services()
        # Here, because a production installation has none of the packages that this needs.
        from config.benchmark import compose
        from config.benchmark.installation import servers
        from config.rig.place import BenchmarkError, move_in

        try:
            move_in()
            with servers(keep=False):
                costs = compose.run(options["messages"], say=self.stdout.write)
        except (BenchmarkError, EmbeddedError) as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            found = [cost.as_dict() for cost in costs]
            options["json"].write_text(json.dumps(found, indent=2) + "\n")
