"""Mailboxes of tests: small IMAP and POP3 servers on loopback, which misbehave as they are told.

    with IMAPServer([message]) as server:
        poll(server.address)
        assert server.messages == []

`answers` maps a command to what is said instead of doing it; "" closes the connection.
"""

import base64
import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterable
from typing import Any, Self

USER, PASSWORD = "bounces@example.org", 'p,4"s\\s/ö'


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    scheme = ""
    handler: type[socketserver.BaseRequestHandler]

    def __init__(
        self,
        messages: Iterable[bytes] = (),
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        answers: dict[str, str] | None = None,
        extensions: str = "AUTH=PLAIN UIDPLUS",
        uid_behind: bool = False,
        hold: threading.Event | None = None,
    ) -> None:
        self.kept = dict(enumerate(messages, start=11))
        self.tls, self.implicit = tls, implicit
        self.answers = answers or {}
        self.extensions = extensions
        self.uid_behind = uid_behind
        self.hold = hold  # before anything is deleted
        self.commands: list[str] = []
        self.asked = threading.Event()  # for the first deletion
        super().__init__(("127.0.0.1", 0), self.handler)

    @property
    def messages(self) -> list[bytes]:
        return list(self.kept.values())

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is what some tests are about."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class _Connection(socketserver.StreamRequestHandler):
    server: Any
    timeout = 30

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.server.implicit:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def encrypt(self) -> None:
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def say(self, line: str | bytes) -> None:
        self.wfile.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def read(self) -> str:
        line = self.rfile.readline()
        if not line:
            raise ConnectionError
        return line.decode().rstrip("\r\n")

    def wait(self) -> None:
        self.server.asked.set()
        if self.server.hold:
            self.server.hold.wait(30)


class _IMAP(_Connection):
    def handle(self) -> None:
        self.say(f"* OK [CAPABILITY IMAP4rev1 STARTTLS {self.server.extensions}] ready")
        self.flagged: set[int] = set()
        while True:
            tag, _, command = self.read().partition(" ")
            self.server.commands.append(command)
            name = command.removeprefix("UID ").split()[0]
            if name in self.server.answers:
                answer = self.server.answers[name]
                if not answer:
                    return
                self.say(answer.replace("TAG", tag))
                continue
            getattr(self, name.lower())(command)
            self.say(f"{tag} OK done")
            if name == "STARTTLS":
                self.encrypt()
            if name == "LOGOUT":
                return

    def capability(self, command: str) -> None:
        self.say(f"* CAPABILITY IMAP4rev1 STARTTLS {self.server.extensions}")

    def starttls(self, command: str) -> None:
        pass

    def login(self, command: str) -> None:
        assert command == f'LOGIN "{USER}" "secret"', command

    def authenticate(self, command: str) -> None:
        self.say("+ ")
        assert base64.b64decode(self.read()).decode() == f"\0{USER}\0{PASSWORD}"

    def select(self, command: str) -> None:
        self.say(f"* {len(self.server.kept)} EXISTS")

    def fetch(self, command: str) -> None:
        if command.startswith("UID"):
            self.bodies(command)
            return
        last = int(re.findall(r"1:(\d+)", command)[0])
        for number, (uid, raw) in enumerate(list(self.server.kept.items())[:last], start=1):
            self.say(f"* {number} FETCH (UID {uid} RFC822.SIZE {len(raw)})")

    def uid(self, command: str) -> None:
        raise AssertionError(command)

    def bodies(self, command: str) -> None:
        limit = int(re.findall(r"<0\.(\d+)>", command)[0])
        for number, uid in enumerate(self.uids(command), start=1):
            raw = self.server.kept[uid][:limit]
            before, behind = ("", f" UID {uid}") if self.server.uid_behind else (f"UID {uid} ", "")
            self.say(f"* {number} FETCH ({before}BODY[]<0> {{{len(raw)}}}")
            self.wfile.write(raw)
            self.say(f"{behind})")

    def store(self, command: str) -> None:
        self.wait()
        self.flagged |= set(self.uids(command))

    def expunge(self, command: str) -> None:
        named = set(self.uids(command)) if command.startswith("UID") else self.flagged
        for uid in named & self.flagged:
            self.server.kept.pop(uid, None)

    def logout(self, command: str) -> None:
        self.say("* BYE")

    def uids(self, command: str) -> list[int]:
        return [
            int(each) for each in command.split()[2].split(",") if int(each) in self.server.kept
        ]


class IMAPServer(_Server):
    handler = _IMAP


class _POP3(_Connection):
    def handle(self) -> None:
        self.say("+OK ready")
        self.listed = list(self.server.kept)
        self.deleted: list[int] = []
        while True:
            command = self.read()
            self.server.commands.append(command)
            name, _, argument = command.partition(" ")
            if name in self.server.answers:
                if not self.server.answers[name]:
                    return
                self.say(self.server.answers[name])
                continue
            getattr(self, name.lower())(argument)
            if name == "QUIT":
                return

    def stls(self, argument: str) -> None:
        self.say("+OK")
        self.encrypt()

    def user(self, argument: str) -> None:
        assert argument == USER
        self.say("+OK")

    def capa(self, argument: str) -> None:
        self.say("+OK\r\nSTLS\r\n.")

    def list(self, argument: str) -> None:
        self.say("+OK")
        for number, uid in enumerate(self.listed, start=1):
            self.say(f"{number} {len(self.server.kept[uid])}")
        self.say(".")

    def retr(self, argument: str) -> None:
        self.say("+OK")
        raw = self.server.kept[self.listed[int(argument) - 1]].removesuffix(b"\r\n")
        for line in raw.split(b"\r\n"):
            self.say(b"." + line if line.startswith(b".") else line)
        self.say(".")

    def dele(self, argument: str) -> None:
        self.wait()
        self.deleted.append(self.listed[int(argument) - 1])
        self.say("+OK")

    def quit(self, argument: str) -> None:
        for uid in self.deleted:
            self.server.kept.pop(uid, None)
        self.say("+OK")


def _pass(self: _POP3, argument: str) -> None:
    assert argument == PASSWORD, argument
    self.say("+OK")


setattr(_POP3, "pass", _pass)  # a word of Python's


class POP3Server(_Server):
    handler = _POP3
