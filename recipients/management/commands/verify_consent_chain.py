from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recipients import consent


class Command(BaseCommand):
    help = (
        "Check that the consent ledger is as it was written: every event, every wording, and the "
        "hash of each block, which covers the one before it. Prints the hash of the newest block; "
        "noted down elsewhere, it shows later that nothing was cut off (--expect). And that what "
        "is counted by list and day, for the growth of lists, is what the events say (--repair)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--expect", metavar="HASH", help="a block that must be there")
        parser.add_argument("--repair", action="store_true", help="count events by day anew")

    def handle(self, *args: Any, **options: Any) -> None:
        found = consent.verify()
        for problem in found.problems:
            self.stderr.write(problem)
        expected = options["expect"]
        if expected and not consent.has_block(expected):
            raise CommandError(f"no block has the hash {expected}: newer ones were cut off")
        if found.problems:
            raise CommandError(f"the consent ledger was changed: {len(found.problems)} problems")
        self._check_counts(repair=options["repair"])
        self.stdout.write(f"{found.events} events in {found.blocks} blocks, newest {found.head}")

    def _check_counts(self, *, repair: bool) -> None:
        wrong = consent.miscounted(repair=repair)
        for one in wrong:
            self.stdout.write(one)
        if wrong and not repair:
            raise CommandError(
                "the ledger is whole, and its sums by day are not its own; --repair counts anew"
            )
