"""One connection to a next hop by SMTP (RFC 5321): how it begins, and how it ends."""

import base64
import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

from campaigns.sending.outcomes import Phase
from campaigns.sending.replies import NoReply, Replies

CONNECT_TIMEOUT = 30.0  # a host that does not take a connection by then is not there
QUIT_TIMEOUT = 5.0

_RECEIVE = 8192


class StartTLS(StrEnum):
    """When to use STARTTLS (RFC 3207); WHEN_OFFERED leaves loopback alone."""

    REQUIRED = "required"
    WHEN_OFFERED = "when-offered"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A next hop and how to talk to it; times in seconds (defaults: RFC 5321 §4.5.3.2)."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    implicit_tls: bool = False
    starttls: StartTLS = StartTLS.WHEN_OFFERED
    timeout: float = 300.0
    dot_timeout: float = 600.0
    local_hostname: str = ""
    messages_per_connection: int = 1_000
    connections: int = 10  # of one worker process

    @property
    def is_loopback(self) -> bool:
        return self.host in {"localhost", "::1"} or self.host.startswith("127.")


class HandoverError(Exception):
    """The handing over ended before the next hop took the message.

    `reply_code` is None where no reply could be read: lost connection, time-out, garbage.
    """

    def __init__(self, phase: Phase, reply_code: int | None, text: str) -> None:
        super().__init__(phase, reply_code, text)
        self.phase = phase
        self.reply_code = reply_code
        self.text = text


class Session(smtplib.SMTP):
    """One connection, from the greeting to QUIT; every failure is a `HandoverError` with its phase.

    smtplib understands EHLO's answer; reading replies is our own: strict, bounded, and aware of
    bytes that came before they were asked for.
    """

    ehlo_msg = "EHLO"  # smtplib's own is in lower case

    def __init__(self, relay: Relay, context: ssl.SSLContext | None) -> None:
        super().__init__(local_hostname=relay.local_hostname or _local_hostname())
        self.relay = relay
        self.context = context
        self.phase = Phase.CONNECT
        self.replies = Replies()
        self._encrypted = relay.implicit_tls

    def start(self) -> None:
        """Connect, greet, encrypt and authenticate, as far as the relay's settings ask for it."""
        try:
            self._connect()
            self._expect("2", *self.getreply())
            self._greet()
            self._encrypt()
            self._authenticate()
        except HandoverError:
            self.close()
            raise

    def leave(self) -> None:
        """Say QUIT and close, whatever the next hop makes of it."""
        self.phase = Phase.MAIL
        with suppress(HandoverError):
            self.wire.settimeout(QUIT_TIMEOUT)
            self._command(self.phase, "QUIT", "2")
        self.close()

    def size_limit(self) -> int:
        """Return the largest message that the next hop says it takes, 0 for none (RFC 1870)."""
        limit = self.esmtp_features.get("size", "")
        return int(limit) if limit.isdecimal() else 0

    # --- the session's start -----------------------------------------------------------------

    def _connect(self) -> None:
        relay = self.relay
        timeout = min(relay.timeout, CONNECT_TIMEOUT)
        try:
            sock = socket.create_connection((relay.host, relay.port), timeout)
            self.sock = sock
            # Commands are single writes, and the end of a long message must not wait for Nagle.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(relay.timeout)
        except (OSError, UnicodeError) as error:  # a host name may be no name at all
            raise self._lost(error) from None
        if relay.implicit_tls:
            self._wrap()
            self.phase = Phase.CONNECT

    def _greet(self) -> None:
        self.phase = Phase.EHLO
        code, text = self.ehlo()
        if code in {500, 502}:  # a server from before 1995
            code, text = self.helo()
        self._expect("2", code, text)

    def _encrypt(self) -> None:
        relay = self.relay
        wanted = relay.starttls is StartTLS.REQUIRED or (
            relay.starttls is StartTLS.WHEN_OFFERED and not relay.is_loopback
        )
        if self._encrypted or not wanted:
            return
        self.phase = Phase.TLS
        if self.has_extn("starttls"):
            self._start_tls()
        elif relay.starttls is StartTLS.REQUIRED:
            raise self._stop("The next hop offers no STARTTLS, which is required.")

    def _start_tls(self) -> None:
        self._command(Phase.TLS, "STARTTLS", "2")
        if self.replies.unread:  # written in the clear to be read as if it had been encrypted
            raise self._stop("The next hop wrote more than its reply to STARTTLS.")
        self._wrap()
        self._encrypted = True
        self._greet()  # anew: what was said in the clear does not count (RFC 3207 §4.2)

    def _wrap(self) -> None:
        self.phase = Phase.TLS
        try:
            context = self.context or _default_context()
            self.sock = context.wrap_socket(self.wire, server_hostname=self.relay.host)
        except (OSError, ValueError) as error:
            raise self._lost(error) from None

    def _authenticate(self) -> None:
        relay = self.relay
        if not relay.user:
            return
        self.phase = Phase.AUTH
        if not (self._encrypted or relay.is_loopback or relay.starttls is StartTLS.NEVER):
            raise self._stop("The next hop offers no STARTTLS; a password is not sent in clear.")
        offered = self.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in offered:
            secret = f"\0{relay.user}\0{relay.password}"
            self._command(Phase.AUTH, f"AUTH PLAIN {_base64(secret)}", "2")
        elif "LOGIN" in offered:
            self._command(Phase.AUTH, "AUTH LOGIN", "3")
            self._command(Phase.AUTH, _base64(relay.user), "3")
            self._command(Phase.AUTH, _base64(relay.password), "2")
        else:
            raise self._stop("The next hop offers neither AUTH PLAIN nor AUTH LOGIN.")

    # --- commands and replies ----------------------------------------------------------------

    def _command(self, phase: Phase, line: str, wanted: str) -> tuple[int, str]:
        """Write one line and read its reply; any other first digit than wanted stops."""
        self.phase = phase
        self._refuse_early_reply()
        self.send(line.encode() + b"\r\n")
        return self._expect(wanted, *self.getreply())

    def _expect(self, wanted: str, code: int, text: bytes) -> tuple[int, str]:
        reply = text.decode("utf-8", "replace")
        if str(code)[0] == wanted:
            return code, reply
        if str(code)[0] in "45":
            raise HandoverError(self.phase, code, reply)
        raise self._stop(f"The next hop gave a reply out of turn: {code} {reply}")

    def _refuse_early_reply(self) -> None:
        # A reply that waits here would be taken for the answer to what is written next.
        if self.replies.unread:
            early = self.replies.unread.decode("utf-8", "replace")
            code = 421 if early.startswith("421") else None
            raise HandoverError(self.phase, code, f"The next hop spoke out of turn: {early}")

    def send(self, s: Any) -> None:
        """Write all bytes (smtplib's own loses the reason of a failure).

        :raises HandoverError:
        """
        try:
            self.wire.sendall(s.encode() if isinstance(s, str) else s)
        except OSError as error:
            raise self._lost(error) from None

    def getreply(self) -> tuple[int, bytes]:
        """Read one reply, lines joined by a line feed.

        :raises HandoverError:
        """
        try:
            while not (reply := self.replies.next()):
                self.replies.feed(self._receive())
        except NoReply as error:
            raise self._stop(str(error)) from None
        return reply

    def _receive(self) -> bytes:
        try:
            data = self.wire.recv(_RECEIVE)
        except OSError as error:
            raise self._lost(error) from None
        if not data:
            raise self._stop("The next hop closed the connection.")
        return data

    @property
    def wire(self) -> socket.socket:
        if self.sock is None:
            raise self._stop("The connection is closed.")
        return self.sock

    def _lost(self, error: Exception) -> HandoverError:
        return self._stop(f"{type(error).__name__}: {error}")

    def _stop(self, text: str) -> HandoverError:
        return HandoverError(self.phase, None, f"{text} (in phase {self.phase.name})")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@cache
def _default_context() -> ssl.SSLContext:
    return ssl.create_default_context()  # reads all root certificates: some 20 ms


@cache
def _local_hostname() -> str:
    """Return this host's name as smtplib finds it; the look-up may be slow, so once a process."""
    return str(smtplib.SMTP().local_hostname)
