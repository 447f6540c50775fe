from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from campaigns.management.base import Command as BaseCommand
from recipients.models import Field
from templates_app.services import create_template, unknown_fields


class Command(BaseCommand):
    help = (
        "Create a template from files. Its fields ({{ first_name }}) must be fields that "
        "recipients have; a fault is named with its line, and nothing is saved."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--subject", required=True)
        parser.add_argument("--html", required=True, type=Path, metavar="FILE")
        parser.add_argument(
            "--text", type=Path, metavar="FILE", help="without it, the text is made from the HTML"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        known = set(Field.objects.values_list("name", flat=True))
        template = create_template(
            options["name"],
            subject=options["subject"],
            source=_read(options["html"]),
            text=_read(options["text"]) if options["text"] else "",
            known=known,
        )
        self.stdout.write(f"template {template.name!r} created")
        if not known and (names := unknown_fields(template)):
            self.stderr.write(
                f"no recipients are imported yet: {', '.join(names)} must be among their columns "
                "before a campaign with this template can be scheduled"
            )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{path}: is not UTF-8") from None
