"""What rules may be about; apps above register what they know more of recipients."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol, Self

from recipients.segments.takes import Nothing, StrOrPromise, Takes


class Question(Protocol):
    """A rule that is compiled."""

    @property
    def value(self) -> Any:
        """As the operator's `takes` has read it."""

    @property
    def now(self) -> datetime: ...

    def bind(self, value: object) -> str:
        """Return a placeholder that stands for this value in the statement."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A way to ask about a subject."""

    label: StrOrPromise
    """How it is chosen: "is not", "within the last days"."""
    words: StrOrPromise
    """The rule as a sentence; `%(about)s` and `%(value)s` are filled in."""
    sql: Callable[[Question], str] | None
    """Returns a condition over `recipient` that is never NULL.

    Values only by `Question.bind`; a percent sign of its own is written twice. None: the rules of
    the segment that the value names stand in its place.
    """
    takes: Takes = field(default_factory=Nothing)
    denies: bool = False
    """It is true where the condition is not.

    `NOT` stands apart from it: PostgreSQL makes a join of `NOT EXISTS`, and of nothing around it.
    """

    def denied(self, label: StrOrPromise, words: StrOrPromise) -> Self:
        """Return the exact opposite."""
        return replace(self, label=label, words=words, denies=True)

    def say(self, about: StrOrPromise, value: str) -> str:
        return str(self.words) % {"about": about, "value": value}


@dataclass(frozen=True, slots=True)
class Subject:
    label: StrOrPromise
    heading: StrOrPromise
    """Under which it is found where a rule is added."""
    operators: Mapping[str, Operator]


_REGISTERED: dict[str, Subject] = {}


def register(about: str, subject: Subject) -> None:
    """Let rules be about something more.

    :raises ValueError: the name is taken
    """
    if _REGISTERED.setdefault(about, subject) is not subject:
        raise ValueError(f"rules about {about!r} are known already")


def registered() -> Mapping[str, Subject]:
    """Return what does not depend on an installation's fields, in order of registration."""
    return _REGISTERED


def today(question: Question) -> date:
    """Return the day of UTC that it is."""
    return question.now.astimezone(UTC).date()


def days_ago(question: Question) -> datetime:
    """Return the moment that lies as many days back as the rule says."""
    return question.now - timedelta(days=question.value)
