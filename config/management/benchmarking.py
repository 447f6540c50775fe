"""What commands that measure have in common."""

from collections.abc import Iterator
from contextlib import contextmanager

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
    from config.rig.place import BenchmarkError, move_in

    try:
        move_in()
        yield
    except (BenchmarkError, EmbeddedError) as error:
        raise CommandError(str(error)) from None
