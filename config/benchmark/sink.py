"""A next hop that takes every message and counts it: `python -m config.benchmark.sink PORT FILE`.

It looks for the ends of lines and of messages, and at nothing else. It is a process of its own
without Django: what it costs is not to be taken for a cost of the engine.
"""

import asyncio
import mmap
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

_RECORD = struct.Struct("=Qdd")
_CRLF = b"\r\n"
_END = b"\r\n.\r\n"
_EHLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 0\r\n"
_OK = b"250 2.0.0 Ok\r\n"
_BYE = b"221 2.0.0 Bye\r\n"
_REPLIES = {  # to all other commands: _OK
    b"EHLO": _EHLO,
    b"DATA": b"354 End with a dot\r\n",
    b"QUIT": _BYE,
}


@dataclass(frozen=True, slots=True)
class Arrived:
    """How many messages have come since the last `reset`, and when the first and the last did."""

    count: int
    first: float
    last: float


class Tally:
    """The count, in a file that other processes may read at any time."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_RECORD.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _RECORD.size)

    def read(self) -> Arrived:
        return Arrived(*_RECORD.unpack_from(self._map))

    def reset(self) -> None:
        """Begin anew; only while no message is on its way."""
        _RECORD.pack_into(self._map, 0, 0, 0.0, 0.0)

    def add(self, messages: int) -> None:
        now = time.time()
        count, first, _ = _RECORD.unpack_from(self._map)
        _RECORD.pack_into(self._map, 0, count + messages, first or now, now)


class Session(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.Transport

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._rest = b""
        self._in_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        received, at, messages = self._rest + data, 0, 0
        replies: list[bytes] = []
        while True:
            end = received.find(_END if self._in_content else _CRLF, at)
            if end < 0:
                break
            if self._in_content:
                at = end + len(_END)
                self._in_content = False
                messages += 1
                replies.append(_OK)
            else:
                verb = received[at : at + 4].upper()
                replies.append(_REPLIES.get(verb, _OK))
                self._in_content = verb == b"DATA"
                # The end of this line is also the first half of the end of an empty message.
                at = end if self._in_content else end + len(_CRLF)
        self._rest = received[at:]
        self._answer(replies, messages)

    def _answer(self, replies: list[bytes], messages: int) -> None:
        if messages:
            self._tally.add(messages)
        self._transport.write(b"".join(replies))
        if replies[-1:] == [_BYE]:
            self._transport.close()


async def serve(port: int, tally: Tally) -> None:
    """Take messages on loopback until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(tally), "127.0.0.1", port, backlog=1_000)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Tally(Path(sys.argv[2]))))
