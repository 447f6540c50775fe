"""Read a mailbox by POP3 (RFC 1939): what is deleted goes when the session ends well."""

import poplib
from contextlib import suppress
from typing import Any, Self

from tracking.inbound.mailboxes import Address, Security
from tracking.inbound.sessions import BUDGET, TIMEOUT, few, tls
from tracking.inbound.storing import LIMIT

# What is longer is read in pieces, of which no second one is kept: a message of one line without
# end is to stop nobody from reading those behind it.
_PIECE = LIMIT
_END = {b".\r\n", b".\n"}


class _Bounded:
    """What a server sends, up to a limit; of a long answer the first megabyte is kept.

    poplib gives up at a line of more than 2,048 octets, which real messages have.
    """

    _left = BUDGET
    file: Any

    def _piece(self) -> bytes:
        """Return a line with its end, or a part of a longer one."""
        piece = bytes(self.file.readline(_PIECE))
        if not piece:
            raise poplib.error_proto("-ERR EOF")
        self._left -= len(piece)
        if self._left < 0:
            raise poplib.error_proto("the server sends without end")
        return piece

    def _getline(self) -> tuple[bytes, int]:
        line = self._piece()
        return line.rstrip(b"\r\n"), len(line)

    def _getlongresp(self) -> tuple[bytes, list[bytes], int]:
        response = self._getresp()  # type: ignore[attr-defined]
        lines: list[bytes] = []
        size, is_start = 0, True
        while (piece := self._piece()) not in _END or not is_start:
            if size <= LIMIT:
                line = piece.rstrip(b"\r\n")
                lines.append(line[1:] if is_start and line.startswith(b"..") else line)
            size, is_start = size + len(piece), piece.endswith(b"\n")
        return response, lines, size


class _Plain(_Bounded, poplib.POP3):
    pass


class _TLS(_Bounded, poplib.POP3_SSL):
    pass


class POP3Session:
    """See `sessions.Session`. A session that is cut off deletes nothing: all of it comes again."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._sizes: dict[int, int] = {}
        self._fetched: list[int] = []
        if address.security == Security.TLS:
            self._client: poplib.POP3 = _TLS(
                address.host, address.port, timeout=TIMEOUT, context=tls()
            )
        else:
            self._client = _Plain(address.host, address.port, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        try:
            if self._address.security == Security.STARTTLS:
                self._client.stls(tls())
            self._client.user(self._address.user)
            self._client.pass_(self._address.password)
            self._sizes = {
                int(number): int(size)
                for number, size, *_ in (line.split() for line in self._client.list()[1])
            }
        except BaseException:
            with suppress(OSError):  # where TLS was refused, it is closed already
                self._client.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if not any(error):
            self._client.quit()
        self._client.close()

    def fetch(self) -> list[bytes]:
        self._fetched = few(self._sizes)
        return [b"".join(line + b"\r\n" for line in self._lines(n)) for n in self._fetched]

    def delete(self) -> None:
        for number in self._fetched:
            self._client.dele(number)
            del self._sizes[number]

    def _lines(self, number: int) -> list[bytes]:
        return self._client.retr(number)[1]
