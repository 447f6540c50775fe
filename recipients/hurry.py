"""Wake-up calls that only hurry: where one is lost, Beat finds what is to be done all the same."""

from collections.abc import Callable

from celery import current_app
from django.db import transaction


def hurry(send: Callable[..., object], *args: object) -> None:
    """Call what sends tasks, with options by which that fails at once where the broker is away.

    A page waits for this. A connection of Celery's own pool tries for six seconds (measured).
    """
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, interval_start=0)
        send(*args, connection=broker, retry=False)


def hurry_after_commit(send: Callable[..., object], *args: object) -> None:
    """Do so after the commit; where it fails, Django logs it."""

    def hurry_on() -> None:  # no partial: Django logs the name of what failed, and one has none
        hurry(send, *args)

    transaction.on_commit(hurry_on, robust=True)
