"""What a transport pulls messages from."""

from typing import Protocol

from campaigns.sending.outcomes import Outcome
from campaigns.sending.outgoing import Outgoing


class Source(Protocol):
    """Where messages come from, one by one, and where their outcomes go; keys name deliveries."""

    def next(self) -> tuple[int, Outgoing] | None:
        """Return the next one, or None where there is nothing more."""

    def begin(self, key: int) -> bool:
        """Is asked before the first byte of the message's content is written; False forbids it."""

    def answer(self, key: int, outcome: Outcome) -> None:
        """Is told what became of it."""
