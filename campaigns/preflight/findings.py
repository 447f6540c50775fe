"""What a check found, as plain values."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from django.utils.text import capfirst


class Severity(StrEnum):
    ERROR = "error"  # blocks scheduling
    WARNING = "warning"  # asks: somebody has to accept it by its name
    ADVICE = "advice"


class Place(StrEnum):
    """Where it is mended."""

    TEMPLATE = "template"
    SENDER = "sender"
    CAMPAIGN = "campaign"
    RECIPIENTS = "recipients"
    INSTALLATION = "installation"  # the DNS, an environment variable


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    name: str
    """By which a warning is accepted, such as `no-postal-address`; the same for all of a kind."""
    message: str
    remedy: str = ""
    place: Place = Place.TEMPLATE
    part: str = ""
    line: int | None = None
    """Of what the author wrote; None where it is not known."""
    language: str = ""
    recipients: tuple[int, ...] = ()
    """Ids of some of those whom it is about."""

    def __str__(self) -> str:
        where = [self.part] if self.part else []
        where += [f"line {self.line}"] if self.line else []
        where += [f"({self.language})"] if self.language else []
        place = ", ".join(where).replace(", (", " (")
        return f"{place}: {self.message}" if place else self.message

    @property
    def sentence(self) -> str:
        said = str(self)
        is_name = "." in said.partition(" ")[0]  # of a host: it is written as it is
        return f"{said if is_name else capfirst(said)}."

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Finding":
        known = {"severity": Severity(stored["severity"]), "place": Place(stored["place"])}
        return cls(**{**stored, **known, "recipients": tuple(stored["recipients"])})


# What spoils the message itself, whoever sends it to whom.
_ALWAYS = frozenset(
    {
        "link-script",
        "merge-field",
        "not-composed",
        "size-clipped",
        "size-refused",
        "subject-empty",
    }
)


def for_trial(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings for a sender from whom nothing real can come: all the rest is advice."""
    return [
        each if each.name in _ALWAYS else replace(each, severity=Severity.ADVICE)
        for each in findings
    ]
