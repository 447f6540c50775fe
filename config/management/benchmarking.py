"""What commands that measure have in common."""

from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError

from config.embedded import EmbeddedError
from config.management.commands.services import embedded_services


@contextmanager
def place_of_its_own() -> Iterator[None]:
    """Measure in a fresh state directory.

    What measures is imported within: a production installation has none of the packages it needs.

    :raises CommandError: what is missing, or has failed.
    """
    embedded_services()
    from config.processes import RunError
    from config.rig.place import BenchmarkError, move_in

    try:
        move_in()
        yield
    except (BenchmarkError, EmbeddedError, RunError) as error:
        raise CommandError(str(error)) from None


def count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError("write a whole number above 0")
    return int(text)


def counts(text: str) -> list[int]:
    return sorted(count(part.strip()) for part in text.split(","))


def new_file(text: str) -> Path:
    if not (path := Path(text)).parent.is_dir():
        raise ArgumentTypeError(f"there is no directory {path.parent}")
    return path
