import asyncio
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.catcher.server import Address, CatcherError, run


class Command(BaseCommand):
    help = (
        "Catch every message over SMTP and show the last ones on a page; nothing is sent on."
        " Listens on loopback unless --host says otherwise."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--smtp-port", type=_port, default=1025, help="0: any free one")
        parser.add_argument("--http-port", type=_port, default=8025, help="0: any free one")
        parser.add_argument("--keep", type=_count, default=2000, help="how many messages to keep")

    def handle(self, *, host: str, smtp_port: int, http_port: int, keep: int, **_: Any) -> None:
        address = Address(host=host, smtp_port=smtp_port, http_port=http_port)
        try:
            asyncio.run(run(address, keep=keep, started=self._say_where))
        except CatcherError as error:
            raise CommandError(str(error)) from None

    def _say_where(self, address: Address) -> None:
        host = f"[{address.host}]" if ":" in address.host else address.host
        self.stdout.write(
            f"Catching smtp://{host}:{address.smtp_port}, showing http://{host}:{address.http_port}/"
        )
        self.stdout.flush()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise ArgumentTypeError("write a port from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError("write a whole number above 0")
    return int(text)
