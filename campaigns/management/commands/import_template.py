import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from campaigns.management.base import Command as BaseCommand
from templates_app.bundle import MOST_BYTES, BadBundle, unpack
from templates_app.moving import SANITISED, Clash, import_template


class Command(BaseCommand):
    help = (
        "Create a template from a file that export_template wrote, with the snippets, the layout "
        "and the files that it uses; all of it or nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="- is standard input")
        parser.add_argument("--name", default="", help="in place of the one that it had")
        parser.add_argument(
            "--clash",
            choices=[each.value for each in Clash],
            default=Clash.REFUSE.value,
            help="what becomes of snippets, layouts and files that are here under the same name "
            "with other content: refuse (the default), keep mine, take theirs, or rename theirs",
        )
        parser.add_argument(
            "--raw",
            action="store_true",
            help="where its HTML was kept exactly as written, keep it so, and replace pieces of "
            "such templates: you trust who wrote it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            bundle = unpack(BytesIO(_read(options["file"])))
        except BadBundle as error:
            raise CommandError(f"{options['file']}: {error}") from None
        imported = import_template(
            bundle,
            name=options["name"],
            clash=Clash(options["clash"]),
            keep_raw=options["raw"],
        )
        self.stdout.write(f"template {imported.template.name!r} imported")
        for old, new in imported.renamed.items():
            self.stdout.write(f"{old} came as {new}")
        if imported.is_sanitised:
            self.stderr.write(str(SANITISED))


def _read(file: str) -> bytes:
    """Return what a file holds, or a little more of it than may be."""
    if file == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
