"""Hand messages to one next hop by SMTP (RFC 5321), over several connections, by one thread."""

import selectors
import ssl
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from campaigns.sending.line import Job, Line, Lost, malformed, unsuited
from campaigns.sending.outcomes import Cause, Deferred, Outcome, Phase, Scope, classify
from campaigns.sending.outgoing import Outgoing, refusal
from campaigns.sending.session import CONNECT_TIMEOUT, HandoverError, Relay, Session
from campaigns.sending.source import Source

# Seconds of waiting for replies, after which another connection would have been of use.
PATIENCE = 0.005
_NOT_BEGUN = Deferred(scope=Scope.TRANSPORT, cause=Cause.CONNECTION)
OPENING = 8  # connections that are opened at the same time, each by a thread


class SMTPTransport:
    """A way out by SMTP that keeps its connections; for one thread."""

    def __init__(self, relay: Relay, ssl_context: ssl.SSLContext | None = None) -> None:
        self.relay = relay
        self._context = ssl_context
        self._lines: list[Line] = []
        self._opening: set[Future[Session]] = set()
        self._pool: ThreadPoolExecutor | None = None

    def __repr__(self) -> str:
        return f"SMTPTransport({self.relay!r})"

    def send(self, message: Outgoing) -> Outcome:
        """Hand over one message to its one recipient.

        A kept connection that turns out to be closed before MAIL was accepted is replaced by a new
        one without an outcome: nothing had been handed over.
        """
        one = _One(message)
        stopped = self.send_many(one, connections=1)
        return one.outcome or stopped or _NOT_BEGUN

    def send_many(self, source: Source, *, connections: int) -> Deferred | None:
        """Hand over all of a source by at most so many connections; return what stopped it.

        With each answer that waits for the network, one more connection is opened, up to what the
        relay's settings allow: latency costs connections, not time.
        """
        call = _Call(self, source, most=min(connections, self.relay.connections))
        try:
            call.run()
        finally:
            self._lines = call.end()
        return call.stopped

    def close(self) -> None:
        """Leave the next hop; a later `send` connects again."""
        for line in self._lines:
            line.session.leave()
        self._lines = []
        for future in self._opening:
            if not future.cancel() and future.exception() is None:
                future.result().leave()
        self._opening = set()
        if self._pool:
            self._pool.shutdown()
            self._pool = None

    # --- what a call uses ----------------------------------------------------------------------

    def take_lines(self) -> list[Line]:
        lines, self._lines = self._lines, []
        return lines

    def open(self) -> Session:
        """Open a connection.

        :raises HandoverError:
        """
        session = Session(self.relay, self._context)
        session.start()
        return session

    def open_aside(self) -> None:
        """Open another connection, by a thread; `opened` has it when it is there."""
        self._pool = self._pool or ThreadPoolExecutor(OPENING, "smtp-open")
        self._opening.add(self._pool.submit(self.open))

    def opened(self, *, timeout: float) -> list[Future[Session]]:
        """Return the connections whose opening has come to an end."""
        done, self._opening = wait(self._opening, timeout, return_when=FIRST_COMPLETED)
        return list(done)

    @property
    def opening(self) -> int:
        return len(self._opening)


class _One:
    """A source of one message."""

    def __init__(self, message: Outgoing) -> None:
        self._message: Outgoing | None = message
        self.outcome: Outcome | None = None

    def next(self) -> tuple[int, Outgoing] | None:
        message, self._message = self._message, None
        return (0, message) if message else None

    def begin(self, key: int) -> bool:
        return True

    def answer(self, key: int, outcome: Outcome) -> None:
        self.outcome = outcome


class _Call:
    """One `send_many`: its source, its connections, and the loop that serves them."""

    def __init__(self, transport: SMTPTransport, source: Source, *, most: int) -> None:
        self.stopped: Deferred | None = None
        self._transport = transport
        self._relay = transport.relay
        self._source = source
        self._most = most
        self._returned: deque[Job] = deque()  # pulled for a connection that was lost before MAIL
        self._is_exhausted = False
        self._is_over = False  # the source lets nothing more begin
        self._waited = 0.0
        self._selector = selectors.DefaultSelector()
        self._lines: list[Line] = []
        for line in transport.take_lines():
            if line.is_quiet:
                line.work = self
                self._keep(line)
            else:  # closed meanwhile, as a rule: nothing was written on it
                line.session.close()

    def run(self) -> None:
        while self._has_work():
            self._adopt()
            if not self._lines and not (self._has_job() and self._open_first()):
                return
            for line in [line for line in self._lines if line.is_idle]:
                self._guarded(line, Line.start)
            self._serve()

    def end(self) -> list[Line]:
        """Return the connections that can be kept; leave the others."""
        self._selector.close()
        kept = [line for line in self._lines if line.is_idle and not self._is_used_up(line)]
        for line in self._lines:
            if line not in kept[: self._most]:
                line.session.leave()
        return kept[: self._most]

    # --- what lines ask (line.Work) --------------------------------------------------------------

    def pull(self, line: Line) -> Job | None:
        while not (self.stopped or self._is_over or self._is_used_up(line)):
            job = self._returned.popleft() if self._returned else self._next_job()
            if job is None:
                return None
            refused = unsuited(line.session, job.message)
            if not refused:
                return job
            self._source.answer(job.key, refused)
        return None

    def begin(self, job: Job) -> bool:
        self._is_over = not self._source.begin(job.key)
        return not self._is_over

    def answer(self, job: Job, outcome: Outcome) -> None:
        """Tell the source; one whose envelope the transport did not take has no outcome yet."""
        if isinstance(outcome, Deferred) and outcome.scope is Scope.TRANSPORT:
            self.stopped = self.stopped or outcome
            if job.outcome:
                return
        self._source.answer(job.key, outcome)

    def _next_job(self) -> Job | None:
        while not self._is_exhausted:
            found = self._source.next()
            if found is None:
                self._is_exhausted = True
                break
            key, message = found
            refused = refusal(message) or malformed(message)
            if not refused:
                return Job(key, message)
            self._source.answer(key, refused)
        return None

    def _is_used_up(self, line: Line) -> bool:
        return line.begun >= self._relay.messages_per_connection

    # --- the loop --------------------------------------------------------------------------------

    def _has_work(self) -> bool:
        if any(not line.is_idle for line in self._lines):
            return True
        return not (self.stopped or self._is_over) and (
            bool(self._returned) or not self._is_exhausted
        )

    def _has_job(self) -> bool:
        """Whether there is one to connect for."""
        if not self._returned and (job := self._next_job()):
            self._returned.append(job)
        return bool(self._returned)

    def _serve(self) -> None:
        """Wait until a connection can go on, and let it; give up those that wait too long."""
        for line in [line for line in self._lines if line.is_idle]:
            if self._is_used_up(line):
                self._leave(line)
        busy = [line for line in self._lines if not line.is_idle]
        if not busy:
            return
        for key, _ in self._wait(busy):
            if key.data in self._lines:
                self._guarded(key.data, _go_on)
        now = time.monotonic()
        for line in busy:
            if line.deadline <= now and line in self._lines and not line.is_idle:
                self._lose(line, Lost(None, "TimeoutError: timed out"))

    def _wait(self, busy: list[Line]) -> list[tuple[selectors.SelectorKey, int]]:
        for line in busy:
            if line.unsent:
                self._selector.modify(line.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, line)
        before = time.monotonic()
        longest = max(0.0, min(line.deadline for line in busy) - before)
        may_grow = self._may_grow()
        if may_grow or self._transport.opening:
            longest = min(longest, PATIENCE)
        events = self._selector.select(longest)
        for line in busy:
            if line.unsent:
                self._selector.modify(line.sock, selectors.EVENT_READ, line)
        self._waited += time.monotonic() - before
        if may_grow and self._waited >= PATIENCE:
            self._waited = 0.0
            self._transport.open_aside()
        return events

    def _may_grow(self) -> bool:
        opening = self._transport.opening
        has_more = not (self._is_exhausted or self.stopped)
        return has_more and opening < OPENING and len(self._lines) + opening < self._most

    def _guarded(self, line: Line, step: Callable[[Line], None]) -> None:
        try:
            step(line)
        except Lost as lost:
            self._lose(line, lost)
            return
        is_last = line.phase is Phase.DOT
        timeout = self._relay.dot_timeout if is_last else self._relay.timeout
        line.deadline = time.monotonic() + timeout

    def _lose(self, line: Line, lost: Lost) -> None:
        """Drop a connection. What was written and not answered has its outcome by that."""
        phase, text = line.phase, f"{lost.text} (in phase {line.phase.name})"
        self._drop(line)
        if line.current:
            self.answer(line.current, classify(phase, lost.reply_code, text))
            phase = Phase.MAIL
        job = line.envelope
        if job is None or self._is_over:
            return
        if line.was_proven and phase is Phase.MAIL:
            self._returned.append(Job(job.key, job.message))
            return
        job.outcome = job.outcome or classify(phase, lost.reply_code, text)
        self.answer(job, job.outcome)

    # --- connections -----------------------------------------------------------------------------

    def _open_first(self) -> bool:
        """Have a connection; return whether there is one."""
        while self._transport.opening and not self._lines:
            self._adopt(timeout=CONNECT_TIMEOUT)
        if not self._lines:
            try:
                self._join(self._transport.open())
            except HandoverError as stop:
                self._stop(stop)
        return bool(self._lines)

    def _adopt(self, *, timeout: float = 0.0) -> None:
        """Use what was opened meanwhile; where one could not be, there will be no more."""
        if not self._transport.opening:
            return
        for future in self._transport.opened(timeout=timeout):
            try:
                self._join(future.result())
            except HandoverError:
                self._most = max(1, len(self._lines))

    def _stop(self, stop: HandoverError) -> None:
        outcome = classify(stop.phase, stop.reply_code, stop.text)
        if isinstance(outcome, Deferred):
            self.stopped = self.stopped or outcome

    def _join(self, session: Session) -> None:
        self._keep(Line(session, self))

    def _keep(self, line: Line) -> None:
        self._lines.append(line)
        self._selector.register(line.sock, selectors.EVENT_READ, line)

    def _drop(self, line: Line) -> None:
        self._lines.remove(line)
        self._selector.unregister(line.sock)
        line.session.close()

    def _leave(self, line: Line) -> None:
        self._lines.remove(line)
        self._selector.unregister(line.sock)
        line.session.leave()


def _go_on(line: Line) -> None:
    line.flush()
    line.serve()
