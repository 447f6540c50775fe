"""What reading a mailbox is, whatever its protocol; and how much a server may make us read."""

import ssl
from typing import Protocol, Self

from tracking.inbound.storing import LIMIT

TIMEOUT = 30.0  # seconds, of each read and write
BATCH = 100  # messages
BATCH_BYTES = 8 << 20
# Of one session: the server is one that was chosen, but it may be broken, or taken over.
BUDGET = 256 << 20
LITERAL = LIMIT + (64 << 10)


class Fault(Exception):
    """A mailbox cannot be read; the text says why, in the server's words where it has some."""


class Session(Protocol):
    """A mailbox, logged in; messages are fetched in batches, and deleted when they are stored."""

    def fetch(self) -> list[bytes]:
        """Return the next messages, of each at most the first megabyte; none: there is no more."""

    def delete(self) -> None:
        """Delete what was fetched last."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


def tls() -> ssl.SSLContext:
    """Return what certificates are judged by; SSL_CERT_FILE may name further authorities."""
    return ssl.create_default_context()


def few(sizes: dict[int, int]) -> list[int]:
    """Return the first of these messages, as many as fit into a batch, and one at least."""
    chosen: list[int] = []
    left = BATCH_BYTES
    for number, size in list(sizes.items())[:BATCH]:
        left -= min(size, LIMIT)
        if left < 0 and chosen:
            break
        chosen.append(number)
    return chosen
