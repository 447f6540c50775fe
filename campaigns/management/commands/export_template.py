import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from campaigns.management.base import Command as BaseCommand
from templates_app.models import EmailTemplate
from templates_app.moving import export_template


class Command(BaseCommand):
    help = (
        "Write a template, with the snippets, the layout and the files that it uses, as one file: "
        "a ZIP that import_template reads."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "file", nargs="?", default="-", metavar="FILE", help="- (the default): standard output"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        template = EmailTemplate.objects.filter(name=options["name"]).first()
        if template is None:
            raise CommandError(f"there is no template {options['name']!r}")
        data = export_template(template)
        if options["file"] == "-":
            sys.stdout.buffer.write(data)
            return
        try:
            Path(options["file"]).write_bytes(data)
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from None
        self.stdout.write(f"template {template.name!r} written to {options['file']}")
