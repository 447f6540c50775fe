"""The catcher's two servers, SMTP and HTTP, in one process."""

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

from aiosmtpd.smtp import SMTP, Envelope, Session

from config.catcher.pages import Answer, Pages, Request
from config.catcher.store import Store

MAX_MESSAGE_BYTES = 10 * 1024 * 1024

logger = logging.getLogger(__name__)


class CatcherError(Exception):
    """The catcher cannot start; one line for the person at the terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    host: str
    smtp_port: int
    http_port: int


async def run(address: Address, *, keep: int, started: Callable[[Address], None]) -> None:
    """Catch until SIGTERM or SIGINT; `started` is called with the ports that are listened on.

    :raises CatcherError: a port is busy, or the host is not one of this machine
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    store = Store(keep)
    smtp = await _listen_smtp(store, address)
    with _http(Pages(store, address.host), address) as http_port:
        smtp_port = smtp.sockets[0].getsockname()[1]
        started(Address(host=address.host, smtp_port=smtp_port, http_port=http_port))
        await stop.wait()
    smtp.close()


async def _listen_smtp(store: Store, address: Address) -> asyncio.Server:
    loop = asyncio.get_running_loop()

    def connection() -> SMTP:
        return SMTP(
            _Handler(store),
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            hostname="catcher.localhost",
            ident="Godwit mail catcher",
            loop=loop,
        )

    try:
        return await loop.create_server(connection, address.host, address.smtp_port)
    except OSError as error:
        raise _busy("SMTP", address.host, address.smtp_port, "--smtp-port", error) from None


class _Handler:
    """What aiosmtpd calls when a message is complete."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        self.store.add(
            at=datetime.now(UTC),
            envelope_sender=(envelope.mail_from or "").removesuffix("<>"),  # the null sender
            recipients=tuple(envelope.rcpt_tos),
            data=content,
        )
        return "250 2.0.0 OK caught"


class _HTTPServer(ThreadingTCPServer):  # http.server's own asks the DNS for its name first
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, pages: Pages, address: Address) -> None:
        self.pages = pages
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        super().__init__((address.host, address.http_port), _RequestHandler)

    def handle_error(self, request: object, client_address: object) -> None:
        # A browser that goes away in the middle of a page is no event.
        logger.debug("a request of %s ended early", client_address)


class _RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "godwit-catcher"
    sys_version = ""
    timeout = 30
    server: _HTTPServer

    def do_GET(self) -> None:
        self._reply()

    do_HEAD = do_POST = do_GET  # noqa: N815 - the names of http.server

    def log_message(self, *args: object) -> None:
        pass

    def _reply(self) -> None:
        # No form of ours has a body that matters, and an unread one would be the next request.
        self.close_connection = self.command == "POST"
        method = "GET" if self.command == "HEAD" else self.command
        answer = self._answer(Request(method, self.path, dict(self.headers.items())))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _answer(self, request: Request) -> Answer:
        try:
            return self.server.pages.answer(request)
        except Exception:  # a message may be built to break its reader
            logger.exception("%s cannot be shown", request.path)
            return Answer(b"This cannot be shown; the message's .eml can be saved.\n", status=500)


@contextmanager
def _http(pages: Pages, address: Address) -> Iterator[int]:
    """Serve pages in a thread; yield the port."""
    try:
        server = _HTTPServer(pages, address)
    except OSError as error:
        raise _busy("HTTP", address.host, address.http_port, "--http-port", error) from None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _busy(what: str, host: str, port: int, option: str, error: OSError) -> CatcherError:
    reason = error.strerror or str(error)
    return CatcherError(f"No {what} on port {port} of {host}: {reason}. Another one: {option}.")
