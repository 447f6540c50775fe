import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tracking.bounces.accuracy import Accuracy, Comparison, Verdict, compare, share


class Command(BaseCommand):
    help = (
        "Measure how well bounces and complaints are read: compare the *.eml files of a directory "
        "with its labels.json, which holds for each file's name a list of objects with recipient, "
        "hard, reason and feedback."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path)
        parser.add_argument("--mistakes", action="store_true", help="list them, by class")

    def handle(self, *args: Any, **options: Any) -> None:
        accuracy = Accuracy(_comparisons(options["directory"]))
        self.stdout.write("\n".join(_table(accuracy)))
        if options["mistakes"]:
            self.stdout.write("\n".join(_mistakes(accuracy)))


def _comparisons(directory: Path) -> Iterator[Comparison]:
    try:
        labels = json.loads((directory / "labels.json").read_text())
        for name in sorted(labels):
            yield from compare(name, (directory / name).read_bytes(), labels[name])
    except (OSError, ValueError) as error:
        raise CommandError(f"labels.json, or a file that it names: {error}") from None


def _table(accuracy: Accuracy) -> Iterator[str]:
    yield f"{'class':<14}{'labelled':>10}{'read as':>10}{'precision':>11}{'recall':>9}"
    for verdict in Verdict:
        yield (
            f"{verdict:<14}{accuracy.labelled(verdict):>10}{accuracy.found(verdict):>10}"
            f"{_figure(accuracy.precision(verdict)):>11}{_figure(accuracy.recall(verdict)):>9}"
        )
    precision, recall = accuracy.invalid()
    soft, wrong = accuracy.labelled(Verdict.SOFT), accuracy.pairs(Verdict.SOFT, Verdict.HARD)
    yield (
        "invalid address or domain, by a code or by words, for hard: "
        f"precision {_figure(precision)}, recall {_figure(recall)}"
    )
    yield f"soft ones read as hard: {wrong} of {soft} ({100 * (share(wrong, soft) or 0):.1f} %)"
    yield f"labelled as bounces, but still being tried: {accuracy.delayed()}"


def _mistakes(accuracy: Accuracy) -> Iterator[str]:
    wrong = [each for each in accuracy.comparisons if each.expected != each.found]
    for each in sorted(wrong, key=lambda one: (one.expected, one.found, one.name)):
        words = " ".join(each.explanation.split())[:120]
        yield f"{each.expected} read as {each.found}: {each.name}: {words}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
