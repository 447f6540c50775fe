"""Write the pages of the documentation that are made of the product itself."""

from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from config.api.api import api
from config.reference import commands, operations


class Command(BaseCommand):
    help = (
        "Write the references of commands and of the API, as Markdown, into a directory, which is "
        "made if there is none. `make docs` calls it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path, help="where commands.md and api.md are written")

    def handle(self, *args: Any, directory: Path, **options: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "commands.md").write_text(commands.page(our_apps()))
        (directory / "api.md").write_text(operations.page(api.get_openapi_schema()))


def our_apps() -> list[str]:
    base = Path(settings.BASE_DIR)
    return [app.name for app in apps.get_app_configs() if Path(app.path).parent == base]
