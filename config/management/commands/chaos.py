import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.management.benchmarking import count, place_of_its_own


class Command(BaseCommand):
    help = (
        "Send campaigns on an installation of its own while its processes are killed, frozen and"
        " restarted at random and the next hop misbehaves; then compare what arrived with the"
        " ledger. Exit code 1 where it does not add up."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--recipients", type=count, default=20_000, metavar="N")
        parser.add_argument("--minutes", type=float, default=2, help="that things happen for")
        parser.add_argument(
            "--seed", type=int, help="the same seed, the same events; else a new one"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with place_of_its_own():
            from config.chaos.drill import drill

            seed = options["seed"] if options["seed"] is not None else secrets.randbelow(1_000_000)
            self.stdout.write(f"seed {seed}")
            verdict = drill(
                recipients=options["recipients"],
                seconds=60 * options["minutes"],
                seed=seed,
                say=self.stdout.write,
            )
        for line in verdict.lines():
            self.stdout.write(line)
        if not verdict.holds:
            raise CommandError(f"it does not add up; seed {seed}")
