"""A chunk on its way: what a transport pulls from, and where it tells what became of each."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

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

LOOK_AGAIN = timedelta(seconds=1)  # how long a permission to mail is taken for granted


class Chunk:
    """The claimed deliveries of a run, composed one by one (a `transports.Source`).

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
        self._pulled: dict[int, tuple[Claimed, str]] = {}  # not begun yet; with the Message-ID
        self._begun: dict[int, tuple[Claimed, str]] = {}
        self._allowed = {delivery.id for delivery in claimed.deliveries}
        self._looked_at = clock()
        self._room = len(self._waiting)
        self.answers: list[tuple[str, Outcome]] = []
        self.failures = Failures()
        self._is_hopeless = False

    @property
    def left(self) -> int:
        """How many have not begun."""
        return len(self._waiting) + len(self._pulled)

    def again(self, *, room: int) -> None:
        """Begin anew with another transport, which takes `room` messages: what was pulled waits."""
        self._waiting.extendleft(reversed([delivery for delivery, _ in self._pulled.values()]))
        self._pulled.clear()
        self._room = room
        self.answers = []

    def next(self) -> tuple[int, Outgoing] | None:
        """Return the next message with its delivery's id; None where there is no other one."""
        while self._waiting and self._room and not self._is_hopeless:
            now = self._clock()
            if now >= self._act_until:
                self._waiting.clear()
                break
            if now - self._looked_at >= LOOK_AGAIN:
                ids = [delivery.id for delivery in self._waiting]
                self._allowed, self._looked_at = still_allowed(self.run_id, ids), now
            delivery = self._waiting.popleft()
            if delivery.id in self._allowed and (message := self._composed(delivery, now=now)):
                self._room -= 1
                return delivery.id, message
        return None

    def begin(self, key: int) -> bool:
        """Note that the content of this message is about to be written, unless it is too late."""
        if self._clock() >= self._valid_until:
            return False
        taken = self._pulled.pop(key)
        self._begun[key] = taken
        self._journal.begin(key, taken[1])
        return True

    def answer(self, key: int, outcome: Outcome) -> None:
        """Note what became of this message."""
        known = self._begun if key in self._begun else self._pulled
        delivery, message_id = known.pop(key)
        self._journal.answer(Result(key, delivery.attempts, message_id, outcome))
        self.answers.append((delivery.address, outcome))
        self._is_hopeless = self.failures.note(outcome)

    def _composed(self, delivery: Claimed, *, now: datetime) -> Outgoing | None:
        self._journal.compose(delivery.id)
        try:
            message, message_id = self._mailing.message(delivery, now=now)
        except NotComposed as error:
            refused = Rejected(diagnostic=str(error))
            self._journal.answer(Result(delivery.id, delivery.attempts, "", refused))
            self._is_hopeless = self.failures.note(refused)
            return None
        finally:
            self._journal.composed()
        self._pulled[delivery.id] = (delivery, message_id)
        return message
