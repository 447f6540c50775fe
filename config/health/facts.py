"""What a fact is, and how an answer is waited for."""

from dataclasses import dataclass
from enum import StrEnum

PATIENCE = 0.3  # seconds, of whatever is asked


class State(StrEnum):
    """In the words of the shapes that states have (`static/godwit/states.css`)."""

    GOOD = "done"
    ATTENTION = "warning"
    BAD = "failed"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was looked at."""

    name: str
    """In English, for programs: the same in each release."""
    title: str
    state: State
    text: str
    remedy: str = ""
    """What to do about it; empty where nothing is to be done."""
    figure: float | None = None
    """The number behind it, where there is one."""
