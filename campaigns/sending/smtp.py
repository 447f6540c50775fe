"""Hand messages to one next hop by SMTP (RFC 5321), over several connections, by one thread."""

import logging
import selectors
import ssl
import time
from collections import deque
from collections.abc import Callable
from math import inf

from campaigns.sending.aside import OPENING, Aside
from campaigns.sending.line import Job, Line, Lost, malformed, unsuited
from campaigns.sending.outcomes import Cause, Deferred, Outcome, Phase, Scope, classify
from campaigns.sending.outgoing import Outgoing, refusal
from campaigns.sending.session import CONNECT_TIMEOUT, HandoverError, Relay
from campaigns.sending.source import Source

# Seconds of waiting for replies, after which another connection would have been of use.
PATIENCE = 0.005
# A shorter wait is the next hop's own work on this machine, which more connections do not hasten
# (two let it work while this process does).
NEXT_HOP_WORKS = 0.0002

_NOT_BEGUN = Deferred(scope=Scope.TRANSPORT, cause=Cause.CONNECTION)
_READ_AND_WRITE = selectors.EVENT_READ | selectors.EVENT_WRITE

logger = logging.getLogger(__name__)


class SMTPTransport:
    """A way out by SMTP that keeps its connections; for one thread."""

    def __init__(self, relay: Relay, ssl_context: ssl.SSLContext | None = None) -> None:
        self.relay = relay
        self._aside = Aside(relay, ssl_context)
        self._kept: list[Line] = []

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

        Where replies are waited for, one more connection is opened, up to what the relay's settings
        allow: latency costs connections, not time.
        """
        most = min(connections, self.relay.connections)
        kept, self._kept = self._kept, []
        call = _Call(self.relay, source, self._aside, kept, most=most)
        try:
            call.run()
        except BaseException:
            call.cut()
            raise
        self._kept = call.end()
        if call.failure:
            raise call.failure
        return call.stopped

    def close(self) -> None:
        """Leave the next hop; a later `send` connects again."""
        for line in self._kept:
            self._aside.leave(line.session)
        self._kept = []
        self._aside.close()


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

    def __init__(
        self, relay: Relay, source: Source, aside: Aside, kept: list[Line], *, most: int
    ) -> None:
        self.stopped: Deferred | None = None
        self.failure: Exception | None = None  # of the source
        self._relay = relay
        self._source = source
        self._aside = aside
        self._most = most
        self._returned: deque[Job] = deque()  # pulled for a connection that was lost before MAIL
        self._is_exhausted = False
        self._is_over = False  # the source lets nothing more begin
        self._waited = 0.0
        self._look_at = inf  # the first time at which a connection may have waited too long
        self._selector = selectors.DefaultSelector()
        self._idle: list[Line] = []
        self._busy: dict[Line, int] = {}  # with the events that are waited for
        for line in kept:
            if line.is_quiet:
                line.work = self
                self._keep(line)
            else:  # closed meanwhile, as a rule: nothing was written on it
                line.session.close()

    def run(self) -> None:
        while self._has_work():
            self._adopt()
            if not self._count and not (self._has_job() and self._open_first()):
                return
            for line in self._idle[:]:
                self._guarded(line, Line.start)
            self._leave_used_up()
            if self._busy:
                self._serve()

    def end(self) -> list[Line]:
        """Return the connections that can be kept; leave the others."""
        self._leave_used_up()
        self._selector.close()
        for line in self._idle[self._most :]:
            self._aside.leave(line.session)
        return self._idle[: self._most]

    def cut(self) -> None:
        """End all connections where they stand."""
        self._selector.close()
        for line in (*self._idle, *self._busy):
            line.session.close()

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
        try:
            self._is_over = not self._source.begin(job.key)
        except Exception as error:  # noqa: BLE001 - `send_many` raises it in the end
            self.failure, self._is_over = error, True
        return not self._is_over

    def answer(self, job: Job, outcome: Outcome) -> None:
        """Tell the source; one whose envelope the transport did not take has no outcome yet."""
        if isinstance(outcome, Deferred) and outcome.scope is Scope.TRANSPORT:
            self.stopped = self.stopped or outcome
            if job.outcome:
                return
        self._source.answer(job.key, outcome)

    def _next_job(self) -> Job | None:
        while found := self._next():
            key, message = found
            refused = refusal(message) or malformed(message)
            if not refused:
                return Job(key, message)
            self._source.answer(key, refused)
        return None

    def _next(self) -> tuple[int, Outgoing] | None:
        """Ask the source; if that fails, what is on its way is to be answered first."""
        if self._is_exhausted:
            return None
        found = None
        try:
            found = self._source.next()
        except Exception as error:  # noqa: BLE001 - `send_many` raises it in the end
            self.failure = error
        self._is_exhausted = found is None
        return found

    def _is_used_up(self, line: Line) -> bool:
        return line.begun >= self._relay.messages_per_connection

    # --- the loop --------------------------------------------------------------------------------

    def _has_work(self) -> bool:
        if self._busy:
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
        for key, _ in self._wait():
            self._guarded(key.data, _go_on)
        now = time.monotonic()
        if self._look_at > now:
            return
        for line in [line for line in self._busy if line.deadline <= now]:
            self._lose(line, Lost(None, "TimeoutError: timed out"))
        self._look_at = min((line.deadline for line in self._busy), default=inf)

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        before = time.monotonic()
        longest = max(0.0, self._look_at - before)
        may_grow = self._may_grow()
        if may_grow or self._aside.opening:
            longest = min(longest, PATIENCE)
        events = self._selector.select(longest)
        waited = time.monotonic() - before
        if may_grow and (waited > NEXT_HOP_WORKS or self._count == 1):
            self._waited += waited
            if self._waited >= PATIENCE:
                self._waited = 0.0
                self._aside.open()
        return events

    @property
    def _count(self) -> int:
        return len(self._idle) + len(self._busy)

    def _may_grow(self) -> bool:
        if self._is_exhausted or self.stopped:
            return False
        opening = self._aside.opening
        return opening < OPENING and self._count + opening < self._most

    def _guarded(self, line: Line, step: Callable[[Line], None]) -> None:
        try:
            step(line)
        except Lost as lost:
            self._lose(line, lost)
        else:
            self._file(line)

    def _file(self, line: Line) -> None:
        """Note what a connection waits for, and until when."""
        if line.is_idle:
            if self._busy.pop(line, None):
                self._idle.append(line)
            return
        is_last = line.phase is Phase.DOT
        timeout = self._relay.dot_timeout if is_last else self._relay.timeout
        line.deadline = time.monotonic() + timeout
        self._look_at = min(self._look_at, line.deadline)
        wanted = _READ_AND_WRITE if line.unsent else selectors.EVENT_READ
        before = self._busy.get(line)
        if before is None:
            self._idle.remove(line)
        if wanted != (before or selectors.EVENT_READ):
            self._selector.modify(line.sock, wanted, line)
        self._busy[line] = wanted

    def _lose(self, line: Line, lost: Lost) -> None:
        """Drop a connection. What was written and not answered has its outcome by that."""
        phase, text = line.phase, f"{lost.text} (in phase {line.phase.name})"
        self._forget(line)
        line.session.close()
        if line.current:
            self.answer(line.current, classify(phase, lost.reply_code, text))
        job = line.envelope
        if job is None or self._is_over:
            return
        if line.was_proven and line.is_before_mail:
            self._returned.append(Job(job.key, job.message))
            return
        job.outcome = job.outcome or classify(phase, lost.reply_code, text)
        self.answer(job, job.outcome)

    # --- connections -----------------------------------------------------------------------------

    def _open_first(self) -> bool:
        """Have a connection; return whether there is one."""
        while self._aside.opening and not self._count:
            self._adopt(timeout=CONNECT_TIMEOUT)
        if not self._count:
            try:
                self._keep(Line(self._aside.open_now(), self))
            except HandoverError as stop:
                self._stop(stop)
        return bool(self._count)

    def _adopt(self, *, timeout: float = 0.0) -> None:
        """Use what was opened meanwhile; where one could not be, there will be no more."""
        if not self._aside.opening:
            return
        for future in self._aside.opened(timeout=timeout):
            try:
                self._keep(Line(future.result(), self))
            except HandoverError as stop:
                self._most = max(1, self._count)
                logger.warning("The next hop took no connection beside %d: %s", self._count, stop)

    def _stop(self, stop: HandoverError) -> None:
        outcome = classify(stop.phase, stop.reply_code, stop.text)
        if isinstance(outcome, Deferred):
            self.stopped = self.stopped or outcome

    def _keep(self, line: Line) -> None:
        self._idle.append(line)
        self._selector.register(line.sock, selectors.EVENT_READ, line)

    def _forget(self, line: Line) -> None:
        self._selector.unregister(line.sock)
        if not self._busy.pop(line, None):
            self._idle.remove(line)

    def _leave_used_up(self) -> None:
        for line in [line for line in self._idle if self._is_used_up(line)]:
            self._forget(line)
            self._aside.leave(line.session)


def _go_on(line: Line) -> None:
    line.serve()  # first: what is refused before its end is not written on
    line.flush()
