from textwrap import wrap
from typing import Any

from django.core.management.base import CommandParser

from campaigns import dkim_keys
from campaigns.management.base import Command as BaseCommand
from campaigns.sending.dkim import Algorithm, Key

ALGORITHMS = {"rsa": Algorithm.RSA, "ed25519": Algorithm.ED25519}
STRING = 255  # characters in one string of a TXT record (RFC 1035 3.3)


class Command(BaseCommand):
    help = (
        "Make a DKIM key and print its DNS record; with --activate, let one sign whose record is "
        "published."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("domain", help="like example.org")
        parser.add_argument("--selector", required=True, help="its name in the DNS, like s2026")
        kind = parser.add_mutually_exclusive_group()
        kind.add_argument("--algorithm", choices=sorted(ALGORITHMS), default="rsa")
        kind.add_argument("--activate", action="store_true", help="make none: let it sign")

    def handle(self, *args: Any, **options: Any) -> None:
        domain, selector = options["domain"], options["selector"]
        if options["activate"]:
            self.stdout.write(f"{dkim_keys.activate(domain, selector=selector)} signs from now on")
            return
        algorithm = ALGORITHMS[options["algorithm"]]
        key = dkim_keys.create(domain, selector=selector, algorithm=algorithm)
        self.stdout.write(_zone(key))
        self.stderr.write(
            "publish this record, then run it again with --activate; a sender's messages are signed"
            f" when its DKIM domain is {key.domain}"
        )


def _zone(key: Key) -> str:
    """Return the record as a zone file has it."""
    strings = " ".join(f'"{part}"' for part in wrap(key.record, STRING, drop_whitespace=False))
    return f"{key.name}. IN TXT ({strings})"
