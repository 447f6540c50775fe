import json
import os
from argparse import ArgumentParser
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.embedded import EmbeddedError, Home

if TYPE_CHECKING:
    from config.embedded.services import Services, Status

NOT_ALL_UP = 3


class Command(BaseCommand):
    help = "Start, stop or show the embedded PostgreSQL and Redis."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["up", "down", "status"])
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, action: str, **options: Any) -> None:
        services = embedded_services()
        try:
            if action == "up":
                services.up()
            elif action == "down":
                services.down()
        except EmbeddedError as error:
            raise CommandError(str(error)) from None
        self._report(services.status(), as_json=options["json"])
        if action == "status" and any(status.state == "down" for status in services.status()):
            raise SystemExit(NOT_ALL_UP)

    def _report(self, statuses: "list[Status]", *, as_json: bool) -> None:
        if as_json:
            rows = {status.server: asdict(status) for status in statuses}
            self.stdout.write(json.dumps(rows, indent=2))
            return
        for status in statuses:
            self.stdout.write(_line(status))


def _line(status: "Status") -> str:
    details = {"pid": status.pid, "socket": status.socket, "data": status.data, "log": status.log}
    shown = "  ".join(f"{key} {value}" for key, value in details.items() if value)
    return f"{status.server:<11} {status.state:<9} {shown}".rstrip()


def embedded_services() -> "Services":
    """Return this installation's servers.

    :raises CommandError: the packages that they need are not installed
    """
    # Here, because a production installation has none of these packages, and no use for them.
    try:
        from config.embedded.services import Services
    except ModuleNotFoundError as error:
        raise CommandError(
            f"{error.name} is not installed: the embedded servers need requirements/development.txt"
        ) from None
    return Services(Home(settings.STATE_DIR), os.environ)
