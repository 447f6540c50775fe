import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from config.health import overview
from config.health.facts import Fact, State

_WORDS = {State.GOOD: "works", State.ATTENTION: "look at it", State.BAD: "does not work"}


class Command(BaseCommand):
    help = "Say what is wrong with the installation, and what to do about it."
    requires_system_checks = ()  # it is asked where something is wrong

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="say as well what works")
        parser.add_argument("--json", action="store_true", help="print all that was looked at")
        parser.add_argument(
            "--patience",
            type=float,
            default=2.0,
            metavar="SECONDS",
            help="how long workers have to answer (default: 2)",
        )
        parser.add_argument(
            "--strict",
            action="store_true",
            help="exit with 1 as well where something is only to be looked at",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = overview.look(now=timezone.now(), patience=options["patience"])
        if options["json"]:
            self.stdout.write(json.dumps([asdict(fact) for fact in found], indent=2))
        else:
            self._print(found, say_all=options["all"])
        if found.count(State.BAD) or (options["strict"] and found.count(State.ATTENTION)):
            raise SystemExit(1)

    def _print(self, found: overview.Overview, *, say_all: bool) -> None:
        shown = [fact for fact in found if say_all or fact.state != State.GOOD]
        for fact in shown:
            self.stdout.write(_lines(fact))
        if not shown:
            self.stdout.write("all works")


def _lines(fact: Fact) -> str:
    """Return a line, and below it what to do."""
    said = f"{_WORDS[fact.state] + ':':<15}{fact.title}: {fact.text}"
    return f"{said}\n{'':<15}{fact.remedy}" if fact.remedy else said
