"""Wake-up calls that only hurry: where one is lost, Beat finds what is to be done all the same."""

import os
import threading
from collections.abc import Callable

from celery import current_app
from django.db import transaction
from kombu import Connection
from kombu.exceptions import OperationalError


def hurry(send: Callable[..., object], *args: object) -> None:
    """Call what sends tasks, with options by which that fails at once where the broker is away.

    A page waits for this. A connection of Celery's own pool tries for six seconds (measured), and a
    new one for each call costs more than what it carries; so each thread keeps one. The broker may
    have ended that meanwhile: it is sent once more then, by a new one. Tasks that come twice find
    nothing to do.
    """
    was_open = _line.is_open
    try:
        _line.send(send, args)
    except OperationalError:
        if not was_open:
            raise
        _line.send(send, args)


def hurry_after_commit(send: Callable[..., object], *args: object) -> None:
    """Do so after the commit; where it fails, Django logs it."""

    def hurry_on() -> None:  # no partial: Django logs the name of what failed, and one has none
        hurry(send, *args)

    transaction.on_commit(hurry_on, robust=True)


class _Line(threading.local):
    """One thread's connection to the broker; a process that was forked begins one of its own."""

    broker: Connection | None = None
    pid = 0

    @property
    def is_open(self) -> bool:
        return self.broker is not None and self.pid == os.getpid()

    def send(self, send: Callable[..., object], args: tuple[object, ...]) -> None:
        broker = self.broker if self.is_open else None
        if broker is None:
            broker = current_app.connection_for_write()
            self.broker, self.pid = broker, os.getpid()
        try:
            broker.ensure_connection(max_retries=1, interval_start=0)
            send(*args, connection=broker, retry=False)
        except OperationalError:
            self.broker = None
            broker.release()
            raise


_line = _Line()
