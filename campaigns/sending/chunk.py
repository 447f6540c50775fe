"""A chunk on its way: what a transport pulls from, and where it tells what became of each."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

from campaigns.sending.claim import Claim, Claimed, still_allowed
from campaigns.sending.hopeless import Failures
from campaigns.sending.journal import Journal
from campaigns.sending.mailing import Mailing, NotComposed
from campaigns.sending.outcomes import Outcome, Rejected
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.record import Result

Clock = Callable[[], datetime]

# Asked three times a message: Django's, which looks into the settings, takes four times as long.
utc_now: Clock = partial(datetime.now, UTC)

# Messages that are composed at a time. One by one, between sockets, they would take a fifth more:
# what the processor has at hand for the one and for the other would be gone each time.
AHEAD = 32
LOOK_AGAIN = timedelta(seconds=1)  # how long a permission to mail is taken for granted


class _Ready(NamedTuple):
    """A message that is composed; none of its bytes is written."""

    delivery: Claimed
    message: Outgoing
    message_id: str


class _Refused(NamedTuple):
    """A delivery without a message; told in its turn, for one before it may give hope."""

    delivery: Claimed
    outcome: Rejected


class Chunk:
    """The claimed deliveries of a run, composed some ahead (a `transports.Source`).

    Nothing begins after the claim's time, and a worker that slept too long sends nothing. Whoever
    leaves, and a run that is paused, is heeded within `LOOK_AGAIN`.
    """

    def __init__(
        self, run_id: int, claimed: Claim, mailing: Mailing, journal: Journal, clock: Clock
    ) -> None:
        self.run_id = run_id
        self._act_until = claimed.act_until
        self._valid_until = claimed.valid_until
        self._mailing = mailing
        self._journal = journal
        self._clock = clock
        self._waiting = deque(claimed.deliveries)
        self._ready: deque[_Ready | _Refused] = deque()
        self._pulled: dict[int, _Ready] = {}  # not begun yet
        self._begun: dict[int, _Ready] = {}
        self._allowed = {one.id for one in claimed.deliveries if one.fields is not None}
        self._note_look(clock())
        self._room = len(self._waiting)
        self.answers: list[tuple[str, Outcome]] = []
        self.failures = Failures()
        self._is_hopeless = False

    @property
    def left(self) -> int:
        """How many have not begun."""
        return len(self._waiting) + len(self._ready) + len(self._pulled)

    def again(self, *, room: int) -> None:
        """Begin anew with another transport, which takes `room` messages: what was pulled waits."""
        self._ready.extendleft(reversed(self._pulled.values()))
        self._pulled.clear()
        self._room = room
        self.answers = []

    def next(self) -> tuple[int, Outgoing] | None:
        """Return the next message with its delivery's id; None where there is no other one."""
        while self._room and not self._is_hopeless:
            now = self._clock()
            if self._is_over(now, until=self._act_until):
                self._waiting.clear()
                self._ready.clear()
                break
            if now >= self._look_at:
                self._look_again(now)
            if not (self._ready or self._compose_ahead(now)):
                break
            ready = self._ready.popleft()
            key = ready.delivery.id
            if key not in self._allowed:
                continue
            if isinstance(ready, _Refused):
                self._conclude(ready.delivery, "", ready.outcome)
                continue
            self._room -= 1
            self._pulled[key] = ready
            return key, ready.message
        return None

    def begin(self, key: int) -> bool:
        """Note that the content of this message is about to be written, unless it may not be."""
        now = self._clock()
        if self._is_over(now, until=self._valid_until):
            return False
        if now >= self._look_at:
            self._look_again(now)
        if key not in self._allowed:
            return False
        self._journal.begin(key, self._pulled[key].message_id)
        self._begun[key] = self._pulled.pop(key)
        return True

    def answer(self, key: int, outcome: Outcome) -> None:
        """Note what became of this message."""
        known = self._begun if key in self._begun else self._pulled
        delivery, _, message_id = known.pop(key)
        self._conclude(delivery, message_id, outcome)
        self.answers.append((delivery.address, outcome))

    def _conclude(self, delivery: Claimed, message_id: str, outcome: Outcome) -> None:
        self._journal.answer(Result(delivery.id, delivery.attempts, message_id, outcome))
        self._is_hopeless = self.failures.note(outcome)

    def _is_over(self, now: datetime, *, until: datetime) -> bool:
        """Whether the time is over, or nobody can tell: the clock was set back."""
        return now >= until or now < self._not_before

    def _look_again(self, now: datetime) -> None:
        # Also those that were pulled: where the transport ends, they come back.
        composed = [*self._pulled, *(one.delivery.id for one in self._ready)]
        waiting = [delivery.id for delivery in self._waiting]
        self._allowed = still_allowed(self.run_id, composed + waiting, now=now)
        self._note_look(now)

    def _note_look(self, now: datetime) -> None:
        self._look_at, self._not_before = now + LOOK_AGAIN, now - LOOK_AGAIN

    def _compose_ahead(self, now: datetime) -> bool:
        """Compose the next messages; return whether there is one."""
        while self._waiting and len(self._ready) < AHEAD:
            delivery = self._waiting.popleft()
            if delivery.id in self._allowed:
                self._compose(delivery, now=now)
        return bool(self._ready)

    def _compose(self, delivery: Claimed, *, now: datetime) -> None:
        self._journal.compose(delivery.id)
        try:
            message, message_id = self._mailing.message(delivery, now=now)
        except NotComposed as error:
            self._ready.append(_Refused(delivery, Rejected(diagnostic=str(error))))
        else:
            self._ready.append(_Ready(delivery, message, message_id))
        finally:
            self._journal.composed()
