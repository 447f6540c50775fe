from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.loader import render_to_string
from django.utils import timezone

from recipients.management.arguments import key_of
from recipients.proof import Fact, Proof, proof


class Command(BaseCommand):
    help = (
        "Print what a person agreed to and took back: when, how, by which words, and whether the "
        "ledger that says so is as it was written. With --html it is a page to print."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address")
        parser.add_argument("--html", metavar="FILE", type=Path, help="write a page to print")

    def handle(self, *args: Any, **options: Any) -> None:
        key = key_of(options["address"])
        found = proof(key, now=timezone.now())
        if not found.facts:
            raise CommandError(f"nothing is known of the consent of {key}")
        if path := options["html"]:
            self._write(path, found)
        else:
            self.stdout.write("\n".join(_lines(found)))
        if found.problems:
            raise CommandError(f"the consent ledger was changed: {'; '.join(found.problems)}")

    def _write(self, path: Path, found: Proof) -> None:
        css = finders.find("godwit/proof.css")
        context = {"proof": found, "css": Path(css).read_text() if css else ""}
        try:
            path.write_text(render_to_string("recipients/consent_proof.html", context))
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from None
        self.stdout.write(f"{path}: {len(found.facts)} events of {found.address}")


def _lines(found: Proof) -> list[str]:
    head = f"{found.address}, in the ledger {found.subject}"
    return [head, *(line for fact in found.facts for line in _in_lines(fact))]


def _in_lines(fact: Fact) -> list[str]:
    lines = [
        f"{fact.at:%Y-%m-%d %H:%M:%S} UTC  {fact.action}: {fact.about}, by {fact.source}",
        f"  block {fact.block}, {fact.hash}",
    ]
    lines += [f"  words: {line}" for line in fact.wording.splitlines()]
    return lines + ([f"  from: {fact.origin}"] if fact.origin else [])
