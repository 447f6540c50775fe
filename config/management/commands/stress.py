from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.management.benchmarking import count, counts, new_file, place_of_its_own

SAMPLE = 1_000


class Command(BaseCommand):
    help = (
        "Send a campaign by one, two, four workers and one message after the other, on an"
        " installation of its own that is gone at the end, and compare; exit code 1 where a message"
        " is missing or the books disagree."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--recipients", type=count, default=10_000, metavar="N")
        parser.add_argument(
            "--workers", type=counts, default=[1, 2, 4], metavar="N,N", help="processes that send"
        )
        parser.add_argument(
            "--sequential", type=sample, default=SAMPLE, metavar="auto|N",
            help=f"so many are sent one after the other, for all is reckoned; auto: {SAMPLE:,}",
        )  # fmt: skip
        parser.add_argument(
            "--latency", type=float, default=0, metavar="MS", help="round trip to the next hop"
        )
        parser.add_argument("--csv", type=new_file, metavar="FILE", help="write the numbers there")
        parser.add_argument("--svg", type=new_file, metavar="FILE", help="draw a chart there")

    def handle(self, *args: Any, **options: Any) -> None:
        with place_of_its_own():
            from config.benchmark import stress

            answer = stress.measure(
                options["recipients"],
                options["workers"],
                sample=options["sequential"],
                latency=options["latency"],
                say=self.stdout.write,
            )
        if options["csv"]:
            options["csv"].write_text(answer.as_csv())
        if options["svg"]:
            options["svg"].write_text(answer.as_svg())
        if not answer.adds_up:
            raise CommandError("it does not add up: see above")


def sample(text: str) -> int:
    return SAMPLE if text == "auto" else count(text)
