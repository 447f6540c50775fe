from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import rotation


class Command(BaseCommand):
    help = (
        "Encrypt with SECRET_KEY what one of SECRET_KEY_FALLBACKS had encrypted, while everything"
        " runs. May be interrupted, and repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="change nothing; exit code 1 where something is old",
        )

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if not check:
            self.stdout.write(f"encrypted anew: {rotation.rotate().old}")
        left = rotation.look()
        for name in left.unreadable:
            self.stderr.write(f"{name}: no key that is set can read it")
        if left.old or left.unreadable:
            raise CommandError(
                f"encrypted with SECRET_KEY: {left.current}, with earlier keys: {left.old},"
                f" with others: {len(left.unreadable)}"
            )
        self.stdout.write(
            f"All {left.current} are encrypted with SECRET_KEY; no fallback is needed for them."
        )
