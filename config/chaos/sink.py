"""A next hop that remembers what it took, and goes away, hangs up or defers when it is told to."""

import asyncio
import threading
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, cast

from config.processes import LOOPBACK

_GREETING = b"220 sink\r\n"
_EHLO = b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
_OK = b"250 2.0.0 Ok\r\n"
_DATA = b"354 End with a dot\r\n"
_BUSY = b"421 4.3.2 Not now\r\n"
_END = b"\r\n.\r\n"


class Sink:
    """An SMTP server in a thread of its own, on a port that stays the same.

    :param pace: seconds from the end of a message to its answer
    """

    def __init__(self, *, port: int, pace: float) -> None:
        self.pace = pace
        self.defers = False
        self.taken: Counter[str] = Counter()  # by the local part of the envelope sender
        self.sessions: set[_Session] = set()
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="sink", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.come_back()

    def stop(self) -> None:
        self.go_away()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def cut(self) -> None:
        """Hang up on everybody."""
        self._do(self._cut())

    def go_away(self) -> None:
        """Hang up, and take no connection any more."""
        self._do(self._close())

    def come_back(self) -> None:
        self._do(self._listen())

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self.sessions)

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await self._loop.create_server(
                lambda: _Session(self), LOOPBACK, self._port, backlog=200
            )

    async def _close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        for session in list(self.sessions):
            session.transport.abort()


class _Session(asyncio.Protocol):
    """One connection; commands wait while the answer to a message is on its way."""

    transport: asyncio.Transport

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._unread = b""
        self._sender = ""
        self._in_content = False
        self._is_thinking = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._sink.sessions.add(self)
        self.transport.write(_GREETING)

    def connection_lost(self, _: Exception | None) -> None:
        self._sink.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        self._go_on()

    def _go_on(self) -> None:
        while not self._is_thinking and not self.transport.is_closing():
            content, end, rest = self._unread.partition(_END if self._in_content else b"\r\n")
            if not end:
                return
            if self._in_content:
                self._unread = rest
                self._take()
            else:
                # The end of this line is the first half of the end of an empty message, too.
                is_data = content.upper() == b"DATA"
                self._unread = b"\r\n" + rest if is_data else rest
                self._answer(content)

    def _answer(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"MAIL":
            self._sender = line.partition(b"<")[2].partition(b"@")[0].decode()
            if self._sink.defers:
                self.transport.write(_BUSY)
                self.transport.close()
                return
        self._in_content = verb == b"DATA"
        self.transport.write({b"EHLO": _EHLO, b"DATA": _DATA}.get(verb, _OK))
        if verb == b"QUIT":
            self.transport.close()

    def _take(self) -> None:
        self._in_content = False
        self._is_thinking = True
        self._sink.taken[self._sender] += 1
        asyncio.get_running_loop().call_later(self._sink.pace, self._say_yes)

    def _say_yes(self) -> None:
        self._is_thinking = False
        with suppress(RuntimeError):  # the loop has ended meanwhile
            if not self.transport.is_closing():
                self.transport.write(_OK)
                self._go_on()
