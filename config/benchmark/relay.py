"""A long way to the next hop: `python -m config.benchmark.relay PORT NEXT_PORT MILLISECONDS`.

What comes is passed on in its order, half of the milliseconds later in each direction, so that a
round trip takes all of them. Nothing waits for anything else: how much is on its way at the same
time is not limited.
"""

import asyncio
import sys
from collections import deque
from typing import cast


class Side(asyncio.Protocol):
    """One of the two connections of a way; what it receives leaves by the other one, later."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._on_its_way: deque[bytes] = deque()
        self.other: Side
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._later(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._later(b"")

    def _later(self, data: bytes) -> None:
        # Each of these calls takes the oldest, so that two of the same moment cannot change places.
        self._on_its_way.append(data)
        asyncio.get_running_loop().call_later(self._delay, self._pass_on)

    def _pass_on(self) -> None:
        data = self._on_its_way.popleft()
        if data:
            self.other.transport.write(data)
        else:
            self.other.transport.close()


class Near(Side):
    """The side of whoever connects: it begins the way to the next hop, and waits for that."""

    def __init__(self, delay: float, port: int) -> None:
        super().__init__(delay)
        self._port = port
        self.other = Side(delay)
        self.other.other = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self._connecting = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self.other, "127.0.0.1", self._port)
        except OSError:
            self.transport.abort()
        else:
            self.transport.resume_reading()


async def serve(port: int, next_port: int, *, delay: float) -> None:
    """Relay connections on loopback until the process is ended.

    :param delay: seconds, in each direction
    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Near(delay, next_port), "127.0.0.1", port, backlog=1_000
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), delay=float(sys.argv[3]) / 2_000))
