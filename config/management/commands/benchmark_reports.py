from argparse import ArgumentParser
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from config.embedded import EmbeddedError
from config.management.commands.benchmark_send import count
from config.management.commands.services import embedded_services

if TYPE_CHECKING:
    from config.embedded.services import Services


def restart_postgresql(services: "Services") -> None:
    """End PostgreSQL and start it again: it remembers nothing then."""
    connections.close_all()
    services.down(["postgresql"])
    services.up()


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
        embedded_services()
        # Here, because a production installation has none of the packages that this needs.
        from config.benchmark import reports
        from config.benchmark.installation import servers
        from config.rig.place import BenchmarkError, move_in

        try:
            move_in()
            with servers(keep=options["keep"]) as services:
                fast = reports.run(
                    options["deliveries"],
                    options["events"],
                    restart=partial(restart_postgresql, services),
                    say=self.stdout.write,
                )
        except (BenchmarkError, EmbeddedError) as error:
            raise CommandError(str(error)) from None
        if not fast:
            raise CommandError("a page took longer than 300 ms")
