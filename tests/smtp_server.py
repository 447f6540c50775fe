"""The next hop of all tests: a real SMTP server on loopback that misbehaves as it is told to.

    with ScriptedSMTP() as server:
        server.script(defer("450 4.2.0 Greylisted"), recipient="ann@example.org")
        server.script(drop("dot"), recipient="bob@example.org", times=None)
        …
        assert server.wait_for(2)[0].recipient == "ann@example.org"

An act is used up by each use, `times` uses (None: for ever); then the server accepts as usual.
It is strict: what a careful client never does (bare LF, commands ahead of their time, 8-bit text
that was not announced) is refused and noted in `server.violations`.
"""

import base64
import contextlib
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

PHASES = frozenset(
    {"connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "dot", "rset", "quit"}
)
EXTENSIONS = frozenset({"PIPELINING", "8BITMIME", "SMTPUTF8"})
LINE = 65_536


@dataclass(frozen=True, slots=True)
class Act:
    """What the server does once it has read the command of a phase."""

    phase: str
    reply: str | None = None  # None: the usual reply; "" with `close`: none at all
    close: bool = False
    hold: threading.Event | None = None  # the reply waits until the test sets it

    def __post_init__(self) -> None:
        assert self.phase in PHASES, self.phase


def defer(reply: str = "450 4.2.0 Greylisted, try again later", phase: str = "rcpt") -> Act:
    return Act(phase, reply)


def refuse(reply: str = "550 5.1.1 No such user", phase: str = "rcpt") -> Act:
    return Act(phase, reply)


def drop(phase: str) -> Act:
    """Close the connection instead of a reply; at "body" after a part of the message came."""
    return Act(phase, "", close=True)


def closing(phase: str, reply: str = "421 4.3.2 Service closing transmission channel") -> Act:
    return Act(phase, reply, close=True)


def garbage(phase: str, reply: str = "\x00\xffwhat?") -> Act:
    return Act(phase, reply)


def hold(phase: str, event: threading.Event) -> Act:
    """Give the usual reply, but not before the test sets the event."""
    return Act(phase, hold=event)


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient whose final dot was read."""

    envelope_sender: str
    recipient: str
    data: bytes  # as it was before dots were doubled
    time: float
    connection: int
    answered: bool  # False: the connection was cut after the dot


@dataclass(frozen=True, slots=True)
class Command:
    connection: int
    line: str


@dataclass(slots=True)
class _Entry:
    act: Act
    times: int | None


Decide = Callable[[str, str], Act | None]  # (phase, recipient or "") -> act


class ScriptedSMTP:
    """A threaded SMTP server on a free loopback port; a context manager."""

    def __init__(
        self,
        *,
        extensions: Iterable[str] = EXTENSIONS,
        size: int | None = None,
        users: Mapping[str, str] | None = None,
        auth: str = "PLAIN LOGIN",
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        messages_per_connection: int | None = None,
        is_lenient: bool = False,
        replies: str = "one by one",
        decide: Decide | None = None,
        port: int = 0,
    ) -> None:
        self.extensions = frozenset(extensions)
        self.size = size
        self.users = users
        self.auth = auth
        self.tls = tls
        self.implicit_tls = implicit_tls
        self.messages_per_connection = messages_per_connection
        self.is_lenient = is_lenient  # RCPT and DATA are answered whatever was refused before
        assert replies in {"one by one", "byte by byte", "together"}
        self.replies = replies  # together: when nothing more is there to be read, as postfix does
        self.decide = decide
        self.connections = 0
        self.violations: list[str] = []
        self._messages: list[Message] = []
        self._commands: list[Command] = []
        self._scripts: dict[str, list[_Entry]] = defaultdict(list)
        self._changed = threading.Condition()
        self._held: set[threading.Event] = set()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name=f"smtp-{self.port}")

    # --- what a test uses --------------------------------------------------------------------

    @property
    def url(self) -> str:
        scheme = "smtps" if self.implicit_tls else "smtp"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[Message]:
        with self._changed:
            return list(self._messages)

    @property
    def commands(self) -> list[Command]:
        with self._changed:
            return list(self._commands)

    @property
    def lines(self) -> list[str]:
        """Return the commands' lines in order, of all connections."""
        return [command.line for command in self.commands]

    def messages_to(self, address: str) -> list[Message]:
        return [message for message in self.messages if message.recipient == address]

    def script(self, *acts: Act, recipient: str = "", times: int | None = 1) -> None:
        """Add acts, each for `times` uses, in this order; without a recipient they are for all.

        The recipient is known from RCPT on.
        """
        with self._changed:
            self._scripts[recipient] += [_Entry(act, times) for act in acts]
            self._held.update(act.hold for act in acts if act.hold)

    def wait_for(self, count: int, timeout: float = 30.0) -> list[Message]:
        """Return all messages as soon as there are `count`."""
        with self._changed:
            done = self._changed.wait_for(lambda: len(self._messages) >= count, timeout)
            assert done, f"{len(self._messages)} of {count} messages came within {timeout} s"
            return list(self._messages)

    def wait_for_command(self, start: str, timeout: float = 30.0) -> None:
        """Return as soon as a command that starts like this was read."""
        with self._changed:
            done = self._changed.wait_for(lambda: self._has_command(start), timeout)
            assert done, f"no {start!r} came within {timeout} s"

    def wait_for_connections(self, count: int, timeout: float = 30.0) -> None:
        """Return as soon as so many connections have been made, open or not."""
        with self._changed:
            done = self._changed.wait_for(lambda: self.connections >= count, timeout)
            assert done, f"{self.connections} of {count} connections came within {timeout} s"

    def cut_connections(self) -> None:
        """Close every open connection, as a restarted server would."""
        with self._changed:
            for sock in self._open.values():
                _cut(sock)

    def close(self) -> None:
        """Stop listening, cut what is open, and wait until all threads have ended."""
        _cut(self._listener)
        self._acceptor.join()
        self._listener.close()
        for event in self._held:
            event.set()
        self.cut_connections()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    # --- what a connection uses --------------------------------------------------------------

    def act(self, phase: str, recipient: str) -> Act:
        with self._changed:
            if self.decide and (decided := self.decide(phase, recipient)):
                return decided
            for entry in [*self._scripts.get(recipient, []), *self._scripts.get("", [])]:
                if entry.act.phase == phase and entry.times != 0:
                    entry.times = entry.times - 1 if entry.times else None
                    return entry.act
        return Act(phase)

    def record(self, *messages: Message) -> None:
        with self._changed:
            self._messages += messages
            self._changed.notify_all()

    def record_command(self, connection: int, line: str) -> None:
        with self._changed:
            self._commands.append(Command(connection, line))
            self._changed.notify_all()

    def keep(self, sock: socket.socket) -> None:
        with self._changed:
            self._open[threading.current_thread()] = sock

    def forget(self) -> None:
        with self._changed:
            del self._open[threading.current_thread()]

    def _has_command(self, start: str) -> bool:
        return any(command.line.startswith(start) for command in self._commands)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self.connections += 1
                connection = _Connection(self, sock, self.connections)
                thread = threading.Thread(target=connection.run, name=f"smtp-{self.port}-client")
                self._open[thread] = sock
                self._changed.notify_all()
            self._threads.append(thread)
            thread.start()


class _Ended(Exception):
    pass


class _Connection:
    def __init__(self, server: ScriptedSMTP, sock: socket.socket, number: int) -> None:
        self.server = server
        self.sock = sock
        self.number = number
        self.unread = b""
        self.unwritten = b""
        self.encrypted = server.implicit_tls
        self.authenticated = not server.users
        self.taken = 0
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.options = ""

    def run(self) -> None:
        try:
            with contextlib.suppress(_Ended, OSError):
                if self.server.implicit_tls:
                    self.wrap()
                self.answer("connect", "220 scripted.test ESMTP")
                while True:
                    self.command(self.read_line())
        finally:
            with contextlib.suppress(OSError):
                self.flush()
            self.server.forget()  # first: nobody may cut a file number that was used again
            self.sock.close()

    # --- reading and writing -----------------------------------------------------------------

    def receive(self) -> None:
        self.flush()
        data = self.sock.recv(LINE)
        if not data:
            raise _Ended
        self.unread += data

    def read_line(self) -> str:
        while b"\n" not in self.unread:
            self.receive()
        line, _, self.unread = self.unread.partition(b"\n")
        if not line.endswith(b"\r"):
            self.violation(f"bare LF after {line!r}")
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def read_data(self) -> bytes:
        searched = 0
        self.unread = b"\r\n" + self.unread  # the data may begin with the dot
        while (end := self.unread.find(b"\r\n.\r\n", searched)) < 0:
            searched = max(0, len(self.unread) - 4)
            self.receive()
        data, self.unread = self.unread[: end + 2], self.unread[end + 5 :]
        if data.count(b"\n") != data.count(b"\r\n") or data.count(b"\r") != data.count(b"\r\n"):
            self.violation("bare CR or LF in the data")
        if not data.isascii() and "BODY=8BITMIME" not in self.options:
            self.violation("8-bit data without BODY=8BITMIME")
        return data.replace(b"\r\n.", b"\r\n")[2:]

    def write(self, reply: str) -> None:
        """Write a reply whose lines are joined by LF; with CRLF they are written as they are."""
        if "\r\n" in reply:
            self.write_bytes((reply + "\r\n").encode("latin-1"))
            return
        *first, last = reply.split("\n")
        lines = [f"{line[:3]}-{line[4:]}" for line in first] + [last]
        self.write_bytes(("\r\n".join(lines) + "\r\n").encode("latin-1"))

    def write_bytes(self, data: bytes) -> None:
        if self.server.replies == "byte by byte":
            for byte in data:
                self.sock.sendall(bytes([byte]))
        else:
            self.unwritten += data
        if self.server.replies == "one by one":
            self.flush()

    def flush(self) -> None:
        data, self.unwritten = self.unwritten, b""
        self.sock.sendall(data)

    def answer(self, phase: str, usual: str, recipient: str = "") -> bool:
        """Do what the script says; return whether the reply was as positive as the usual one."""
        act = self.server.act(phase, recipient)
        return self.perform(act, usual)

    def perform(self, act: Act, usual: str) -> bool:
        if act.hold:
            self.flush()
            act.hold.wait()
        reply = usual if act.reply is None else act.reply
        if reply:
            self.write(reply)
        if act.close:
            raise _Ended
        return reply.startswith(usual[:1])

    def violation(self, what: str) -> None:
        self.server.violations.append(what)
        self.write(f"503 5.5.1 {what}")
        raise _Ended

    # --- commands ----------------------------------------------------------------------------

    def command(self, line: str) -> None:
        self.server.record_command(self.number, line)
        verb, _, rest = line.partition(" ")
        if self.unread and "PIPELINING" not in self.server.extensions:
            self.violation(f"{self.unread!r} came before the reply to {line!r}")
        handler = getattr(self, f"do_{verb.lower()}", None)
        if handler:
            handler(rest)
        else:
            self.violation(f"unknown command {line!r}")

    def do_ehlo(self, rest: str) -> None:
        server = self.server
        offers = sorted(server.extensions)
        if server.size is not None:
            offers.append(f"SIZE {server.size}")
        if server.tls and not self.encrypted:
            offers.append("STARTTLS")
        if server.users:
            offers.append(f"AUTH {server.auth}")
        self.answer("ehlo", "\n".join(f"250 {line}" for line in ["scripted.test", *offers]))

    def do_helo(self, rest: str) -> None:
        self.answer("ehlo", "250 scripted.test")

    def do_starttls(self, rest: str) -> None:
        if self.answer("starttls", "220 2.0.0 Ready to start TLS"):
            self.wrap()
            self.encrypted = True

    def wrap(self) -> None:
        self.flush()
        assert self.server.tls is not None
        self.sock = self.server.tls.wrap_socket(self.sock, server_side=True)
        self.server.keep(self.sock)

    def do_auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        if mechanism == "PLAIN":
            _, user, password = _text(initial).split("\0")
        else:
            self.write("334 VXNlcm5hbWU6")
            user = _text(self.read_line())
            self.write("334 UGFzc3dvcmQ6")
            password = _text(self.read_line())
        if (self.server.users or {}).get(user) != password:
            self.write("535 5.7.8 Authentication credentials invalid")
        else:
            self.authenticated = self.answer("auth", "235 2.7.0 Authentication successful")

    def do_mail(self, rest: str) -> None:
        limit = self.server.messages_per_connection
        if limit is not None and self.taken >= limit:
            self.perform(closing("mail", "421 4.7.0 Too many messages in this connection"), "")
        address, self.options = _path(rest)
        if not self.authenticated:
            self.write("530 5.7.0 Authentication required")
        elif self.sender is not None:
            self.violation("MAIL within a transaction")
        elif not address.isascii() and "SMTPUTF8" not in self.options:
            self.violation("an address beyond ASCII without SMTPUTF8")
        elif self.answer("mail", "250 2.1.0 Sender OK"):
            self.sender = address

    def do_rcpt(self, rest: str) -> None:
        address, _ = _path(rest)
        if self.sender is None and not self.server.is_lenient:
            self.write("503 5.5.1 MAIL first")
        elif self.answer("rcpt", "250 2.1.5 Recipient OK", address):
            self.recipients.append(address)

    def do_data(self, rest: str) -> None:
        if not self.recipients and self.server.is_lenient:
            self.write("354 End data with <CR><LF>.<CR><LF>")
            if self.read_data():
                self.violation("content without a recipient")
            self.write("554 5.5.1 No valid recipients")
        elif not self.recipients:
            self.write("503 5.5.1 RCPT first")
        elif self.answer("data", "354 End data with <CR><LF>.<CR><LF>", self.recipients[0]):
            if self.server.act("body", self.recipients[0]).close:
                self.receive()
                raise _Ended
            self.take(self.read_data())

    def take(self, data: bytes) -> None:
        act = self.server.act("dot", self.recipients[0])
        sender, recipients = self.sender or "", self.recipients
        self.sender, self.recipients = None, []
        self.taken += 1
        if act.reply is None or act.reply[:1] not in {"4", "5"}:
            answered = act.reply is None or act.reply.startswith("2")
            self.server.record(
                *(
                    Message(sender, recipient, data, time.time(), self.number, answered)
                    for recipient in recipients
                )
            )
        self.perform(act, "250 2.0.0 OK queued")

    def do_rset(self, rest: str) -> None:
        self.sender, self.recipients = None, []
        self.answer("rset", "250 2.0.0 OK")

    def do_noop(self, rest: str) -> None:
        self.write("250 2.0.0 OK")

    def do_quit(self, rest: str) -> None:
        self.answer("quit", "221 2.0.0 Bye")
        raise _Ended


def _path(rest: str) -> tuple[str, str]:
    """Return the address and the options of `FROM:<address> options`."""
    address, _, options = rest.partition("<")[2].partition(">")
    return address, options.strip()


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads; closing alone does not
