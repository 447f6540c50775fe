"""Whom a command speaks of, as people type it."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from recipients.addresses import BadAddress, parse_address
from recipients.suppression import BadEntry, entries_of


def key_of(text: str) -> str:
    """:raises CommandError: it is no address."""
    try:
        return parse_address(text).key
    except BadAddress as error:
        raise CommandError(f"{text!r}: {error}") from None


def add_entries(parser: CommandParser) -> None:
    """Take an address or a domain, or a file of them."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("entry", nargs="?", metavar="ADDRESS|DOMAIN")
    what.add_argument("--file", type=Path, help="one address or domain on each line")


def read_entries(options: dict[str, Any]) -> list[str]:
    """Return the keys of what was typed, or stands in the file, each once.

    :raises CommandError: a line cannot be read, or the file.
    """
    try:
        text = options["entry"] or options["file"].read_text(encoding="utf-8-sig")
        return entries_of(text)
    except OSError as error:
        raise CommandError(f"{options['file']}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{options['file']}: it is not UTF-8") from None
    except BadEntry as error:
        raise CommandError(str(error)) from None
