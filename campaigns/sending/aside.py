"""Connections that are opened and left by threads, so that they hold up nobody."""

import ssl
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress

from campaigns.sending.session import HandoverError, Relay, Session

OPENING = 8  # connections that are opened, or left, at the same time


class Aside:
    """Opens and leaves the connections of one transport."""

    def __init__(self, relay: Relay, context: ssl.SSLContext | None) -> None:
        self._relay = relay
        self._context = context
        self._openers: ThreadPoolExecutor | None = None
        self._leavers: ThreadPoolExecutor | None = None
        self._opening: set[Future[Session]] = set()

    @property
    def opening(self) -> int:
        return len(self._opening)

    def open_now(self) -> Session:
        """Open a connection, and wait for it.

        :raises HandoverError:
        """
        session = Session(self._relay, self._context)
        session.start()
        return session

    def open(self) -> None:
        """Begin to open a connection; `opened` has it when it is there."""
        self._openers = self._openers or ThreadPoolExecutor(OPENING, "smtp-open")
        self._opening.add(self._openers.submit(self.open_now))

    def opened(self, *, timeout: float) -> list[Future[Session]]:
        """Return the connections whose opening has come to an end."""
        if timeout:
            wait(self._opening, timeout, return_when=FIRST_COMPLETED)
        done = [future for future in self._opening if future.done()]
        self._opening.difference_update(done)
        return done

    def leave(self, session: Session) -> None:
        """Say QUIT, and wait for nothing; `close` does."""
        self._leavers = self._leavers or ThreadPoolExecutor(OPENING, "smtp-leave")
        self._leavers.submit(session.leave)

    def close(self) -> None:
        """Wait until all are left. What is still being opened is left when it is there."""
        for future in self._opening:
            if not future.cancel():
                future.add_done_callback(_leave_opened)
        self._opening = set()
        if self._openers:
            self._openers.shutdown(wait=False)
            self._openers = None
        if self._leavers:
            self._leavers.shutdown()
            self._leavers = None


def _leave_opened(future: Future[Session]) -> None:
    with suppress(HandoverError):
        future.result().leave()
