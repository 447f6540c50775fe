"""The transactions of one SMTP connection: what was written, and which replies are owed, in order.

With PIPELINING (RFC 2920) the end of a message and the envelope of the next one are one write, so a
message costs one round trip. Without it, commands go one by one.
"""

import ssl
from collections import deque
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Protocol

from campaigns.sending.outcomes import Outcome, Phase, Rejected, SpeaksOf, classify
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.replies import NoReply
from campaigns.sending.session import Session
from recipients.recognising import kept

_RECEIVE = 65_536
_SHUTTING = 421


class Lost(Exception):
    """A connection ended, or cannot be used any more; `reply_code` is None without a reply."""

    def __init__(self, reply_code: int | None, text: str) -> None:
        super().__init__(reply_code, text)
        self.reply_code = reply_code
        self.text = text


@dataclass(slots=True)
class Job:
    """A message and its key; `outcome` once it is known that its content will not be written."""

    key: int
    message: Outgoing
    outcome: Outcome | None = None


class _Owed(IntEnum):
    """A reply that is waited for; END is that to an empty message, after a refused envelope."""

    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    DOT = auto()
    RSET = auto()
    END = auto()


_PHASES = {
    _Owed.MAIL: Phase.MAIL,
    _Owed.RCPT: Phase.RCPT,
    _Owed.DATA: Phase.DATA,
    _Owed.DOT: Phase.DOT,
    _Owed.RSET: Phase.MAIL,
    _Owed.END: Phase.MAIL,
}
_BEFORE_MAIL = frozenset({_Owed.DOT, _Owed.END, _Owed.RSET, _Owed.MAIL})
_ENVELOPE = (_Owed.MAIL, _Owed.RCPT, _Owed.DATA)


class Work(Protocol):
    """What a line works for."""

    def pull(self, line: "Line") -> Job | None:
        """Return the next message for this line; asked when an envelope can be written."""

    def begin(self, job: Job) -> bool:
        """Is asked before the content of a job is written; False forbids it."""

    def answer(self, job: Job, outcome: Outcome) -> None:
        """Is told what became of a job."""


class Line:
    """One connection, written to and read from without waiting."""

    def __init__(self, session: Session, work: Work) -> None:
        self.session = session
        self.work = work
        self.sock = session.wire
        self.taken = 0  # transactions that came to an end
        self.begun = 0  # and those that were begun
        self.current: Job | None = None  # its content was written, or is being written
        self.envelope: Job | None = None  # its envelope was
        self.unsent: bytes | memoryview = b""
        self._later: deque[bytes | memoryview] = deque()  # is unsent as well; the last are bytes
        self.deadline = 0.0
        self._pipelining = session.has_extn("pipelining")
        self._owed: deque[_Owed] = deque()
        self._taking: _Owed | None = None  # the one whose reply was read
        self._behind_dot = 0  # bytes that were written behind it
        self._commands: deque[tuple[_Owed, bytes]] = deque()  # of the envelope, yet to be written
        self._needs_reset = False
        self._replies = session.replies
        self._has_size = session.has_extn("size")
        self.sock.setblocking(False)

    @property
    def is_idle(self) -> bool:
        return not (self._owed or self.unsent)

    @property
    def is_quiet(self) -> bool:
        """Nothing has come that was not asked for, not even the end."""
        try:
            self._receive()
        except Lost:
            return False
        return not self._replies.unread

    @property
    def was_proven(self) -> bool:
        """The next hop has answered for a message on it."""
        return self.taken > 0 or self.current is not None

    @property
    def phase(self) -> Phase:
        """Where the connection stands: at the reply that it reads, or waits for."""
        owed = self._reading
        if owed is _Owed.DOT and self._is_dot_unsent:
            return Phase.DATA
        return _PHASES[owed]

    @property
    def is_before_mail(self) -> bool:
        """No answer to MAIL has come for the envelope that was written."""
        return self._reading in _BEFORE_MAIL

    @property
    def _reading(self) -> _Owed:
        return self._taking or (self._owed[0] if self._owed else _Owed.MAIL)

    @property
    def _is_dot_unsent(self) -> bool:
        return bool(self._later) or len(self.unsent) > self._behind_dot

    # --- writing -----------------------------------------------------------------------------

    def start(self) -> None:
        """Write the envelope of a message, if there is one.

        :raises Lost:
        """
        if envelope := self._next_envelope():
            if early := self._replies.unread:
                raise _out_of_turn(early.decode("utf-8", "replace"))
            self._write(envelope)

    def flush(self) -> None:
        """Write what the socket takes now.

        :raises Lost:
        """
        try:
            while self.unsent:
                self.unsent = self.unsent[self.sock.send(self.unsent) :]
                if self._later and not self.unsent:
                    self.unsent = self._later.popleft()
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError as error:
            raise Lost(None, f"{type(error).__name__}: {error}") from None

    def _write(self, data: bytes) -> None:
        if self._later:
            self._later[-1] = bytes(self._later[-1]) + data
        else:
            self.unsent = bytes(self.unsent) + data if self.unsent else data
        self.flush()

    def _next_envelope(self) -> bytes:
        """Return what is to be written for the next message, or nothing."""
        job = self.work.pull(self)
        if job is None:
            return b""
        self.envelope = job
        self.begun += 1
        message = job.message
        mail = f"MAIL FROM:<{message.envelope_sender}>{self._options(message)}\r\n".encode()
        commands = (mail, f"RCPT TO:<{message.recipient}>\r\n".encode(), b"DATA\r\n")
        reset = b""
        if self._needs_reset:
            self._needs_reset = False
            reset = b"RSET\r\n"
        if self._pipelining:
            if reset:
                self._owed.append(_Owed.RSET)
            self._owed.extend(_ENVELOPE)
            return reset + b"".join(commands)
        self._commands.extend(zip(_ENVELOPE, commands, strict=True))
        if reset:
            self._commands.appendleft((_Owed.RSET, reset))
        return self._next_command()

    def _next_command(self) -> bytes:
        if not self._commands:
            return b""
        owed, command = self._commands.popleft()
        self._owed.append(owed)
        return command

    def _options(self, message: Outgoing) -> str:
        options = f" SIZE={message.size}" if self._has_size else ""
        if not message.data.isascii():
            options += " BODY=8BITMIME"
        if not _is_ascii(message):
            options += " SMTPUTF8"
        return options

    def _write_content(self, job: Job) -> None:
        """Write the message whose DATA was answered, and with it the envelope of the next one.

        The next one is composed first: should that end the process, this one was not begun.
        """
        self.envelope = None
        following = self._next_envelope_behind_content()
        if not self.work.begin(job):
            raise Lost(None, "The time to write it was over.")
        self.current = job
        self._taking = None  # from here on, it is the answer to the dot that is waited for
        self._behind_dot = len(following)
        message = job.message
        if message.tail:
            self._write_in_parts(message, b".\r\n" + following)
            return
        content = message.data + b".\r\n" if message.is_well_formed else stuffed(message.data)
        self._write(content + following)

    def _write_in_parts(self, message: Outgoing, end: bytes) -> None:
        """Write a message whose tail is megabytes that many have: they are not copied."""
        self.unsent = bytes(self.unsent) + message.data
        self._later.extend((memoryview(message.tail), end))
        self.flush()

    def _next_envelope_behind_content(self) -> bytes:
        self._owed.append(_Owed.DOT)
        return self._next_envelope() if self._pipelining else b""

    # --- reading -----------------------------------------------------------------------------

    def serve(self) -> None:
        """Read what has come, and go on as far as that allows.

        :raises Lost:
        """
        self._receive()
        while reply := self._next_reply():
            code, text = reply
            if not self._owed:
                raise _out_of_turn(f"{code} {text}")
            self._taking = self._owed.popleft()
            self._take(self._taking, code, text)
            if code == _SHUTTING:
                raise Lost(code, text)
            self._taking = None
        if self._commands and not self._owed:
            self._write(self._next_command())

    def _next_reply(self) -> tuple[int, str] | None:
        try:
            reply = self._replies.next()
        except NoReply as error:
            raise Lost(None, str(error)) from None
        return (reply[0], reply[1].decode("utf-8", "replace")) if reply else None

    def _take(self, owed: _Owed, code: int, text: str) -> None:
        if owed is _Owed.DOT:
            self._take_dot(code, text)
        elif owed is _Owed.DATA:
            self._take_data(code, text)
        elif owed is _Owed.RSET:
            if code // 100 != 2:
                raise Lost(None, f"The next hop could not be reset: {code} {text}")
        elif owed is not _Owed.END and code // 100 != 2:
            self._refused(owed, code, text)
        elif owed is _Owed.RCPT and self.envelope and self.envelope.outcome:
            raise Lost(None, f"The next hop took a recipient without a sender: {code} {text}")

    def _take_dot(self, code: int, text: str) -> None:
        is_early = self._is_dot_unsent
        if code // 100 == 3 or (code // 100 == 2 and is_early):
            raise Lost(None, f"The next hop gave a reply out of turn: {code} {text}")
        job, self.current = self.current, None
        self.taken += 1
        if job:
            self.work.answer(job, classify(Phase.DOT, code, text))
        if is_early:  # it might read what is left of the content as commands
            raise Lost(None, "The next hop refused a message before its end.")

    def _take_data(self, code: int, text: str) -> None:
        job = self.envelope
        if job is None:
            return
        if code // 100 == 3 and self._replies.unread:
            # What came with it would be taken for the answer to the content.
            raise Lost(None, f"The next hop spoke out of turn after {code} {text}")
        if code // 100 == 3 and job.outcome is None:
            self._write_content(job)
            return
        if code // 100 == 3:
            # It wants the message of an envelope that it refused: an empty one (RFC 2920 3.1).
            self._owed.append(_Owed.END)
            self._write(b".\r\n")
        else:
            self._refused(_Owed.DATA, code, text)
        self._give_up()

    def _refused(self, owed: _Owed, code: int, text: str) -> None:
        """Note why the envelope was refused; a reply after the first such one says nothing more."""
        if code // 100 not in {4, 5}:
            raise Lost(None, f"The next hop gave a reply out of turn: {code} {text}")
        job = self.envelope
        if job is None or job.outcome:
            return
        job.outcome = classify(self.phase, code, text)
        self._needs_reset = owed is not _Owed.MAIL
        if code == _SHUTTING:
            return  # the loss that follows says the rest
        if not self._pipelining:
            self._commands.clear()
            self._give_up()

    def _give_up(self) -> None:
        job, self.envelope = self.envelope, None
        if job and job.outcome:
            self.taken += 1
            self.work.answer(job, job.outcome)

    def _receive(self) -> None:
        while True:
            try:
                data = self.sock.recv(_RECEIVE)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                raise Lost(None, f"{type(error).__name__}: {error}") from None
            if not data:
                if self._replies.has_line:
                    return  # what came with the end is read first: a 421, as a rule
                raise Lost(None, "The next hop closed the connection.")
            self._replies.feed(data)
            sock = self.sock
            if not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
                return  # what the kernel has beyond that, the next look at it tells of


def _out_of_turn(text: str) -> Lost:
    code = _SHUTTING if text.startswith(str(_SHUTTING)) else None
    return Lost(code, f"The next hop spoke out of turn: {text[:200]}")


def stuffed(data: bytes) -> bytes:
    """Return the data as it goes over the wire: dots doubled, ended by a dot (RFC 5321 4.5.2)."""
    data = data.replace(b"\r\n.", b"\r\n..")
    start = b"." if data.startswith(b".") else b""
    end = b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"
    return start + data + end


_TOO_LARGE = kept("The message has %(size)s bytes; the next hop takes %(limit)s at most.")
_NO_SMTPUTF8 = kept("The address needs SMTPUTF8, which the next hop does not offer.")
_NO_8BITMIME = kept("The message is not 7-bit, and the next hop does not offer 8BITMIME.")
_BAD_LINE_END = kept("The message has a line end other than CRLF.")


def unsuited(session: Session, message: Outgoing) -> Rejected | None:
    """Return why this next hop cannot take this message, by what it offers, or None."""
    limit = session.size_limit()
    if limit and message.size > limit:
        size = message.size
        return Rejected(
            enhanced_status_code="5.3.4",
            diagnostic=_TOO_LARGE % {"size": size, "limit": limit},
        )
    if not _is_ascii(message) and not session.has_extn("smtputf8"):
        return Rejected(
            enhanced_status_code="5.6.7",
            diagnostic=_NO_SMTPUTF8,
            speaks_of=SpeaksOf.RECIPIENT,
        )
    if not message.data.isascii() and not session.has_extn("8bitmime"):
        return Rejected(
            enhanced_status_code="5.6.3",
            diagnostic=_NO_8BITMIME,
        )
    return None


def malformed(message: Outgoing) -> Rejected | None:
    """Return why this is no message that can be written, or None.

    Hosts differ in what ends a line, which is how one message becomes two (RFC 5321 2.3.8).
    """
    if message.is_well_formed:
        return None
    data = message.data
    if data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r"):
        return None
    return Rejected(enhanced_status_code="5.6.0", diagnostic=_BAD_LINE_END)


def _is_ascii(message: Outgoing) -> bool:
    return message.envelope_sender.isascii() and message.recipient.isascii()
